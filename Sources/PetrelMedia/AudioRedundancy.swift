internal import PetrelCongestion
internal import PetrelCore
internal import PetrelWire

/// The last packets of a stream of sound, kept so that each new one can take some of them along (RFC 2198).
///
/// A ring over the sequence number; nothing is allocated after its creation.
struct AudioRedundancy: ~Copyable {
    /// Packets kept: more than the greatest distance.
    static let capacity = 32

    private struct Entry {
        var sequence: Int64 = -1
        var ticks: Int64 = 0
        var samples = 0
        var length = 0
    }

    private let memory: SlotMemory
    private let scratch: SlotMemory
    private var entries = [Entry](repeating: Entry(), count: AudioRedundancy.capacity)

    /// - Parameter isUsed: false for a stream of pictures: it then takes no memory to speak of, and must not be used.
    init(isUsed: Bool) {
        memory = SlotMemory(count: isUsed ? Self.capacity : 1, slotSize: isUsed ? RED.maximumBlockLength + 1 : 1)
        scratch = SlotMemory(count: 1, slotSize: isUsed ? EgressBatch.maximumDatagram : 1)
    }

    private static func index(_ sequence: Int64) -> Int { Int(truncatingIfNeeded: sequence & 31) }

    /// Keeps a packet that gets this sequence number.
    mutating func remember(_ payload: UnsafeRawBufferPointer, ticks: Int64, sequence: Int64) {
        let index = Self.index(sequence)
        guard payload.count <= RED.maximumBlockLength, let samples = OpusPacket.samples(in: payload.bytes) else {
            entries[index].sequence = -1
            return
        }
        memory.slot(index).copyMemory(from: payload)
        entries[index] = Entry(sequence: sequence, ticks: ticks, samples: samples, length: payload.count)
    }

    /// The packet `distance` before `sequence`. Only where there was no pause between them: the receiver counts sequence
    /// numbers by the time between the two.
    private func entry(_ distance: Int, before sequence: Int64, ticks: Int64) -> Entry? {
        let entry = entries[Self.index(sequence &- Int64(distance))]
        let offset = ticks &- entry.ticks
        guard entry.sequence == sequence &- Int64(distance), offset == Int64(distance) * Int64(entry.samples),
            offset <= Int64(RED.maximumTimestampOffset)
        else { return nil }
        return entry
    }

    /// A payload of the new packet and those before it that `offsets` names, as far as they are here and fit `room`:
    /// the nearest first.
    /// - Returns: the payload, valid until the next call, and the number of earlier packets; nil for none.
    mutating func payload(
        _ primary: UnsafeRawBufferPointer, ticks: Int64, sequence: Int64, offsets: RedundancyOffsets, room: Int,
        payloadType: UInt8
    ) -> (bytes: UnsafeRawBufferPointer, blocks: Int)? {
        guard !offsets.isEmpty else { return nil }
        var distances = InlineArray<17, Int>(repeating: 0)
        var count = 0
        var length = RED.primaryHeaderLength + primary.count
        for distance in 1...RedundancyOffsets.greatest where offsets.contains(distance) {
            guard let entry = entry(distance, before: sequence, ticks: ticks) else { continue }
            guard length + RED.blockHeaderLength + entry.length <= room else { break }
            length += RED.blockHeaderLength + entry.length
            distances[count] = distance
            count += 1
        }
        guard count > 0 else { return nil }
        let slot = scratch.slot(0)
        let written = RED.write(into: slot, payloadType: payloadType, primary: primary, count: count) { index in
            let distance = distances[count - 1 - index]
            let entry = entries[Self.index(sequence &- Int64(distance))]
            return (
                Int(ticks &- entry.ticks),
                UnsafeRawBufferPointer(
                    rebasing: memory.slot(Self.index(entry.sequence))[..<entry.length])
            )
        }
        guard let written else { return nil }
        return (UnsafeRawBufferPointer(rebasing: slot[..<written]), count)
    }
}

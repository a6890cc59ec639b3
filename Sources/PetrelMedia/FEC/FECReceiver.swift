public import PetrelCore
public import PetrelWire

/// Recovers lost packets of one stream from parity packets, by peeling: whatever has one packet missing gives it, and that
/// may leave one missing elsewhere (RFC 5109 section 8.2, RFC 8627 section 6.3).
///
/// All memory is taken at creation: 256 packets of the stream and 48 parity packets. What comes out is bytes that the other
/// side could have sent and no more: it goes the way of received packets.
public struct FECReceiver: ~Copyable {
    /// Packets of the stream that are kept: a mask's span of 110 packets, and as many again for what is reordered. In
    /// bytes 384 KB; if it grows, so does what one stream costs.
    public static let packetCapacity = 256
    /// Parity packets kept at once: those of two to four frames at 100 %. If it grows, so does the time per packet, which
    /// looks at every one of them.
    public static let repairCapacity = 48
    /// The longest packet that is kept or recovered.
    public static let maximumPacket = 1500

    private struct Repair {
        var header: FECHeader
        var base: Int64
    }

    private let packets = SlotMemory(count: FECReceiver.packetCapacity, slotSize: FECReceiver.maximumPacket)
    private let bodies = SlotMemory(count: FECReceiver.repairCapacity, slotSize: FECHeader.maximumProtection)
    private var sequences: [Int64]
    private var lengths: [Int]
    private var repairs: [Repair?]
    private var nextRepair = 0
    private var newest: Int64?
    /// Something was added since nothing more could be recovered.
    private var isOpen = false

    /// Parity packets taken on, packets recovered, and parity packets that were of no use.
    public private(set) var repairsReceived: UInt64 = 0
    public private(set) var packetsRecovered: UInt64 = 0
    public private(set) var repairsDiscarded: UInt64 = 0

    public init() {
        sequences = Array(repeating: -1, count: Self.packetCapacity)
        lengths = Array(repeating: 0, count: Self.packetCapacity)
        repairs = Array(repeating: nil, count: Self.repairCapacity)
    }

    private func place(_ sequence: Int64) -> Int { Int(sequence & Int64(Self.packetCapacity - 1)) }
    private func holds(_ sequence: Int64) -> Bool { sequence >= 0 && sequences[place(sequence)] == sequence }

    /// Keeps a packet of the stream as its sender protected it: without what was filled in at the moment of sending.
    /// - Parameter sequence: its extended sequence number.
    public mutating func insert(_ packet: UnsafeRawBufferPointer, sequence: Int64) {
        guard packet.count >= 12, packet.count <= Self.maximumPacket, sequence >= 0 else { return }
        let index = place(sequence)
        guard sequences[index] < sequence else { return }
        sequences[index] = sequence
        lengths[index] = packet.count
        packets.slot(index).copyMemory(from: packet)
        newest = max(newest ?? sequence, sequence)
        isOpen = true
    }

    /// Takes on a parity packet.
    /// - Throws: what the head throws; `rtpTooOld` where it protects packets that are no longer kept, `rtpSequenceJump`
    ///   where it protects none near, `rtpUnknownSource` where it names another stream.
    public mutating func insert(
        repair payload: UnsafeRawBufferPointer, format: FECFormat, ssrc: UInt32
    ) throws(DropReason) {
        let (header, offset) = try FECHeader.parse(payload.bytes, format: format)
        if let protected = header.protectedSSRC, protected != ssrc { throw .rtpUnknownSource }
        guard let newest else { throw .rtpSequenceJump }
        let ahead = Int64(Int16(bitPattern: header.base &- UInt16(truncatingIfNeeded: newest)))
        let base = newest + ahead
        guard ahead < Int64(Self.packetCapacity / 2), base >= 0 else { throw .rtpSequenceJump }
        guard base > newest - Int64(Self.packetCapacity / 2) else {
            repairsDiscarded &+= 1
            throw .rtpTooOld
        }
        if repairs[nextRepair] != nil { repairsDiscarded &+= 1 }
        repairs[nextRepair] = Repair(header: header, base: base)
        bodies.slot(nextRepair).copyMemory(
            from: UnsafeRawBufferPointer(rebasing: payload[offset..<(offset + header.protectionLength)]))
        nextRepair = (nextRepair + 1) % Self.repairCapacity
        repairsReceived &+= 1
        isOpen = true
    }

    /// Recovers one packet, if one can be.
    /// - Parameter slot: where it is written; ``maximumPacket`` bytes are enough.
    /// - Returns: its length and extended sequence number; nil where nothing can be recovered now. Ask until then.
    public mutating func recover(
        ssrc: UInt32, into slot: UnsafeMutableRawBufferPointer
    ) -> (length: Int, sequence: Int64)? {
        guard isOpen, slot.count >= Self.maximumPacket else { return nil }
        for index in repairs.indices {
            guard let repair = repairs[index], let missing = missing(in: repair) else { continue }
            repairs[index] = nil
            guard missing >= 0, let length = combine(index, repair, missing: missing, ssrc: ssrc, into: slot) else {
                if missing >= 0 { repairsDiscarded &+= 1 }
                continue
            }
            packetsRecovered &+= 1
            insert(UnsafeRawBufferPointer(rebasing: slot[..<length]), sequence: missing)
            return (length, missing)
        }
        isOpen = false
        return nil
    }

    /// The one packet that is missing, -1 where none is or where it can never be recovered; nil where several are.
    private func missing(in repair: Repair) -> Int64? {
        var missing: Int64 = -1
        let oldest = (newest ?? 0) - Int64(Self.packetCapacity) + 1
        var index = 0
        let last = repair.header.mask.last
        while index <= last {
            if repair.header.mask[index] {
                let sequence = repair.base + Int64(index)
                if !holds(sequence) {
                    // What has left the store cannot be taken out of the sum again.
                    if sequence < oldest { return -1 }
                    if missing >= 0 { return nil }
                    missing = sequence
                }
            }
            index += 1
        }
        return missing
    }

    private func combine(
        _ index: Int, _ repair: Repair, missing: Int64, ssrc: UInt32, into slot: UnsafeMutableRawBufferPointer
    ) -> Int? {
        var header = repair.header
        let body = UnsafeMutableRawBufferPointer(rebasing: slot[12..<(12 + header.protectionLength)])
        body.copyMemory(from: UnsafeRawBufferPointer(rebasing: bodies.slot(index)[..<header.protectionLength]))
        for offset in 0...max(0, header.mask.last) where header.mask[offset] {
            let sequence = repair.base + Int64(offset)
            guard sequence != missing else { continue }
            let place = place(sequence)
            let packet = UnsafeRawBufferPointer(rebasing: packets.slot(place)[..<lengths[place]])
            guard FECCombination.add(packet, to: &header, body: body) else { return nil }
        }
        return try? FECCombination.finish(
            header, sequenceNumber: UInt16(truncatingIfNeeded: missing), ssrc: ssrc, packet: slot)
    }
}

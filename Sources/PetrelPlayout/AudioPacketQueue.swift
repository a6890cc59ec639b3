internal import PetrelCore

/// The packets that wait to be decoded, in the order of their timestamps. Bounded, and without allocation once
/// created.
struct AudioPacketQueue {
    struct Packet {
        var timestamp: Int64
        var sequence: Int64
        var arrival: Int64
        /// Capture time of the first sample in nanoseconds of the local clock; `Int64.min` where unknown.
        var capture: Int64
        var samples: Int
        var hasFEC: Bool
        /// It came in place of a packet that was lost.
        var isRecovered: Bool
        var payload: FrameBuffer

        var end: Int64 { timestamp + Int64(samples) }
    }

    enum Insertion { case inserted, duplicate, full }

    let limit: Int
    private var packets: [Packet] = []

    init(limit: Int) {
        self.limit = limit
        packets.reserveCapacity(limit)
    }

    var count: Int { packets.count }
    var first: Packet? { packets.first }
    var last: Packet? { packets.last }

    /// Puts a packet where its timestamp belongs. Two packets never have one timestamp.
    mutating func insert(_ packet: Packet) -> Insertion {
        var index = packets.count
        while index > 0, packets[index - 1].timestamp > packet.timestamp { index -= 1 }
        if index > 0, packets[index - 1].timestamp == packet.timestamp { return .duplicate }
        guard packets.count < limit else { return .full }
        packets.insert(packet, at: index)
        return .inserted
    }

    mutating func removeFirst() -> Packet? { packets.isEmpty ? nil : packets.removeFirst() }

    mutating func removeAll() { packets.removeAll(keepingCapacity: true) }
}

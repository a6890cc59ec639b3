public import PetrelCore

/// What was sent under each transport-wide sequence number, until feedback tells what became of it.
///
/// A ring over the low bits of the number: it never allocates after its creation, and forgets what is older than
/// ``capacity`` packets.
public struct SentPacketLog: Sendable {
    /// One packet that was sent.
    public struct Entry: Sendable {
        /// The extended transport-wide number, when it left, its size in bytes, and what it carried.
        public var sequence: Int64
        /// When it left.
        public var sent: Instant
        public var bytes: Int32
        public var packetClass: PacketClass
        /// Whether feedback has reported its arrival.
        public var acknowledged: Bool
    }

    /// The packets remembered: 8 s at 500 packets a second. Feedback for older ones is ignored.
    public static let capacity = 4096

    private var entries: [Entry]
    /// The extended number that the next packet gets.
    public private(set) var nextSequence: Int64
    /// Bytes sent and not yet reported, nor forgotten.
    public private(set) var bytesSent: Int64 = 0

    /// Creates an empty log; the first packet gets this number.
    public init(firstSequence: UInt16) {
        nextSequence = Int64(firstSequence)
        entries = Array(
            repeating: Entry(sequence: -1, sent: .zero, bytes: 0, packetClass: .video, acknowledged: false),
            count: Self.capacity)
    }

    /// Notes a packet that leaves at `now` and answers the number it carries.
    public mutating func append(bytes: Int, as packetClass: PacketClass, now: Instant) -> UInt16 {
        let sequence = nextSequence
        nextSequence &+= 1
        bytesSent &+= Int64(bytes)
        entries[Int(sequence % Int64(Self.capacity))] = Entry(
            sequence: sequence, sent: now, bytes: Int32(truncatingIfNeeded: bytes), packetClass: packetClass,
            acknowledged: false)
        return UInt16(truncatingIfNeeded: sequence)
    }

    /// The packet that carried `sequence` (16 bits, the latest use of it); nil for what was never sent or is forgotten.
    public func entry(_ sequence: UInt16) -> Entry? {
        let behind = Int64(UInt16(truncatingIfNeeded: nextSequence) &- sequence)
        guard behind > 0, behind <= Int64(Self.capacity) else { return nil }
        let extended = nextSequence - behind
        guard extended >= 0 else { return nil }
        let entry = entries[Int(extended % Int64(Self.capacity))]
        return entry.sequence == extended ? entry : nil
    }

    /// Marks the packet as arrived.
    public mutating func acknowledge(_ entry: Entry) {
        let index = Int(entry.sequence % Int64(Self.capacity))
        if entries[index].sequence == entry.sequence { entries[index].acknowledged = true }
    }
}

/// What transport-wide feedback says of one packet.
public struct PacketResult: Sendable {
    /// When it left.
    public var sent: Instant
    /// When it arrived, on the receiver's clock (only differences mean anything); nil where it is reported lost.
    public var arrived: Instant?
    public var bytes: Int
    public init(sent: Instant, arrived: Instant?, bytes: Int) {
        (self.sent, self.arrived, self.bytes) = (sent, arrived, bytes)
    }
}

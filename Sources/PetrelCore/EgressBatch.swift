/// Datagrams that wait to be sent: filled by an engine during one call, emptied by the driver after it.
///
/// It holds ``capacity`` datagrams of at most ``maximumDatagram`` bytes and never allocates after its creation.
public struct EgressBatch: ~Copyable, Sendable {
    /// One datagram's place and destination.
    public struct Entry: Sendable {
        /// Where it goes.
        public var destination: TransportAddress
        /// The local address (the base of a candidate) it leaves from.
        public var source: TransportAddress
        /// Its length in bytes.
        public var length: Int
    }

    /// The longest datagram. 1,500 bytes of Ethernet and room for the trailer of SRTP.
    public static let maximumDatagram = 1600

    /// The most datagrams it holds.
    public let capacity: Int
    private let memory: SlotMemory
    private var entries: [Entry]

    public init(capacity: Int = 256) {
        self.capacity = max(1, capacity)
        memory = SlotMemory(count: self.capacity, slotSize: Self.maximumDatagram)
        entries = []
        entries.reserveCapacity(self.capacity)
    }

    /// How many datagrams it holds, and whether that is all it can.
    public var count: Int { entries.count }
    public var isFull: Bool { entries.count == capacity }

    /// Writes one datagram: `write` fills the slot and answers the length, or nothing to give the slot back.
    /// - Returns: false where the batch is full or `write` gave up.
    @discardableResult
    public mutating func append(
        to destination: TransportAddress, from source: TransportAddress,
        _ write: (UnsafeMutableRawBufferPointer) -> Int?
    ) -> Bool {
        guard entries.count < capacity else { return false }
        guard let length = write(memory.slot(entries.count)), length > 0, length <= memory.stride else { return false }
        entries.append(Entry(destination: destination, source: source, length: length))
        return true
    }

    /// Copies one datagram in.
    @discardableResult
    public mutating func append(
        _ bytes: RawSpan, to destination: TransportAddress, from source: TransportAddress
    ) -> Bool {
        append(to: destination, from: source) { slot in
            guard bytes.byteCount <= slot.count else { return nil }
            bytes.withUnsafeBytes { slot.copyMemory(from: $0) }
            return bytes.byteCount
        }
    }

    /// The destination, source and length of datagram `index`.
    public func entry(_ index: Int) -> Entry { entries[index] }

    /// The bytes of datagram `index`, valid until the batch changes.
    public func bytes(_ index: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: memory.slot(index)[..<entries[index].length])
    }

    /// Forgets all datagrams and keeps the memory.
    public mutating func removeAll() { entries.removeAll(keepingCapacity: true) }
}

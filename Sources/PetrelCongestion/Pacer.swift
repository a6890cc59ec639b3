public import PetrelCore

/// What a packet is to the pacer. The order is the order of release: audio never waits behind video.
public enum PacketClass: Int, CaseIterable, Sendable {
    case audio, retransmission, video, padding
}

/// Spreads packets over time, so that a frame does not leave as one burst.
///
/// Packets stay where they are (in their stream's ``PacketClass`` store): the pacer keeps only a small note for each.
/// Told the time, it answers which one may leave now. It never allocates after its creation.
public struct Pacer: Sendable {
    /// A note of one packet that waits.
    public struct Item: Sendable {
        /// Which stream it belongs to, in the numbering of the owner.
        public var stream: Int32
        /// Its extended RTP sequence number in that stream.
        public var sequence: Int64
        /// Its size on the wire in bytes.
        public var bytes: Int32
        /// When it began to wait.
        public var enqueued: Instant
        /// A packet of the repair code, written when it leaves; ``sequence`` is the last packet it covers.
        public var isRepair: Bool

        public init(stream: Int32, sequence: Int64, bytes: Int32, enqueued: Instant, isRepair: Bool = false) {
            (self.stream, self.sequence, self.bytes, self.enqueued) = (stream, sequence, bytes, enqueued)
            self.isRepair = isRepair
        }
    }

    /// The most packets that wait in one class. A 720p frame has 2 to 60; beyond this the caller drops frames.
    public static let queueLimit = 1024
    /// The pacing rate over the target rate, so that frames larger than the mean do not build a queue.
    static let headroom = 2.5
    /// The largest pacing rate over the target rate, for frames far larger than the mean.
    static let largestHeadroom = 6.0
    /// The time in which the pacer tries to empty its queue.
    static let drainTime = TimeDelta.milliseconds(12)
    /// How much may leave at once: two full packets keep timers from setting the pace.
    static let burstBytes: Double = 2400

    private var queues: [ItemRing]
    private var debt: Double = 0
    private var lastUpdate: Instant
    /// The rate that media should take on the wire.
    public var targetRate: DataRate

    /// Creates an empty pacer that works for this rate.
    public init(targetRate: DataRate, now: Instant) {
        self.targetRate = targetRate
        lastUpdate = now
        queues = PacketClass.allCases.map { _ in ItemRing(capacity: Self.queueLimit) }
    }

    /// The bytes that wait, all classes together.
    public var queuedBytes: Int { queues.reduce(0) { $0 + $1.bytes } }
    public var isEmpty: Bool { queues.allSatisfy { $0.isEmpty } }

    /// The time the queue takes to empty at the pacing rate in force.
    public var queueDelay: TimeDelta { pacingRate.time(forBytes: queuedBytes) }

    /// How long the oldest packet of `packetClass` has waited.
    public func oldestWait(_ packetClass: PacketClass, now: Instant) -> TimeDelta {
        queues[packetClass.rawValue].first.map { now - $0.enqueued } ?? .zero
    }

    /// Adds one packet. False where the queue of its class is full: the caller counts the drop.
    public mutating func enqueue(_ item: Item, as packetClass: PacketClass) -> Bool {
        queues[packetClass.rawValue].append(item)
    }

    /// Forgets every waiting packet of `stream`.
    public mutating func removeAll(stream: Int32) {
        for index in queues.indices { queues[index].removeAll(stream: stream) }
    }

    /// The next packet that may leave at `now`, if any.
    public mutating func next(now: Instant) -> (item: Item, packetClass: PacketClass)? {
        settle(now)
        for packetClass in PacketClass.allCases {
            // Audio is small and first in every sense: it is counted, and never held back.
            guard packetClass == .audio || debt < Self.burstBytes else { return nil }
            if let item = queues[packetClass.rawValue].popFirst() {
                debt += Double(item.bytes)
                return (item, packetClass)
            }
        }
        return nil
    }

    /// Counts bytes that left without waiting here (control traffic, audio sent at once).
    public mutating func account(bytes: Int, now: Instant) {
        settle(now)
        debt += Double(bytes)
    }

    /// When ``next(now:)`` will have something; nil while nothing waits.
    public var nextDeadline: Instant? {
        guard !isEmpty else { return nil }
        guard queues[PacketClass.audio.rawValue].isEmpty, debt >= Self.burstBytes else { return lastUpdate }
        return lastUpdate + pacingRate.time(forBytes: Int(debt - Self.burstBytes) + 1)
    }

    private var pacingRate: DataRate {
        let drain = DataRate(bytes: queuedBytes, over: Self.drainTime)
        return min(max(drain, targetRate * Self.headroom), targetRate * Self.largestHeadroom)
    }

    private mutating func settle(_ now: Instant) {
        guard now > lastUpdate else { return }
        debt = max(0, debt - Double(pacingRate.bitsPerSecond) / 8 * (now - lastUpdate).seconds)
        lastUpdate = now
    }
}

/// A first-in first-out ring of fixed capacity.
struct ItemRing: Sendable {
    private var items: [Pacer.Item]
    private var head = 0
    private(set) var count = 0
    private(set) var bytes = 0

    init(capacity: Int) {
        items = Array(
            repeating: Pacer.Item(stream: 0, sequence: 0, bytes: 0, enqueued: .zero), count: max(1, capacity))
    }

    var isEmpty: Bool { count == 0 }
    var first: Pacer.Item? { isEmpty ? nil : items[head] }

    mutating func append(_ item: Pacer.Item) -> Bool {
        guard count < items.count else { return false }
        items[(head + count) % items.count] = item
        count += 1
        bytes += Int(item.bytes)
        return true
    }

    mutating func popFirst() -> Pacer.Item? {
        guard count > 0 else { return nil }
        let item = items[head]
        head = (head + 1) % items.count
        count -= 1
        bytes -= Int(item.bytes)
        return item
    }

    mutating func removeAll(stream: Int32) {
        for _ in 0..<count {
            guard let item = popFirst() else { return }
            if item.stream != stream { _ = append(item) }
        }
    }
}

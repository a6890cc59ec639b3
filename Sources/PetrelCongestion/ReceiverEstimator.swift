public import PetrelCore
public import PetrelWire

/// What a receiver thinks the path carries, from the send times that packets bring with them: what REMB
/// (draft-alvestrand-rmcat-remb-03) tells a sender that has no transport-wide feedback.
///
/// It is the judgement of ``BandwidthEstimator``, made at the other end of the path.
public struct ReceiverEstimator: Sendable {
    /// Packets are judged together for so long, as a report of transport-wide feedback would.
    static let batch = TimeDelta.milliseconds(50)
    /// And at most so many of them: 20 Mbit/s of full packets. What comes above it is not looked at.
    static let batchLimit = 128
    /// Between two reports of an estimate that does not fall.
    static let interval = TimeDelta.seconds(1)
    /// Between two reports of an estimate that falls.
    static let urgentInterval = TimeDelta.milliseconds(100)
    /// A fall by this share is urgent.
    static let urgentShare = 0.97
    /// After a silence of this length nothing is known, and nothing is said.
    static let silence = TimeDelta.seconds(3)

    private var estimator: BandwidthEstimator
    private var results: [PacketResult] = []
    private var batchBegan: Instant?
    /// The newest send time, and where it lies on a line without wraps; only differences mean anything.
    private var newest: (time: AbsSendTime, at: Instant)?
    private var lastPacket = Instant.distantPast
    private var lastReport: (at: Instant, rate: DataRate)?

    /// - Parameter configuration: the bounds of what is reported.
    public init(configuration: BandwidthEstimator.Configuration) {
        estimator = BandwidthEstimator(configuration: configuration)
        results.reserveCapacity(Self.batchLimit)
    }

    /// The rate as it is thought to be.
    public var rate: DataRate { estimator.target }

    /// Takes in a packet that arrived at `now`. Nothing is allocated.
    /// - Parameter bytes: its size on the wire.
    public mutating func add(sent: AbsSendTime, bytes: Int, roundTrip: TimeDelta, now: Instant) {
        let at: Instant
        if let newest, now - lastPacket < Self.silence {
            let ahead = sent.since(newest.time)
            at = newest.at + ahead
            if ahead > .zero { self.newest = (sent, at) }
        } else {
            // Anywhere will do; away from the ends of the line, so that earlier packets have a place too.
            at = Instant.zero + .seconds(1000)
            newest = (sent, at)
            results.removeAll(keepingCapacity: true)
            batchBegan = nil
        }
        lastPacket = now
        let began = batchBegan ?? now
        batchBegan = began
        if results.count < Self.batchLimit { results.append(PacketResult(sent: at, arrived: now, bytes: bytes)) }
        guard now - began >= Self.batch else { return }
        estimator.update(results, roundTrip: roundTrip, now: now)
        results.removeAll(keepingCapacity: true)
        batchBegan = nil
    }

    /// When ``report(now:)`` has something to say.
    public var nextDeadline: Instant {
        guard lastPacket > .distantPast else { return .distantFuture }
        guard let last = lastReport else { return lastPacket }
        let isUrgent = rate < last.rate * Self.urgentShare
        let due = last.at + (isUrgent ? Self.urgentInterval : Self.interval)
        return due - lastPacket < Self.silence ? due : .distantFuture
    }

    /// The estimate, where it is time to tell it.
    public mutating func report(now: Instant) -> DataRate? {
        guard nextDeadline <= now else { return nil }
        lastReport = (now, rate)
        return rate
    }
}

public import PetrelCore

/// A first estimate of what the path carries, from transport-wide feedback.
///
/// Delay decides: a queue that grows lowers the rate to what arrived, a path without one lets it rise. Loss without
/// a queue is taken for weather and lowers nothing; silence of the feedback halves the rate.
public struct BandwidthEstimator: Sendable {
    public struct Configuration: Sendable {
        /// The least rate, the first one, and the most.
        public var minimum = DataRate.kilobitsPerSecond(100)
        public var start = DataRate.kilobitsPerSecond(2500)
        public var maximum = DataRate.kilobitsPerSecond(10_000)
        public init() {}
    }

    /// Lowering the rate leaves this share of what arrived.
    static let decrease = 0.85
    /// The growth a second while nothing speaks against it.
    static let growthPerSecond = 1.08
    /// The rate may lie this much above what is really sent and arrives.
    static let acknowledgedHeadroom = 1.5
    /// And this much above what is sent, where much of that is lost without a queue: otherwise loss would be a ceiling.
    static let sentHeadroom = 1.15
    /// Feedback silent for so long (while packets are sent) halves the rate.
    static let silence = TimeDelta.milliseconds(1000)

    /// After a silence the rate begins anew with this share of what it was, and grows by ``revival`` a second until it
    /// is back: an outage says little of the path behind it.
    static let restart = 0.4
    static let revival = 2.0
    /// Decreases for a queue that stands, until the delay is taken for that of a new route.
    static let standingDecreases = 5

    private var configuration: Configuration
    /// What the other side says it can take; nil while it says nothing.
    private var remoteCeiling: DataRate?
    private var beforeSilence: DataRate?
    private var isSilent = false
    private var standing = 0
    private var trend = DelayTrend()
    private var arrived = RateWindow()
    private var sent = RateWindow()
    private var lastDecrease: Instant?
    private var lastIncrease: Instant?
    private var lastFeedback: Instant?
    /// The rate media may take on the wire.
    public private(set) var target: DataRate
    /// Delay above its recent minimum.
    public var queueDelay: TimeDelta { .milliseconds(trend.queueMilliseconds) }
    /// The share of packets lost, 0...1, smoothed over about a second.
    public private(set) var lossRate = 0.0

    public init(configuration: Configuration = Configuration()) {
        self.configuration = configuration
        target = min(max(configuration.start, configuration.minimum), configuration.maximum)
    }

    /// Changes the bounds of the estimate; the estimate moves into them at once.
    public mutating func setLimits(minimum: DataRate, maximum: DataRate) {
        configuration.minimum = minimum
        configuration.maximum = max(minimum, maximum)
        target = clamp(target)
    }

    /// Takes in what the receiver thinks the path carries (REMB). It is a ceiling for the estimate where our own feedback
    /// decides, and the estimate itself where there is none.
    public mutating func receive(remoteEstimate rate: DataRate, isAlone: Bool) {
        remoteCeiling = rate
        target = clamp(isAlone ? rate : target)
    }

    /// Forgets what the other side said it can take: it no longer says anything.
    public mutating func forgetRemoteEstimate() { remoteCeiling = nil }

    /// Takes in one feedback message: the packets it speaks of, in the order of their numbers.
    public mutating func update(_ results: [PacketResult], roundTrip: TimeDelta, now: Instant) {
        guard !results.isEmpty else { return }
        lastFeedback = now
        if isSilent, let before = beforeSilence {
            isSilent = false
            target = clamp(max(target, before * Self.restart))
            lastIncrease = now
        }
        var lost = 0
        for result in results {
            guard let arrival = result.arrived else {
                lost += 1
                continue
            }
            trend.add(sent: result.sent, arrived: arrival)
            arrived.add(bytes: result.bytes, at: arrival)
        }
        let weight = min(1, Double(results.count) / 100)
        lossRate += weight * (Double(lost) / Double(results.count) - lossRate)
        adjust(roundTrip: roundTrip, now: now)
    }

    /// Takes note of a packet that leaves.
    public mutating func noteSent(bytes: Int, at now: Instant) { sent.add(bytes: bytes, at: now) }

    /// To be called now and then while packets are sent, so that silence is noticed.
    public mutating func tick(now: Instant) {
        guard let last = lastFeedback, now - last > Self.silence else { return }
        lastFeedback = now
        if !isSilent { beforeSilence = max(target, beforeSilence ?? .zero) }
        isSilent = true
        target = clamp(target * 0.5)
    }

    private mutating func adjust(roundTrip: TimeDelta, now: Instant) {
        let signal = trend.isStanding ? .overuse : trend.signal
        if !trend.isStanding { standing = 0 }
        switch signal {
        case .overuse:
            guard lastDecrease.map({ now - $0 > max(.milliseconds(200), roundTrip) }) ?? true else { return }
            beforeSilence = nil
            if trend.isStanding {
                standing += 1
                if standing > Self.standingDecreases {
                    standing = 0
                    trend.rebase()
                }
            }
            let measured = arrived.rate ?? target
            target = clamp(min(target, measured * Self.decrease))
            lastDecrease = now
            lastIncrease = now
        case .underuse:
            lastIncrease = now
        case .normal:
            let elapsed = lastIncrease.map { min(1, (now - $0).seconds) } ?? 0
            lastIncrease = now
            var grown = target * (1 + (Self.growthPerSecond - 1) * elapsed)
            if let before = beforeSilence {
                grown = max(grown, min(before, target * (1 + (Self.revival - 1) * elapsed)))
                if grown >= before { beforeSilence = nil }
            } else
            // What was never tried is not known to fit; but nothing is taken away for sending little.
            if let measured = arrived.rate {
                // Not computed from what arrived: lost feedback hides arrivals a second time.
                let sent = sent.rate ?? measured
                let ceiling = max(measured * Self.acknowledgedHeadroom, sent * Self.sentHeadroom)
                grown = max(target, min(grown, ceiling))
            }
            target = clamp(grown)
        }
    }

    private func clamp(_ rate: DataRate) -> DataRate {
        let ceiling = min(configuration.maximum, remoteCeiling ?? configuration.maximum)
        return max(min(rate, ceiling), configuration.minimum)
    }
}

/// Bytes over the last half second, on whatever clock stamps them.
struct RateWindow: Sendable {
    static let length = TimeDelta.milliseconds(500)
    static let bins = 10
    private var counts = InlineArray<10, Int>(repeating: 0)
    private var newest: Int64?
    private var first: Int64?

    mutating func add(bytes: Int, at time: Instant) {
        let bin = time.nanoseconds / (Self.length.nanoseconds / Int64(Self.bins))
        let last = newest ?? bin
        if first == nil { first = bin }
        guard bin > last - Int64(Self.bins) else { return }
        if bin > last {
            for stale in max(last + 1, bin - Int64(Self.bins) + 1)...bin { counts[index(stale)] = 0 }
        }
        newest = max(last, bin)
        counts[index(bin)] &+= max(0, min(bytes, 1 << 20))
    }

    /// The rate, once half a second has been seen.
    var rate: DataRate? {
        guard let newest, let first, newest - first >= Int64(Self.bins) else { return nil }
        var sum = 0
        for index in 0..<Self.bins { sum += counts[index] }
        return DataRate(bytes: sum, over: Self.length)
    }

    private func index(_ bin: Int64) -> Int {
        let remainder = Int(bin % Int64(Self.bins))
        return remainder < 0 ? remainder + Self.bins : remainder
    }
}

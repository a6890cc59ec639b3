internal import PetrelCore

/// Watches whether one-way delay is growing: the slope of the queue, and the queue itself.
///
/// Packets sent within 5 ms count as one group; the slope of the smoothed delay over the last groups is compared with
/// a threshold that adapts to the noise of the path (the trendline filter of draft-ietf-rmcat-gcc-02 and its successors).
/// A rise counts as overuse only while the delay also lies well above its recent minimum, so that the jitter of a busy
/// machine is not taken for a queue.
struct DelayTrend {
    enum Signal { case normal, overuse, underuse }

    static let groupLength = TimeDelta.milliseconds(5)
    static let window = 20
    static let smoothing = 0.9
    /// A queue shorter than this is left alone, in milliseconds.
    static let toleratedQueue = 25.0
    static let thresholdRange = 6.0...600.0
    /// A queue that never falls below this for ``standingTime`` stands: it no longer grows, so its slope says nothing,
    /// and yet everything waits in it. In milliseconds.
    static let standingQueue = 60.0
    static let standingTime = TimeDelta.milliseconds(300)

    private var groupFirstSent: Instant?
    private var groupLastSent = Instant.zero
    private var groupLastArrived = Instant.zero
    private var previous: (sent: Instant, arrived: Instant)?
    private var accumulated = 0.0
    private var smoothed = 0.0
    private var points: [(x: Double, y: Double)] = []
    private var groups = 0
    private var threshold = 12.5
    private var lastThresholdUpdate: Instant?
    private var overuseSince: Instant?
    private var previousTrend = 0.0
    private var minima = WindowedMinimum(window: .seconds(10))
    private var recent = WindowedMinimum(window: DelayTrend.standingTime)
    private var recentSince: Instant?
    /// Whether the queue has stood for ``standingTime``.
    private(set) var isStanding = false

    private(set) var signal = Signal.normal
    /// The delay above its minimum of the last ten seconds, in milliseconds.
    private(set) var queueMilliseconds = 0.0

    init() { points.reserveCapacity(Self.window + 1) }

    mutating func add(sent: Instant, arrived: Instant) {
        // Only the difference to the minimum matters, so the unknown offset between the clocks cancels.
        let transit = (arrived - sent).milliseconds
        let least = minima.add(transit, at: sent)
        queueMilliseconds = max(0, transit - least)
        let start = recentSince ?? sent
        recentSince = start
        isStanding = recent.add(transit, at: sent) - least > Self.standingQueue && sent - start > Self.standingTime
        guard let first = groupFirstSent else {
            begin(sent, arrived)
            return
        }
        guard sent >= first else { return }
        if sent - first <= Self.groupLength {
            groupLastSent = max(groupLastSent, sent)
            groupLastArrived = max(groupLastArrived, arrived)
            return
        }
        if let previous {
            addDelta(
                sent: (groupLastSent - previous.sent).milliseconds,
                arrived: (groupLastArrived - previous.arrived).milliseconds,
                at: groupLastArrived)
        }
        previous = (groupLastSent, groupLastArrived)
        begin(sent, arrived)
    }

    /// The delay as it is now is taken for the path's own: what was thought a queue did not go when less was sent.
    mutating func rebase() {
        minima = WindowedMinimum(window: .seconds(10))
        isStanding = false
        queueMilliseconds = 0
    }

    private mutating func begin(_ sent: Instant, _ arrived: Instant) {
        (groupFirstSent, groupLastSent, groupLastArrived) = (sent, sent, arrived)
    }

    private mutating func addDelta(sent: Double, arrived: Double, at now: Instant) {
        groups += 1
        accumulated += arrived - sent
        smoothed = Self.smoothing * smoothed + (1 - Self.smoothing) * accumulated
        points.append((now.milliseconds, smoothed))
        if points.count > Self.window { points.removeFirst() }
        guard points.count == Self.window, let slope = Self.slope(points) else { return }
        let trend = slope * Double(min(groups, 60)) * 4
        if trend > threshold, queueMilliseconds > Self.toleratedQueue {
            let since = overuseSince ?? now
            overuseSince = since
            if now - since >= .milliseconds(10), trend >= previousTrend { signal = .overuse }
        } else {
            overuseSince = nil
            signal = trend < -threshold ? .underuse : .normal
        }
        previousTrend = trend
        adapt(to: abs(trend), at: now)
    }

    private mutating func adapt(to trend: Double, at now: Instant) {
        let elapsed = lastThresholdUpdate.map { min(100, (now - $0).milliseconds) } ?? 0
        lastThresholdUpdate = now
        // A spike far beyond the threshold says nothing about the noise of the path.
        guard trend <= threshold + 15 else { return }
        let gain = trend < threshold ? 0.039 : 0.0087
        threshold += gain * (trend - threshold) * elapsed
        threshold = min(max(threshold, Self.thresholdRange.lowerBound), Self.thresholdRange.upperBound)
    }

    private static func slope(_ points: [(x: Double, y: Double)]) -> Double? {
        let count = Double(points.count)
        let meanX = points.reduce(0) { $0 + $1.x } / count
        let meanY = points.reduce(0) { $0 + $1.y } / count
        var numerator = 0.0
        var denominator = 0.0
        for point in points {
            numerator += (point.x - meanX) * (point.y - meanY)
            denominator += (point.x - meanX) * (point.x - meanX)
        }
        return denominator > 0 ? numerator / denominator : nil
    }
}

/// The smallest value of a sliding window, in ten steps.
struct WindowedMinimum {
    private let step: TimeDelta
    private var buckets: [(start: Instant, minimum: Double)] = []

    init(window: TimeDelta) { step = window / 10 }

    /// Adds a value and answers the minimum of the window that ends with it.
    mutating func add(_ value: Double, at now: Instant) -> Double {
        if let last = buckets.last, now - last.start < step {
            buckets[buckets.count - 1].minimum = min(last.minimum, value)
        } else {
            buckets.append((now, value))
            if buckets.count > 10 { buckets.removeFirst() }
        }
        return buckets.reduce(value) { min($0, $1.minimum) }
    }
}

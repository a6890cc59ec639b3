public import PetrelCore

/// Counts freezes as W3C webrtc-stats defines them (`RTCInboundRtpStreamStats.freezeCount`): a gap between rendered
/// frames of at least max(3 d, d + 150 ms), d being the mean of the last 30 gaps.
public struct FreezeDetector: Sendable {
    /// The number of gaps in the mean.
    public static let window = 30
    /// Gaps that must be known before one can be called a freeze: below, the mean says nothing.
    public static let leastGaps = 5
    /// A gap longer than this is a hitch, whatever the frame rate: 100 ms.
    public static let hitchLength: TimeDelta = .milliseconds(100)

    /// The number of freezes.
    public private(set) var freezeCount = 0
    /// The sum of the gaps that were freezes.
    public private(set) var totalFreezesDuration: TimeDelta = .zero
    /// The longest freeze.
    public private(set) var longestFreeze: TimeDelta = .zero
    /// The number of gaps longer than ``hitchLength``.
    public private(set) var hitchCount = 0
    /// The number of frames rendered.
    public private(set) var framesRendered = 0
    /// Sum of the gaps between rendered frames.
    public private(set) var totalInterFrameDelay: TimeDelta = .zero
    /// Sum of the squares of the gaps, in seconds squared.
    public private(set) var totalSquaredInterFrameDelay = 0.0

    private var gaps = InlineArray<30, Int64>(repeating: 0)
    private var count = 0
    private var next = 0
    private var sum: Int64 = 0
    private var last: Instant?

    public init() {}

    /// The mean of the last 30 gaps; nil while fewer than ``leastGaps`` are known.
    public var meanGap: TimeDelta? {
        count < Self.leastGaps ? nil : TimeDelta(nanoseconds: sum / Int64(count))
    }

    /// The gap from which on the present wait is a freeze; nil while unknown.
    public var threshold: TimeDelta? {
        meanGap.map { max($0 * 3, $0 + .milliseconds(150)) }
    }

    /// Notes that a frame was rendered; true where a freeze ended with it.
    @discardableResult
    public mutating func rendered(at now: Instant) -> Bool {
        framesRendered += 1
        guard let previous = last else {
            last = now
            return false
        }
        let gap = max(.zero, now - previous)
        last = max(previous, now)
        var froze = false
        if let threshold, gap >= threshold {
            froze = true
            freezeCount += 1
            totalFreezesDuration += gap
            longestFreeze = max(longestFreeze, gap)
        }
        if gap > Self.hitchLength { hitchCount += 1 }
        totalInterFrameDelay += gap
        totalSquaredInterFrameDelay += gap.seconds * gap.seconds
        // A gap of more than an hour would drown the mean, and thirty of them overflow it.
        let kept = min(gap.nanoseconds, 3_600_000_000_000)
        sum += kept - gaps[next]
        gaps[next] = kept
        next = next + 1 < Self.window ? next + 1 : 0
        count = min(Self.window, count + 1)
        return froze
    }

    /// Whether nothing has been rendered for so long that the wait will count as a freeze.
    public func isFrozen(at now: Instant) -> Bool {
        guard let last, let threshold else { return false }
        return now - last >= threshold
    }

    /// Notes an intended pause (muted or hidden): the gap over it is no freeze.
    public mutating func pause() { last = nil }
}

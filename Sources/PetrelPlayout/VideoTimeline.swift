public import PetrelCore

/// When to render which frame: the media clock of one video stream mapped to the local clock, plus the delay that
/// measured lateness, decoding and sync ask for.
///
/// Lateness is the arrival of a complete frame against the fastest frame of the last seconds. The delay follows its
/// 95 % quantile, taken from a histogram with forgetting: unlike a Gaussian model with a Kalman filter it needs no
/// assumption about the tail, is not moved by single outliers, and where more than one frame in twenty waits for a
/// repair, it covers the repair by itself. Frames much larger than usual (key frames) come later because they are
/// longer on the wire; they do not count, and are rendered when they are ready.
public struct VideoTimeline: Sendable {
    public struct Configuration: Sendable, Hashable {
        /// The delay for lateness before any was measured.
        public var startDelay: TimeDelta
        /// The most delay ever applied. If it grows, more decoded pictures wait.
        public var maximumDelay: TimeDelta
        /// How fast the delay rises, as a share of time: 0.2 is 200 ms per second.
        public var rise: Double
        /// How fast the delay falls, as a share of time.
        public var fall: Double

        public init(
            startDelay: TimeDelta = .milliseconds(5), maximumDelay: TimeDelta = .milliseconds(1000), rise: Double = 0.2,
            fall: Double = 0.05
        ) {
            self.startDelay = startDelay
            self.maximumDelay = maximumDelay
            self.rise = rise
            self.fall = fall
        }
    }

    /// How long after the first frame the delay moves at once instead of at its speed: 500 ms. The eye has nothing yet
    /// to compare with, and the sound that the picture waits for has just begun.
    public static let opening: TimeDelta = .milliseconds(500)
    /// The share of frames that shall be ready in time.
    public static let quantile = 0.95
    /// The window of the fastest arrival: 4 s. If it grows, a longer path counts as lateness for longer.
    public static let baselineWindow: TimeDelta = .seconds(4)
    /// Earlier than the fastest frame by this much is a jump of the timestamps, not a better path: 1 s.
    public static let longestLead: TimeDelta = .seconds(1)
    /// Lateness beyond it is an outage, not jitter: 300 ms. If it grew, every outage would leave delay behind.
    public static let longestLateness: TimeDelta = .milliseconds(300)
    /// A rise of the fastest arrival by more than this is another path, not the jitter of the fastest: 20 ms.
    public static let pathChange: TimeDelta = .milliseconds(20)
    /// Frames that complete within this time of each other were held up by one cause, and count once: 5 ms.
    public static let groupLength: TimeDelta = .milliseconds(5)

    /// How it was set up.
    public let configuration: Configuration
    /// The least delay, set from outside.
    public private(set) var minimumDelay: TimeDelta = .zero
    /// What frames should wait for repair, whatever lateness was measured.
    public private(set) var repairDelay: TimeDelta = .zero
    /// The delay applied to the frame inserted last, after the fastest arrival.
    public private(set) var currentDelay: TimeDelta

    private var baseline = ArrivalBaseline(window: VideoTimeline.baselineWindow.nanoseconds)
    private var lateness = DelayHistogram(bucketCount: 301, forgetFactor: 0.995)
    private var decoding = DelayHistogram(bucketCount: 129, forgetFactor: 0.99)
    private var meanSize = 0.0
    private var firstArrival: Instant?
    private var lastArrival: Instant?
    private var lastRender: Instant?

    public init(configuration: Configuration = Configuration()) {
        var configuration = configuration
        configuration.maximumDelay = max(.milliseconds(20), min(.seconds(10), configuration.maximumDelay))
        configuration.startDelay = max(.zero, min(configuration.maximumDelay, configuration.startDelay))
        self.configuration = configuration
        currentDelay = configuration.startDelay
    }

    /// What decoding is allowed to take: the 95 % quantile of what it took, 3 ms before anything was decoded.
    public var decodeAllowance: TimeDelta {
        decoding.isEmpty ? .milliseconds(3) : .milliseconds(decoding.quantile(Self.quantile) + 1)
    }

    /// What lateness alone asks for.
    public var jitterDelay: TimeDelta {
        lateness.isEmpty
            ? configuration.startDelay : .milliseconds(lateness.quantile(Self.quantile) + 1)
    }

    /// The delay the stream needs for itself: lateness and decoding.
    public var ownDelay: TimeDelta {
        min(configuration.maximumDelay, max(jitterDelay, repairDelay) + decodeAllowance)
    }

    /// The delay aimed for: ``ownDelay``, or ``minimumDelay`` where that is longer.
    public var targetDelay: TimeDelta { max(ownDelay, minimumDelay) }

    /// Sets the least delay, for sync with audio or for a repair scheme; clamped to 0 and the maximum. Before the
    /// first frame it applies at once, afterwards the delay moves there at the configured speed.
    public mutating func setMinimumDelay(_ delay: TimeDelta) {
        minimumDelay = max(.zero, min(configuration.maximumDelay, delay))
    }

    /// Sets what frames should wait for repair beyond the fastest arrival: a delay that is there before late repairs come,
    /// and not after. It is part of ``ownDelay``.
    public mutating func setRepairDelay(_ delay: TimeDelta) {
        repairDelay = max(.zero, min(configuration.maximumDelay, delay))
    }

    /// Notes how long a frame took to decode.
    public mutating func decoded(took: TimeDelta) {
        decoding.add(Int(max(0, min(128, took.nanoseconds / 1_000_000))))
    }

    /// Takes in a complete frame and answers when to render it: never before a frame inserted earlier, never more
    /// than the maximum delay after its arrival.
    ///
    /// - Parameters:
    ///   - timestamp: its RTP timestamp, extended; 90 kHz.
    ///   - size: its length in bytes.
    ///   - arrival: when its last packet came.
    public mutating func insert(timestamp: Int64, size: Int, arrival: Instant) -> Instant {
        let media = Self.nanoseconds(timestamp)
        // Bounded, so that no difference below can overflow: 73 years from the origin of the clock.
        let arrival = Instant(nanoseconds: max(-(1 << 61), min(1 << 61, arrival.nanoseconds)))
        let offset = arrival.nanoseconds - media
        if let base = baseline.value, offset < base - Self.longestLead.nanoseconds {
            // Earlier than any path allows: the timestamps have jumped.
            baseline.reset()
            lastRender = nil
        }
        let before = baseline.value
        baseline.update(offset: offset, at: arrival.nanoseconds)
        let base = baseline.value ?? offset
        if let before, base - before > Self.pathChange.nanoseconds {
            // The path became longer: what looked late was the new normal.
            lateness.shiftDown(by: Int(min(1000, (base - before) / 1_000_000)))
        }
        let late = TimeDelta(nanoseconds: max(0, offset - base))
        let isOutsized = meanSize > 0 && Double(size) > 2.5 * meanSize
        let bounded = Double(max(0, min(size, 1 << 24)))
        meanSize = meanSize == 0 ? bounded : meanSize + (bounded - meanSize) / 32
        let isOfGroup = lastArrival.map { arrival - $0 < Self.groupLength } ?? false
        if !isOutsized, !isOfGroup, late < Self.longestLateness {
            lateness.add(Int(late.nanoseconds / 1_000_000))
        }
        move(at: arrival)
        var render = Instant(nanoseconds: base) + TimeDelta(nanoseconds: media) + currentDelay
        render = max(render, arrival)
        render = min(render, arrival + configuration.maximumDelay)
        if let lastRender { render = max(render, min(lastRender, arrival + configuration.maximumDelay)) }
        lastRender = max(lastRender ?? render, render)
        return render
    }

    private mutating func move(at arrival: Instant) {
        let target = targetDelay
        guard let last = lastArrival else {
            currentDelay = max(configuration.startDelay + decodeAllowance, minimumDelay)
            firstArrival = arrival
            lastArrival = arrival
            return
        }
        let passed = max(.zero, min(.seconds(1), arrival - last))
        lastArrival = max(last, arrival)
        if minimumDelay > currentDelay, let firstArrival, arrival - firstArrival < Self.opening {
            currentDelay = minimumDelay
        } else if target > currentDelay {
            currentDelay = min(target, currentDelay + passed * configuration.rise)
        } else {
            currentDelay = max(target, currentDelay - passed * configuration.fall)
        }
    }

    private static func nanoseconds(_ timestamp: Int64) -> Int64 {
        // 2^46 ticks are 24,000 years; beyond, the value came from no clock and must only not overflow.
        let ticks = max(-(1 << 46), min(1 << 46, timestamp))
        return ticks * 100_000 / 9
    }
}

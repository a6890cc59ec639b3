public import PetrelCore

/// Maps the capture clock of a remote (the NTP times of abs-capture-time or of its sender reports) to the local
/// clock: one mapping for all streams of that remote, which is what makes their sync exact.
///
/// Two clocks cannot be compared without knowing how long a packet travels. The mapping takes the fastest packet of
/// the last seconds as the measure and assumes that it travelled for ``minimumTransit`` (zero until told, half the
/// round-trip time where known). An error of that assumption shifts all streams alike and leaves sync untouched.
/// Drift of the clocks is followed smoothly, without steps.
public struct CaptureClockMapping: Sendable {
    /// The window of the fastest arrival: 10 s.
    public static let window: TimeDelta = .seconds(10)
    /// How fast the mapping moves when it has settled, as a share of time: five times the drift of clocks at
    /// +-200 ppm.
    public static let slew = 0.001
    /// How long the mapping takes every better measurement at once: 1 s.
    public static let settling: TimeDelta = .seconds(1)
    /// Beyond it the remote's clock was set: 1 s. The mapping starts anew.
    public static let jump: TimeDelta = .seconds(1)

    /// What the fastest packet is assumed to travel.
    public private(set) var minimumTransit: TimeDelta = .zero

    private var origin: NTPTime?
    private var baseline = ArrivalBaseline(window: CaptureClockMapping.window.nanoseconds)
    /// Local time less remote time of the fastest arrival, in nanoseconds from `origin`, moved smoothly.
    private var offset: Int64?
    private var started: Instant?
    private var last: Instant?
    private var lateJumps = 0
    private var override: WallClock?

    public init() {}

    /// Whether the mapping can answer.
    public var isKnown: Bool { override != nil || offset != nil }

    /// Sets what the fastest packet travels: half the least round-trip time.
    public mutating func setMinimumTransit(_ transit: TimeDelta) { minimumTransit = max(.zero, transit) }

    /// Uses a known clock instead of measuring: where both ends run on one machine, or share a disciplined clock.
    public mutating func setClock(_ clock: WallClock?) { override = clock }

    /// Takes in one packet or frame: when it was captured by the remote clock, and when it came.
    ///
    /// Leave out what was retransmitted or recovered, or do not: only the fastest counts.
    public mutating func update(captureTime: NTPTime, arrival: Instant) {
        let origin = self.origin ?? captureTime
        self.origin = origin
        // Bounded, so that no difference below can overflow: 73 years from the origin of the clock.
        let arrival = Instant(nanoseconds: max(-(1 << 61), min(1 << 61, arrival.nanoseconds)))
        let sample = arrival.nanoseconds - captureTime.since(origin).nanoseconds
        if let base = baseline.value {
            let difference = sample &- base
            if difference < -Self.jump.nanoseconds {
                restart()
            } else if difference > Self.jump.nanoseconds {
                // Late by so much: an outage, or the clock was set back. Many in a row are a clock.
                lateJumps += 1
                if lateJumps < 50 { return }
                restart()
            } else {
                lateJumps = 0
            }
        }
        baseline.update(offset: sample, at: arrival.nanoseconds)
        guard let base = baseline.value else { return }
        guard let current = offset, let started, let last else {
            offset = base
            started = arrival
            last = arrival
            return
        }
        let passed = max(.zero, arrival - last)
        self.last = max(last, arrival)
        if arrival - started < Self.settling, base < current {
            offset = base
        } else {
            let step = max(1, (min(passed, .seconds(10)) * Self.slew).nanoseconds)
            offset = base < current ? max(base, current - step) : min(base, current + step)
        }
    }

    /// The local time at which the remote clock showed `time`; nil before anything was measured.
    public func instant(of time: NTPTime) -> Instant? {
        if let override { return override.instant(of: time) }
        guard let offset, let origin else { return nil }
        return Instant(nanoseconds: offset) + time.since(origin) - minimumTransit
    }

    private mutating func restart() {
        baseline.reset()
        offset = nil
        started = nil
        last = nil
        lateJumps = 0
    }
}

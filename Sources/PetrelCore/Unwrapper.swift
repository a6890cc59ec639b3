/// Extends a 16-bit RTP sequence number to 64 bits that never wrap: each value is taken as the one nearest to
/// the highest seen so far (the half-window rule of RFC 3711 section 3.3.1).
public struct SequenceUnwrapper: Hashable, Sendable {
    private var highest: Int64?

    public init() {}

    /// The extended number without keeping it: for packets that are not authenticated yet.
    public func peek(_ value: UInt16) -> Int64 {
        guard let highest else { return Int64(value) }
        return highest &+ Int64(Int16(truncatingIfNeeded: Int64(value) &- highest))
    }

    /// The extended number; the first value keeps its own.
    public mutating func unwrap(_ value: UInt16) -> Int64 {
        let extended = peek(value)
        highest = max(highest ?? extended, extended)
        return extended
    }
}

/// Extends a 32-bit RTP timestamp to 64 bits that never wrap, each value taken as the one nearest to the last.
public struct TimestampUnwrapper: Hashable, Sendable {
    private var last: Int64?

    public init() {}

    /// The extended value, without remembering it.
    public func peek(_ value: UInt32) -> Int64 {
        guard let last else { return Int64(value) }
        return last &+ Int64(Int32(truncatingIfNeeded: Int64(value) &- last))
    }

    /// The extended value, remembered as the latest.
    public mutating func unwrap(_ value: UInt32) -> Int64 {
        let extended = peek(value)
        last = extended
        return extended
    }
}

/// Media time: a count of ticks and the clock that ticks (90,000 Hz for video, 48,000 Hz for Opus).
public struct MediaTime: Hashable, Sendable {
    /// The time in ticks, and how many of them make a second.
    public let ticks: Int64
    public let clockRate: Int32

    public init(ticks: Int64, clockRate: Int32) {
        self.ticks = ticks
        self.clockRate = max(1, clockRate)
    }

    /// The time from tick zero.
    public var delta: TimeDelta {
        let (seconds, rest) = ticks.quotientAndRemainderFloored(by: Int64(clockRate))
        return TimeDelta(
            nanoseconds: saturatingSum(
                saturatingProduct(seconds, 1_000_000_000), rest * 1_000_000_000 / Int64(clockRate)))
    }

    /// The tick count nearest to `delta` after tick zero.
    public init(delta: TimeDelta, clockRate: Int32) {
        let (seconds, rest) = delta.nanoseconds.quotientAndRemainderFloored(by: 1_000_000_000)
        let ticks = saturatingSum(
            saturatingProduct(seconds, Int64(clockRate)), (rest * Int64(clockRate) + 500_000_000) / 1_000_000_000)
        self.init(ticks: ticks, clockRate: clockRate)
    }
}

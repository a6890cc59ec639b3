public import PetrelCore

/// The time of sending as 24 bits of 6.18 fixed-point seconds; it wraps every 64 s, so only differences mean anything.
public struct AbsSendTime: Hashable, Sendable {
    /// The 24 bits.
    public let bits: UInt32

    /// A time from its bits; those above 24 are ignored.
    public init(bits: UInt32) { self.bits = bits & 0xFF_FFFF }

    /// The time a monotonic clock shows. Receivers look at differences only, so any clock serves.
    public init(_ instant: Instant) {
        // The remainder is below 64 * 10^9 < 2^36, so the shift by 18 stays below 2^54.
        let period: Int64 = 64_000_000_000
        let rest = instant.nanoseconds % period
        let inPeriod = rest < 0 ? rest + period : rest
        self.init(bits: UInt32(truncatingIfNeeded: (inPeriod << 18) / 1_000_000_000))
    }

    /// The time from `other` to this one, right while they lie within 32 s.
    public func since(_ other: AbsSendTime) -> TimeDelta {
        // Into the upper 24 bits and back, so that the sign is that of the shortest way round.
        let difference = Int32(bitPattern: (bits &- other.bits) << 8) >> 8
        return TimeDelta(nanoseconds: (Int64(difference) * 1_000_000_000) >> 18)
    }
}

/// The wall-clock time at which the first byte of a frame was captured, and how far the sender's clock lay from the
/// capturer's.
public struct AbsCaptureTime: Hashable, Sendable {
    /// The capturing system's wall clock.
    public var captureTime: NTPTime
    /// What is added to the sender's clock to get the capturer's, in signed 32.32 fixed-point seconds; nil where the
    /// short form was used.
    public var clockOffset: Int64?

    public init(captureTime: NTPTime, clockOffset: Int64? = nil) {
        self.captureTime = captureTime
        self.clockOffset = clockOffset
    }
}

/// The loudness of the audio in a packet (RFC 6464 section 3).
public struct AudioLevel: Hashable, Sendable {
    /// 0 is the loudest, 127 silence, in -dBov.
    public var level: UInt8
    /// Whether the sender thinks it is speech; meaningful only where negotiated with `vad=on`.
    public var isVoice: Bool

    /// A level; values above 127 become 127.
    public init(level: UInt8, isVoice: Bool) {
        self.level = min(level, 127)
        self.isVoice = isVoice
    }
}

/// A wall-clock time as RTCP and abs-capture-time carry it: seconds since 1900-01-01 in 32.32 fixed point
/// (RFC 3550 section 4).
public struct NTPTime: Hashable, Sendable {
    /// The 64 bits: seconds in the upper half, fraction in the lower.
    public let bits: UInt64

    @inlinable
    public init(bits: UInt64) { self.bits = bits }

    /// The time a Unix clock shows, from nanoseconds since 1970. The era wraps in 2036, as the format does.
    public init(unixNanoseconds: Int64) {
        let (seconds, rest) = unixNanoseconds.quotientAndRemainderFloored(by: 1_000_000_000)
        let wholeSeconds = UInt64(truncatingIfNeeded: seconds &+ Self.unixEpochOffset)
        let fraction = (UInt64(rest) << 32) / 1_000_000_000
        bits = (wholeSeconds << 32) | fraction
    }

    /// Seconds from 1900-01-01 to 1970-01-01.
    static let unixEpochOffset: Int64 = 2_208_988_800

    /// The middle 32 bits, as LSR carries them (RFC 3550 section 6.4.1): units of 1/65536 s.
    @inlinable
    public var compact: UInt32 { UInt32(truncatingIfNeeded: bits >> 16) }

    /// The time `delta` later; wraps as the era does.
    public func advanced(by delta: TimeDelta) -> NTPTime {
        NTPTime(bits: bits &+ UInt64(bitPattern: Self.fixedPoint(delta)))
    }

    /// The signed time from `other` to this one, right across a wrap of the era while they lie within 68 years.
    public func since(_ other: NTPTime) -> TimeDelta {
        Self.delta(fixedPoint: Int64(bitPattern: bits &- other.bits))
    }

    /// A length of time as signed 32.32 fixed point.
    public static func fixedPoint(_ delta: TimeDelta) -> Int64 {
        let (seconds, rest) = delta.nanoseconds.quotientAndRemainderFloored(by: 1_000_000_000)
        return Int64(truncatingIfNeeded: UInt64(bitPattern: seconds) << 32 | (UInt64(rest) << 32) / 1_000_000_000)
    }

    /// The length of time that signed 32.32 fixed point means.
    public static func delta(fixedPoint: Int64) -> TimeDelta {
        let seconds = fixedPoint >> 32
        let fraction = UInt64(fixedPoint & 0xFFFF_FFFF)
        return TimeDelta(nanoseconds: seconds &* 1_000_000_000 &+ Int64((fraction &* 1_000_000_000) >> 32))
    }
}

/// How the caller's monotonic clock maps to wall-clock time, taken once: a wall clock that is set later moves
/// nothing in a call.
public struct WallClock: Hashable, Sendable {
    /// The wall-clock time at ``Instant/zero``.
    public let atOrigin: NTPTime

    public init(atOrigin: NTPTime) { self.atOrigin = atOrigin }

    /// A mapping by one reading of both clocks.
    public init(unixNanoseconds: Int64, at instant: Instant) {
        atOrigin = NTPTime(unixNanoseconds: unixNanoseconds).advanced(by: Instant.zero - instant)
    }

    /// The wall-clock time at `instant`.
    public func ntp(at instant: Instant) -> NTPTime { atOrigin.advanced(by: instant - .zero) }

    /// The instant at which this clock shows `time`.
    public func instant(of time: NTPTime) -> Instant { .zero + time.since(atOrigin) }
}

extension Int64 {
    /// Division that rounds towards minus infinity, with a remainder that is never negative.
    func quotientAndRemainderFloored(by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}

extension NTPTime {
    /// Nanoseconds since 1970, for times from 1968 to 2104 (RFC 4330 section 3: eras are told apart by the top bit).
    public var unixNanoseconds: Int64 {
        let seconds = Int64(bits >> 32)
        let era: Int64 = seconds & 0x8000_0000 == 0 ? 1 << 32 : 0
        let fraction = Int64(((bits & 0xFFFF_FFFF) &* 1_000_000_000) >> 32)
        return (seconds + era - Self.unixEpochOffset) * 1_000_000_000 + fraction
    }
}

extension WallClock {
    /// Nanoseconds since 1970 at `instant`.
    public func unixNanoseconds(at instant: Instant) -> Int64 { ntp(at: instant).unixNanoseconds }
}

internal import PetrelCore

/// Ticks of the 48 kHz clock that Opus and its RTP timestamps use (RFC 7587 section 4.1): the audio receiver
/// counts everything in them, sample for sample.
enum AudioTicks {
    /// Samples per channel in one pull: 10 ms.
    static let block = 480
    /// Ticks per millisecond.
    static let perMillisecond: Int64 = 48
    /// The step in which Opus conceals: 2.5 ms.
    static let concealmentStep = 120
    /// The longest Opus packet: 120 ms (RFC 6716 section 3.2.5).
    static let longestPacket = 5760

    static func of(_ instant: Instant) -> Int64 { of(instant - Instant.zero) }

    static func of(_ delta: TimeDelta) -> Int64 {
        // 48,000 / 1,000,000,000 = 3 / 62,500; divided first, so that no length overflows.
        let (whole, rest) = delta.nanoseconds.quotientAndRemainder(dividingBy: 62_500)
        return whole * 3 + rest * 3 / 62_500
    }

    static func delta(_ ticks: Int64) -> TimeDelta {
        let (whole, rest) = ticks.quotientAndRemainder(dividingBy: 3)
        return .microseconds(0) + TimeDelta(nanoseconds: 62_500) * Int(clamping: whole)
            + TimeDelta(nanoseconds: rest * 62_500 / 3)
    }
}

/// A point on the monotonic clock that the caller owns: nanoseconds since an origin of the caller's choice.
///
/// Petrel never reads a clock below its I/O rooms; it is told the time by an argument of this type. Arithmetic
/// saturates, so that no time that arrives from outside can trap.
public struct Instant: Comparable, Hashable, Sendable {
    /// Nanoseconds since the origin.
    public let nanoseconds: Int64

    /// Creates the instant that lies `nanoseconds` after the origin.
    @inlinable
    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// The origin of the clock.
    public static let zero = Instant(nanoseconds: 0)
    /// Later than every other instant: the deadline of something that waits for nothing.
    public static let distantFuture = Instant(nanoseconds: .max)
    /// Earlier than every other instant.
    public static let distantPast = Instant(nanoseconds: .min)

    /// Milliseconds since the origin, with fractions.
    @inlinable
    public var milliseconds: Double { Double(nanoseconds) / 1e6 }

    @inlinable
    public static func < (left: Instant, right: Instant) -> Bool { left.nanoseconds < right.nanoseconds }

    /// The instant `delta` later; saturates at ``distantFuture`` and ``distantPast``.
    @inlinable
    public static func + (instant: Instant, delta: TimeDelta) -> Instant {
        Instant(nanoseconds: saturatingSum(instant.nanoseconds, delta.nanoseconds))
    }

    /// The instant `delta` earlier; saturates.
    @inlinable
    public static func - (instant: Instant, delta: TimeDelta) -> Instant {
        Instant(nanoseconds: saturatingDifference(instant.nanoseconds, delta.nanoseconds))
    }

    /// The time from `right` to `left`; saturates.
    @inlinable
    public static func - (left: Instant, right: Instant) -> TimeDelta {
        TimeDelta(nanoseconds: saturatingDifference(left.nanoseconds, right.nanoseconds))
    }

    @inlinable
    public static func += (instant: inout Instant, delta: TimeDelta) { instant = instant + delta }
}

extension Instant: CustomStringConvertible {
    public var description: String { "\(milliseconds) ms" }
}

@inlinable
func saturatingSum(_ left: Int64, _ right: Int64) -> Int64 {
    let (sum, overflow) = left.addingReportingOverflow(right)
    return overflow ? (right < 0 ? .min : .max) : sum
}

@inlinable
func saturatingDifference(_ left: Int64, _ right: Int64) -> Int64 {
    let (difference, overflow) = left.subtractingReportingOverflow(right)
    return overflow ? (right < 0 ? .max : .min) : difference
}

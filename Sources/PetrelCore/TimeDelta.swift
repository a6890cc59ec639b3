/// A length of time in nanoseconds, negative where something lies in the past. Arithmetic saturates.
public struct TimeDelta: Comparable, Hashable, Sendable {
    /// The length in nanoseconds.
    public let nanoseconds: Int64

    @inlinable
    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// No time at all.
    public static let zero = TimeDelta(nanoseconds: 0)
    /// Longer than every other length.
    public static let infinite = TimeDelta(nanoseconds: .max)

    /// Whole seconds.
    @inlinable
    public static func seconds(_ value: Int) -> TimeDelta {
        TimeDelta(nanoseconds: saturatingProduct(Int64(value), 1_000_000_000))
    }
    /// Whole milliseconds.
    @inlinable
    public static func milliseconds(_ value: Int) -> TimeDelta {
        TimeDelta(nanoseconds: saturatingProduct(Int64(value), 1_000_000))
    }
    /// Whole microseconds.
    @inlinable
    public static func microseconds(_ value: Int) -> TimeDelta {
        TimeDelta(nanoseconds: saturatingProduct(Int64(value), 1_000))
    }

    /// A length given in seconds with fractions; not-a-number becomes zero, what does not fit saturates.
    @inlinable
    public static func seconds(_ value: Double) -> TimeDelta { TimeDelta(nanoseconds: clampedInt64(value * 1e9)) }
    /// A length given in milliseconds with fractions; not-a-number becomes zero, what does not fit saturates.
    @inlinable
    public static func milliseconds(_ value: Double) -> TimeDelta { TimeDelta(nanoseconds: clampedInt64(value * 1e6)) }

    /// The length in seconds.
    @inlinable
    public var seconds: Double { Double(nanoseconds) / 1e9 }
    /// The length in milliseconds.
    @inlinable
    public var milliseconds: Double { Double(nanoseconds) / 1e6 }

    @inlinable
    public static func < (left: TimeDelta, right: TimeDelta) -> Bool { left.nanoseconds < right.nanoseconds }
    @inlinable
    public static func + (left: TimeDelta, right: TimeDelta) -> TimeDelta {
        TimeDelta(nanoseconds: saturatingSum(left.nanoseconds, right.nanoseconds))
    }
    @inlinable
    public static func - (left: TimeDelta, right: TimeDelta) -> TimeDelta {
        TimeDelta(nanoseconds: saturatingDifference(left.nanoseconds, right.nanoseconds))
    }
    @inlinable
    public static func * (delta: TimeDelta, factor: Int) -> TimeDelta {
        TimeDelta(nanoseconds: saturatingProduct(delta.nanoseconds, Int64(factor)))
    }
    @inlinable
    public static func * (delta: TimeDelta, factor: Double) -> TimeDelta {
        TimeDelta(nanoseconds: clampedInt64(Double(delta.nanoseconds) * factor))
    }
    /// Division that answers zero for a divisor of zero.
    @inlinable
    public static func / (delta: TimeDelta, divisor: Int) -> TimeDelta {
        divisor == 0
            ? .zero
            : TimeDelta(nanoseconds: delta.nanoseconds.dividedReportingOverflow(by: Int64(divisor)).partialValue)
    }
    @inlinable
    public static prefix func - (delta: TimeDelta) -> TimeDelta { .zero - delta }
    @inlinable
    public static func += (left: inout TimeDelta, right: TimeDelta) { left = left + right }
    @inlinable
    public static func -= (left: inout TimeDelta, right: TimeDelta) { left = left - right }
    /// The length without its sign.
    @inlinable
    public var magnitude: TimeDelta { nanoseconds < 0 ? -self : self }
}

extension TimeDelta: CustomStringConvertible {
    public var description: String { "\(milliseconds) ms" }
}

@inlinable
func saturatingProduct(_ left: Int64, _ right: Int64) -> Int64 {
    let (product, overflow) = left.multipliedReportingOverflow(by: right)
    return overflow ? ((left < 0) == (right < 0) ? .max : .min) : product
}

/// The nearest `Int64`; zero for not-a-number.
@inlinable
func clampedInt64(_ value: Double) -> Int64 {
    if value.isNaN { return 0 }
    // 2^63 is exact as a Double; everything at or beyond it would trap in Int64(_:).
    if value >= 0x1p63 { return .max }
    if value <= -0x1p63 { return .min }
    return Int64(value)
}

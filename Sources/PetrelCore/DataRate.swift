/// A rate of data in bits per second, never negative.
public struct DataRate: Comparable, Hashable, Sendable {
    /// The rate in bits per second.
    public let bitsPerSecond: Int64

    /// Creates a rate; a negative number becomes zero.
    @inlinable
    public init(bitsPerSecond: Int64) { self.bitsPerSecond = max(0, bitsPerSecond) }

    /// No bits at all.
    public static let zero = DataRate(bitsPerSecond: 0)
    /// A rate in thousands of bits per second.
    @inlinable
    public static func kilobitsPerSecond(_ value: Int) -> DataRate {
        DataRate(bitsPerSecond: saturatingProduct(Int64(value), 1000))
    }

    /// The rate that carries `bytes` in `time`; zero where no time passed.
    public init(bytes: Int, over time: TimeDelta) {
        let seconds = time.seconds
        self.init(bitsPerSecond: seconds > 0 ? clampedInt64(Double(bytes) * 8 / seconds) : 0)
    }

    /// The rate in thousands of bits per second.
    @inlinable
    public var kilobitsPerSecond: Double { Double(bitsPerSecond) / 1000 }

    /// The time that `bytes` take at this rate; infinite at a rate of zero.
    public func time(forBytes bytes: Int) -> TimeDelta {
        bitsPerSecond == 0 ? .infinite : .seconds(Double(bytes) * 8 / Double(bitsPerSecond))
    }

    /// The bytes that pass in `time` at this rate.
    public func bytes(in time: TimeDelta) -> Int {
        Int(clampedInt64(Double(bitsPerSecond) * max(0, time.seconds) / 8))
    }

    @inlinable
    public static func < (left: DataRate, right: DataRate) -> Bool { left.bitsPerSecond < right.bitsPerSecond }
    @inlinable
    public static func + (left: DataRate, right: DataRate) -> DataRate {
        DataRate(bitsPerSecond: saturatingSum(left.bitsPerSecond, right.bitsPerSecond))
    }
    /// The difference, zero where `right` is larger.
    @inlinable
    public static func - (left: DataRate, right: DataRate) -> DataRate {
        DataRate(bitsPerSecond: saturatingDifference(left.bitsPerSecond, right.bitsPerSecond))
    }
    @inlinable
    public static func * (rate: DataRate, factor: Double) -> DataRate {
        DataRate(bitsPerSecond: clampedInt64(Double(rate.bitsPerSecond) * factor))
    }
}

extension DataRate: CustomStringConvertible {
    public var description: String { "\(kilobitsPerSecond) kbit/s" }
}

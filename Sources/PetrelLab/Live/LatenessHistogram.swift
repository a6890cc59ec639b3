public import PetrelCore

/// How late something happened, in steps of at most a sixteenth of the value, without keeping the values.
public struct LatenessHistogram: Sendable {
    // 16 steps for each power of two, in microseconds: up to 2^29 us, nine minutes.
    private var counts = [UInt64](repeating: 0, count: 16 * 26)
    /// The number of values.
    public private(set) var count: UInt64 = 0
    /// The greatest value.
    public private(set) var maximum = TimeDelta.zero

    public init() {}

    /// Records a value; a negative one counts as zero.
    mutating func record(_ lateness: TimeDelta) {
        count &+= 1
        maximum = max(maximum, lateness)
        counts[Self.bucket(max(0, lateness.nanoseconds / 1000))] &+= 1
    }

    /// The value below which the share `fraction` (0 to 1) of all values lies; nil before the first.
    public func percentile(_ fraction: Double) -> TimeDelta? {
        guard count > 0 else { return nil }
        let rank = min(max(fraction, 0), 1) * Double(count)
        var sum: UInt64 = 0
        for (index, value) in counts.enumerated() where value > 0 {
            sum += value
            if Double(sum) >= rank { return min(maximum, .microseconds(Int(Self.upperBound(index)))) }
        }
        return maximum
    }

    /// Values below 16 have a bucket each; after that a bucket is chosen by the upper five bits.
    private static func bucket(_ microseconds: Int64) -> Int {
        if microseconds < 16 { return Int(microseconds) }
        let shift = 59 - microseconds.leadingZeroBitCount
        return min(16 * 26 - 1, 16 * (shift + 1) + Int((microseconds >> Int64(shift)) & 15))
    }

    /// The first value beyond a bucket, in microseconds.
    private static func upperBound(_ bucket: Int) -> Int64 {
        if bucket < 16 { return Int64(bucket) + 1 }
        return (Int64(bucket % 16) + 17) << Int64(bucket / 16 - 1)
    }
}

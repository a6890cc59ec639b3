/// A handful of measured values and their percentiles.
public struct Percentiles: Sendable {
    /// The values, smallest first.
    public let sorted: [Double]

    /// Takes the values; those that are no numbers are left out.
    public init(_ values: [Double]) { sorted = values.filter(\.isFinite).sorted() }

    /// The value below which `percent` of the values lie, interpolated between the two nearest ranks (as numpy's
    /// default does); nil where there are no values.
    public func callAsFunction(_ percent: Double) -> Double? {
        guard let first = sorted.first, let last = sorted.last else { return nil }
        let position = min(max(percent, 0), 100) / 100 * Double(sorted.count - 1)
        let below = Int(position)
        guard below + 1 < sorted.count else { return last }
        guard below >= 0 else { return first }
        return sorted[below] + (sorted[below + 1] - sorted[below]) * (position - Double(below))
    }

    /// P50, P95 and P99.
    public var latency: CallReport.Latency { CallReport.Latency(p50: self(50), p95: self(95), p99: self(99)) }
}

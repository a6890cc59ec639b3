/// The words of the text language: see ``LinkDescription``.
enum LinkKey: String, CaseIterable {
    // The order is that of the canonical text.
    case delay, jitter, reorder, loss, ge, burst, burstms, rate, queue, dup, mtu, outage

    /// What the value means and may be, for error messages.
    var allowed: String {
        switch self {
        case .delay: "delay is the one-way delay in milliseconds, 0 to 60000"
        case .jitter: "jitter is the standard deviation of the delay in milliseconds, 0 to 60000"
        case .reorder: "reorder is 0 (jitter keeps the order) or 1 (jitter may change it)"
        case .loss: "loss is the random loss in percent, 0 to 100"
        case .ge: "ge is the loss in bursts in percent, 0 to 99"
        case .burst: "burst is the mean burst in packets, 1 to 100000, and at least ge / (100 - ge)"
        case .burstms: "burstms is the mean burst in milliseconds, 0.001 to 600000"
        case .rate: "rate is the capacity in kbit/s, 1 to 100000000, or 0 for unlimited"
        case .queue: "queue is the length of the drop-tail queue in milliseconds, 0 to 60000"
        case .dup: "dup is the duplication in percent, 0 to 100"
        case .mtu: "mtu is the largest datagram in bytes, 64 to 65535, or 0 for no limit"
        case .outage: "outage is START+DURATION in seconds, both at most 1000000, such as outage=5+2.5"
        }
    }

    /// The least and greatest value in millionths of the unit.
    var range: ClosedRange<Int64> {
        let unit: Int64 = 1_000_000
        return switch self {
        case .delay, .jitter, .queue: 0...(60_000 * unit)
        case .reorder: 0...unit
        case .loss, .dup: 0...(100 * unit)
        case .ge: 0...(99 * unit)
        case .burst: unit...(100_000 * unit)
        case .burstms: 1_000...(600_000 * unit)
        case .rate: unit...(100_000_000 * unit)
        case .mtu: (64 * unit)...(65_535 * unit)
        case .outage: 0...(1_000_000 * unit)
        }
    }

    /// Whether zero is allowed although the range begins above it: it switches the limit off.
    var zeroMeansNone: Bool { self == .rate || self == .mtu }

    /// Whether only whole numbers are allowed.
    var isWhole: Bool { self == .reorder || self == .mtu }

    func allows(_ value: Int64) -> Bool {
        if isWhole && value % 1_000_000 != 0 { return false }
        return range.contains(value) || (value == 0 && zeroMeansNone)
    }

    func clamp(_ value: Int64) -> Int64 {
        value == 0 && zeroMeansNone ? 0 : min(max(value, range.lowerBound), range.upperBound)
    }

    /// All words, for error messages.
    static let list = allCases.map(\.rawValue).joined(separator: ", ")
}

public import PetrelCore

/// A recorded capacity that a link follows: the cell traces of emulators such as Mahimahi, as changes of the rate.
///
/// The text has one whole number per line: the milliseconds after the start at which the network could carry one
/// packet of 1500 bytes. Lines may repeat. Empty lines and lines that begin with `#` are skipped.
public struct CapacityTrace: Hashable, Sendable {
    /// What one line stands for, in bytes: a full Ethernet payload.
    public static let bytesPerOpportunity = 1500
    /// The most lines. Two hours at 10 Mbit/s; it bounds the memory that a file can take.
    public static let maximumOpportunities = 6_000_000

    /// The times of the opportunities in milliseconds, in order.
    public let opportunities: [Int32]

    /// Reads a trace. Nil for a text with anything but numbers in order, or without any.
    public init?(parsing text: String) {
        var times: [Int32] = []
        for line in text.split(whereSeparator: \.isNewline) {
            let word = line.drop { $0 == " " || $0 == "\t" }
            if word.isEmpty || word.hasPrefix("#") { continue }
            let digits = word.prefix { $0 != " " && $0 != "\t" }
            guard let time = Int32(digits), time >= times.last ?? 0, times.count < Self.maximumOpportunities else {
                return nil
            }
            times.append(time)
        }
        guard !times.isEmpty else { return nil }
        opportunities = times
    }

    /// The length of the trace: the time of its last opportunity.
    public var duration: TimeDelta { .milliseconds(Int(opportunities.last ?? 0)) }

    /// `link` with its rate replaced by that of the trace, averaged over windows; its scripted changes are dropped.
    /// After its end the trace begins anew, up to `length`.
    ///
    /// - Parameters:
    ///   - link: everything but the capacity.
    ///   - window: how long opportunities are counted for one rate.
    ///   - length: how long the changes go on.
    ///   - floor: the rate of windows without any opportunity: a rate of zero would mean no limit.
    public func applied(
        to link: LinkDescription, window: TimeDelta = .milliseconds(100), length: TimeDelta,
        floor: DataRate = .kilobitsPerSecond(8)
    ) -> LinkDescription {
        let windowLength = max(1, Int(window.milliseconds))
        let period = Int(opportunities.last ?? 0) / windowLength + 1
        let windows = max(1, min(Int(length.milliseconds) / windowLength, 1_000_000))
        // No more than is asked for: one line may name a time 24 days ahead.
        var counts = Array(repeating: 0, count: min(period, windows))
        for time in opportunities where Int(time) / windowLength < counts.count {
            counts[Int(time) / windowLength] += 1
        }
        var result = link
        result.changes = []
        for index in 0..<windows {
            var conditions = link.conditions
            let bytes = counts[index % period] * Self.bytesPerOpportunity
            conditions.rate = max(floor, DataRate(bytes: bytes, over: .milliseconds(windowLength)))
            if index == 0 {
                result.conditions = conditions
            } else {
                result.changes.append(.init(time: .milliseconds(index * windowLength), conditions: conditions))
            }
        }
        return result
    }
}

public import PetrelCore

/// The RTP timestamps of one stream on its sender's capture clock: from RTCP sender reports (RFC 3550 section 6.4.1)
/// or from the abs-capture-time header extension, whichever spoke last.
public struct RemoteMediaClock: Sendable {
    /// Ticks per second: 90,000 for video, 48,000 for Opus.
    public let clockRate: Int32
    private var anchor: (timestamp: Int64, time: NTPTime)?

    public init(clockRate: Int32) { self.clockRate = max(1, clockRate) }

    /// Whether a capture time can be told.
    public var isKnown: Bool { anchor != nil }

    /// Notes that `timestamp` was captured at `time`. Reports that come out of order are as good as any other.
    ///
    /// - Parameters:
    ///   - timestamp: the extended RTP timestamp, extended like those of the stream's packets.
    ///   - time: the sender's NTP time.
    public mutating func update(timestamp: Int64, time: NTPTime) { anchor = (timestamp, time) }

    /// When `timestamp` was captured, on the sender's clock; nil before the first update.
    public func captureTime(of timestamp: Int64) -> NTPTime? {
        guard let anchor else { return nil }
        let ticks = timestamp.subtractingReportingOverflow(anchor.timestamp).partialValue
        return anchor.time.advanced(by: MediaTime(ticks: ticks, clockRate: clockRate).delta)
    }

    /// Forgets: another source has the stream now.
    public mutating func reset() { anchor = nil }
}

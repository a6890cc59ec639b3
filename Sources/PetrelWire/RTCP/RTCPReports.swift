public import PetrelCore

/// What a receiver says about one source (RFC 3550 section 6.4.1).
public struct RTCPReportBlock: Hashable, Sendable {
    /// The bytes on the wire.
    public static let length = 24

    /// The source this is about.
    public var ssrc: UInt32
    /// The share of packets lost since the last report, in 1/256.
    public var fractionLost: UInt8
    /// The packets lost since the beginning: 24 bits, signed, negative where duplicates outweigh losses.
    public var cumulativeLost: Int32
    /// The highest sequence number received, its wraps in the upper half.
    public var extendedHighestSequenceNumber: UInt32
    /// Interarrival jitter in units of the RTP timestamp.
    public var jitter: UInt32
    /// The middle 32 bits of the NTP time of the last sender report; zero where none came.
    public var lastSenderReport: UInt32
    /// The time since that report came, in 1/65536 s.
    public var delaySinceLastSenderReport: UInt32

    /// The range of ``cumulativeLost``.
    public static let cumulativeLostRange: ClosedRange<Int32> = -0x80_0000...0x7F_FFFF

    /// A report block; `cumulativeLost` is clamped to its 24 bits, as RFC 3550 appendix A.3 does.
    public init(
        ssrc: UInt32, fractionLost: UInt8 = 0, cumulativeLost: Int32 = 0, extendedHighestSequenceNumber: UInt32 = 0,
        jitter: UInt32 = 0, lastSenderReport: UInt32 = 0, delaySinceLastSenderReport: UInt32 = 0
    ) {
        self.ssrc = ssrc
        self.fractionLost = fractionLost
        let range = Self.cumulativeLostRange
        self.cumulativeLost = min(max(cumulativeLost, range.lowerBound), range.upperBound)
        self.extendedHighestSequenceNumber = extendedHighestSequenceNumber
        self.jitter = jitter
        self.lastSenderReport = lastSenderReport
        self.delaySinceLastSenderReport = delaySinceLastSenderReport
    }

    /// The round-trip time that this block tells the sender of the report it refers to (RFC 3550 section 6.4.1).
    /// - Parameters:
    ///   - arrival: when the block came, on the clock that wrote the sender report.
    /// - Returns: nil where no sender report had come, and where the result is negative or above 64 s: no path is
    ///   that long, the values are wrong. Up to 3/65536 s below zero is zero: each of the three values is cut.
    public func roundTripTime(at arrival: NTPTime) -> TimeDelta? {
        guard lastSenderReport != 0 else { return nil }
        let units = Int64(Int32(bitPattern: arrival.compact &- lastSenderReport &- delaySinceLastSenderReport))
        guard units >= -3, units < 64 << 16 else { return nil }
        return TimeDelta(nanoseconds: (max(0, units) * 1_000_000_000) >> 16)
    }
}

/// SR (RFC 3550 section 6.4.1). Profile-specific extensions are ignored.
public struct RTCPSenderReport: Hashable, Sendable {
    /// Who sends the report.
    public var ssrc: UInt32
    /// The wall clock at sending.
    public var ntpTime: NTPTime
    /// The same moment on the clock of the RTP timestamps.
    public var rtpTimestamp: UInt32
    public var packetCount: UInt32
    /// Payload bytes sent, without headers and padding.
    public var octetCount: UInt32
    /// At most 31.
    public var reports: [RTCPReportBlock]

    public init(
        ssrc: UInt32, ntpTime: NTPTime, rtpTimestamp: UInt32, packetCount: UInt32, octetCount: UInt32,
        reports: [RTCPReportBlock] = []
    ) {
        self.ssrc = ssrc
        self.ntpTime = ntpTime
        self.rtpTimestamp = rtpTimestamp
        self.packetCount = packetCount
        self.octetCount = octetCount
        self.reports = reports
    }
}

/// RR (RFC 3550 section 6.4.2). Profile-specific extensions are ignored.
public struct RTCPReceiverReport: Hashable, Sendable {
    /// Who sends the report.
    public var ssrc: UInt32
    /// At most 31.
    public var reports: [RTCPReportBlock]

    public init(ssrc: UInt32, reports: [RTCPReportBlock] = []) {
        self.ssrc = ssrc
        self.reports = reports
    }
}

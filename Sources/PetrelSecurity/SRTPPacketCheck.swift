/// The lengths that must hold before libsrtp2 may look at a packet: it trusts the counts in the header.
enum SRTPPacketCheck {
    /// The shortest RTP header (RFC 3550 section 5.1).
    static let rtpHeader = 12
    /// The shortest RTCP packet: header and SSRC (RFC 3550 section 6.1).
    static let rtcpHeader = 8

    /// The length of the RTP header with its CSRC list and extension; nil where it is not RTP version 2 or does not fit
    /// into the packet.
    @inline(__always)
    static func rtpHeaderLength(_ packet: UnsafeRawBufferPointer, length: Int) -> Int? {
        guard length >= rtpHeader, length <= packet.count, packet[0] >> 6 == 2 else { return nil }
        var header = rtpHeader + 4 * Int(packet[0] & 0x0F)
        guard packet[0] & 0x10 != 0 else { return header <= length ? header : nil }
        guard header + 4 <= length else { return nil }
        header += 4 + 4 * (Int(packet[header + 2]) << 8 | Int(packet[header + 3]))
        return header <= length ? header : nil
    }

    /// Whether this is the start of RTCP version 2 that fits into the packet.
    @inline(__always)
    static func isRTCP(_ packet: UnsafeRawBufferPointer, length: Int) -> Bool {
        length >= rtcpHeader && length <= packet.count && packet[0] >> 6 == 2
    }
}

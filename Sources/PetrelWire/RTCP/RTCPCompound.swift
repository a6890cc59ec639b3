public import PetrelCore

/// A datagram of one or more RTCP packets (RFC 3550 section 6.1). Reduced-size compounds, which need not begin with a
/// report, are taken too (RFC 5506).
public enum RTCPCompound {
    /// The most packets in one compound. 1,500 bytes hold 375 packets of 4 bytes; real compounds hold fewer than 20.
    /// A larger number only costs memory for the result.
    public static let maximumPackets = 256

    /// Reads a compound. One malformed packet rejects all of it: a sender that writes one wrong packet is not to be
    /// believed in the others, and no state can be left half changed. Packets of unknown type or format are reported
    /// as ``RTCPPacket/unknown(packetType:format:)`` and are not malformed.
    /// - Throws: `truncated` (empty or a cut header), `badVersion`, `badLength` (a length beyond the datagram),
    ///   `rtcpMalformed`, `tooMany`.
    public static func parse(_ bytes: RawSpan) throws(DropReason) -> [RTCPPacket] {
        guard bytes.byteCount > 0 else { throw .truncated }
        var packets: [RTCPPacket] = []
        var budget = TransportFeedback.maximumStatuses
        var offset = 0
        while offset < bytes.byteCount {
            let rest = bytes.byteCount &- offset
            guard rest >= 4 else { throw .truncated }
            guard packets.count < maximumPackets else { throw .tooMany }
            let head = bytes.wire8(offset)
            guard head >> 6 == 2 else { throw .badVersion }
            let length = (Int(bytes.wire16(offset &+ 2)) &+ 1) &* 4
            guard length <= rest else { throw .badLength }
            var end = offset &+ length
            if head & 0x20 != 0 {
                let padding = Int(bytes.wire8(end &- 1))
                guard padding > 0, padding <= length &- 4 else { throw .rtcpMalformed }
                // Padding is for the last packet only, in multiples of four (RFC 3550 section 6.4.1). Browsers fill
                // up each transport-wide feedback with one to three bytes of it, wherever it stands, so that one is
                // let through.
                let isTransportFeedback =
                    bytes.wire8(offset &+ 1) == RTCPCode.transportLayerFeedback
                    && head & 0x1F == RTCPCode.formatTransportFeedback
                guard isTransportFeedback || (length == rest && padding & 3 == 0) else { throw .rtcpMalformed }
                end &-= padding
            }
            packets.append(
                try packet(
                    type: bytes.wire8(offset &+ 1), count: head & 0x1F,
                    body: bytes.extracting((offset &+ 4)..<end), budget: &budget))
            offset &+= length
        }
        return packets
    }

    private static func packet(
        type: UInt8, count: UInt8, body: RawSpan, budget: inout Int
    ) throws(DropReason) -> RTCPPacket {
        switch type {
        case RTCPCode.senderReport: return .senderReport(try RTCPSenderReport(body: body, count: Int(count)))
        case RTCPCode.receiverReport: return .receiverReport(try RTCPReceiverReport(body: body, count: Int(count)))
        case RTCPCode.sourceDescription:
            return .sourceDescription(try RTCPSourceDescription(body: body, count: Int(count)))
        case RTCPCode.bye: return .bye(try RTCPBye(body: body, count: Int(count)))
        case RTCPCode.application: return .application(try RTCPApplication(body: body, subtype: count))
        case RTCPCode.transportLayerFeedback:
            // Every feedback packet names two sources (RFC 4585 section 6.1).
            guard body.byteCount >= 8 else { throw .rtcpMalformed }
            switch count {
            case RTCPCode.formatNack: return .nack(try RTCPNack(body: body))
            case RTCPCode.formatTransportFeedback:
                return .transportFeedback(try TransportFeedback(body: body, budget: &budget))
            default: break
            }
        case RTCPCode.payloadSpecificFeedback:
            guard body.byteCount >= 8 else { throw .rtcpMalformed }
            switch count {
            case RTCPCode.formatPictureLoss: return .pictureLoss(try RTCPPictureLoss(body: body))
            case RTCPCode.formatFullIntraRequest: return .fullIntraRequest(try RTCPFullIntraRequest(body: body))
            case RTCPCode.formatApplicationLayer:
                guard body.byteCount >= 12, body.wire32(8) == RTCPReceiverEstimate.identifier else { break }
                return .receiverEstimate(try RTCPReceiverEstimate(body: body))
            default: break
            }
        case RTCPCode.extendedReport: try checkExtendedReport(body)
        default: break
        }
        return .unknown(packetType: type, format: count)
    }

    /// Walks the blocks of an extended report (RFC 3611 section 3), none of which is read.
    private static func checkExtendedReport(_ body: RawSpan) throws(DropReason) {
        guard body.byteCount >= 4 else { throw .rtcpMalformed }
        var offset = 4
        while offset < body.byteCount {
            guard offset &+ 4 <= body.byteCount else { throw .rtcpMalformed }
            offset &+= (Int(body.wire16(offset &+ 2)) &+ 1) &* 4
            guard offset <= body.byteCount else { throw .rtcpMalformed }
        }
    }
}

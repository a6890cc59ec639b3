/// One packet of an RTCP compound.
public enum RTCPPacket: Hashable, Sendable {
    /// SR, 200.
    case senderReport(RTCPSenderReport)
    /// RR, 201.
    case receiverReport(RTCPReceiverReport)
    /// SDES, 202.
    case sourceDescription(RTCPSourceDescription)
    /// BYE, 203.
    case bye(RTCPBye)
    /// APP, 204.
    case application(RTCPApplication)
    /// Generic NACK, 205 format 1.
    case nack(RTCPNack)
    /// Transport-wide feedback, 205 format 15.
    case transportFeedback(TransportFeedback)
    /// PLI, 206 format 1.
    case pictureLoss(RTCPPictureLoss)
    /// FIR, 206 format 4.
    case fullIntraRequest(RTCPFullIntraRequest)
    /// REMB, 206 format 15.
    case receiverEstimate(RTCPReceiverEstimate)
    /// Anything else, skipped. Extended reports (RFC 3611) are checked first: their blocks must fit.
    case unknown(packetType: UInt8, format: UInt8)
}

/// Packet types and feedback formats as IANA lists them.
enum RTCPCode {
    static let senderReport: UInt8 = 200
    static let receiverReport: UInt8 = 201
    static let sourceDescription: UInt8 = 202
    static let bye: UInt8 = 203
    static let application: UInt8 = 204
    static let transportLayerFeedback: UInt8 = 205
    static let payloadSpecificFeedback: UInt8 = 206
    static let extendedReport: UInt8 = 207

    static let formatNack: UInt8 = 1
    static let formatTransportFeedback: UInt8 = 15
    static let formatPictureLoss: UInt8 = 1
    static let formatFullIntraRequest: UInt8 = 4
    static let formatApplicationLayer: UInt8 = 15
}

/// One m= section of a session description (RFC 8866 section 5.14).
public struct MediaSection: Hashable, Sendable {
    /// What the section carries.
    public var kind: MediaKind
    /// Zero: rejected or stopped, unless ``isBundleOnly``; 9: no address yet.
    public var port: UInt16
    /// The number of ports after a slash, nil where there is none.
    public var portCount: UInt16?
    /// The transport protocol, such as `UDP/TLS/RTP/SAVPF`.
    public var transportProtocol: String
    /// The formats in order of preference: payload types in RTP sections.
    public var formats: [String]
    /// The c= line, as in the text.
    public var connection: String?
    public var bandwidths: [BandwidthLimit] = []
    public var transport = TransportDescription()
    public var direction: MediaDirection?
    /// The identification tag (RFC 5888).
    public var mid: String?
    public var isBundleOnly = false
    public var hasRTCPMux = false
    public var hasReducedSizeRTCP = false
    public var allowsMixedExtensions = false
    public var rtpMaps: [RTPMap] = []
    public var formatParameters: [FormatParameters] = []
    public var feedback: [FeedbackLine] = []
    public var extensions: [ExtensionMap] = []
    public var streams: [StreamIdentifier] = []
    public var sources: [SourceDescription] = []
    public var sourceGroups: [SourceGroup] = []
    /// ICE candidates, each as `candidate:...` without `a=`; checked for form only, see PetrelICE.
    public var candidates: [String] = []
    public var endOfCandidates = false
    /// Preferred and longest time of a packet in milliseconds.
    public var packetTime: UInt16?
    public var maximumPacketTime: UInt16?
    public var sctpPort: UInt16?
    /// Octets; zero: no limit; absent: 65536 (RFC 8841 section 6.1).
    public var maximumMessageSize: UInt64?
    /// Attributes that are not understood, without `a=`.
    public var otherAttributes: [String] = []

    public init(kind: MediaKind, port: UInt16, transportProtocol: String, formats: [String]) {
        (self.kind, self.port, self.transportProtocol, self.formats) = (kind, port, transportProtocol, formats)
    }

    /// Whether the formats are RTP payload types.
    public var isRTP: Bool { Self.isRTP(transportProtocol) }

    static func isRTP(_ transportProtocol: String) -> Bool {
        transportProtocol.utf8.split(separator: UInt8(ascii: "/")).contains { $0.elementsEqual("RTP".utf8) }
    }

    /// Whether the section is rejected: port zero without bundle-only (RFC 9143 section 6).
    public var isRejected: Bool { port == 0 && !isBundleOnly }

    /// The payload types of an RTP section in order of preference.
    public var payloadTypes: [UInt8] { isRTP ? formats.compactMap { UInt8($0) } : [] }

    /// The codec of a payload type.
    public func rtpMap(_ payloadType: UInt8) -> RTPMap? { rtpMaps.first { $0.payloadType == payloadType } }

    /// The parameters of a payload type.
    public func parameters(_ payloadType: UInt8) -> FormatParameters? {
        formatParameters.first { $0.payloadType == payloadType }
    }

    /// Whether this feedback is there for a payload type, by its own line or by one for all.
    public func hasFeedback(_ value: String, for payloadType: UInt8) -> Bool {
        feedback.contains { ($0.payloadType ?? payloadType) == payloadType && $0.value == value }
    }
}

public import PetrelCore

/// What an offer and its answer have agreed on: all that the layers below need to know.
public struct NegotiatedSession: Hashable, Sendable {
    /// One for each m= section, in order, the rejected ones included.
    public var sections: [NegotiatedSection] = []
    /// The transport all accepted sections share; nil where every section is rejected.
    public var transport: NegotiatedTransport?
    /// The header extensions of all accepted sections by identifier, for packets whose section is not yet known.
    public var extensions: [NegotiatedExtension] = []
    /// Whether one- and two-byte header extensions may be mixed (RFC 8285 section 6).
    public var allowsMixedExtensions = false

    public init() {}

    /// The sections in use.
    public var accepted: [NegotiatedSection] { sections.filter { !$0.isRejected } }

    /// The section of this name.
    public func section(mid: String) -> NegotiatedSection? { sections.first { $0.mid == mid } }
}

/// The one ICE and DTLS transport of the session (RFC 9143: everything is bundled).
public struct NegotiatedTransport: Hashable, Sendable {
    /// The credentials of both sides, and what the other side says of its agent (RFC 8839).
    public var localUfrag: String
    public var localPassword: String
    public var remoteUfrag: String
    public var remotePassword: String
    public var remoteIsICELite: Bool
    public var remoteICEOptions: [String]
    /// The other side's candidates so far, each as `candidate:...`.
    public var remoteCandidates: [String]
    /// Whether the other side has no more candidates.
    public var remoteEndOfCandidates: Bool
    /// Whether both credentials of the other side are new: a fresh ICE generation (RFC 8445 section 9). The old pair
    /// stays in use until the new one is valid.
    public var isICERestart: Bool
    /// The fingerprints that the other side's certificate must match one of, SHA-256 or better.
    public var remoteFingerprints: [Fingerprint]
    public var role: DTLSRole
    /// Whether DTLS must begin anew: the other side's fingerprints or tls-id changed (RFC 8842 section 4).
    public var isNewAssociation: Bool
    public var remoteTLSID: String?
}

/// An agreed header extension.
public struct NegotiatedExtension: Hashable, Sendable {
    /// The extension and its identifier in packets.
    public var kind: NegotiableExtension
    public var id: UInt8
    /// Whether we may send it and may receive it.
    public var sends: Bool
    public var receives: Bool
}

/// An agreed codec in one direction.
public struct NegotiatedCodec: Hashable, Sendable {
    /// The codec.
    public var codec: CodecName
    /// Sending: the other side's number; receiving: ours.
    public var payloadType: UInt8
    /// The payload type of retransmissions of this codec in the same direction; nil: none.
    public var rtxPayloadType: UInt8?
    /// The payload type of the repair code in the same direction (``RepairFormat``); nil: none.
    public var repairPayloadType: UInt8?
    /// The feedback both sides listed.
    public var feedback: FeedbackKinds
    /// What the receiver of this direction asks for.
    public var opus: OpusParameters?
    public var vp8: VP8Parameters?
}

/// The a=fmtp parameters of Opus (RFC 7587 section 6.1), with their defaults.
public struct OpusParameters: Hashable, Sendable {
    /// The receiver likes stereo.
    public var stereo = false
    /// The writer of the line is likely to send stereo.
    public var sendsStereo = false
    public var usesInbandFEC = false
    public var usesDTX = false
    public var constantBitrate = false
    /// Samples per second that the receiver can play.
    public var maximumPlaybackRate = 48_000
    /// Bits per second, 6000...510000; nil: no limit.
    public var maximumAverageBitrate: Int?
    /// Milliseconds.
    public var minimumPacketTime = 3

    public init() {}

    /// Reads them from a description; what is missing has its default.
    public init(_ parameters: FormatParameters?) {
        guard let parameters else { return }
        stereo = parameters.value("stereo") == "1"
        sendsStereo = parameters.value("sprop-stereo") == "1"
        usesInbandFEC = parameters.value("useinbandfec") == "1"
        usesDTX = parameters.value("usedtx") == "1"
        constantBitrate = parameters.value("cbr") == "1"
        if let rate = parameters.number("maxplaybackrate") { maximumPlaybackRate = min(48_000, max(8_000, rate)) }
        if let rate = parameters.number("maxaveragebitrate") { maximumAverageBitrate = min(510_000, max(6_000, rate)) }
        if let time = parameters.number("minptime") { minimumPacketTime = min(120, max(3, time)) }
    }
}

/// The a=fmtp parameters of VP8 (RFC 7741 section 6.1).
public struct VP8Parameters: Hashable, Sendable {
    /// Frames per second that the receiver can decode; nil: not said.
    public var maximumFrameRate: Int?
    /// Macroblocks of 16 x 16 pixels in a frame that the receiver can decode; nil: not said.
    public var maximumFrameSize: Int?

    /// Reads them from a description; what is missing has its default.
    public init(_ parameters: FormatParameters?) {
        maximumFrameRate = parameters?.number("max-fr").flatMap { $0 > 0 ? $0 : nil }
        maximumFrameSize = parameters?.number("max-fs").flatMap { $0 > 0 ? $0 : nil }
    }
}

/// A source that the other side has announced.
public struct RemoteSource: Hashable, Sendable {
    /// The source.
    public var ssrc: UInt32
    /// The source of its retransmissions (RFC 4588 section 9).
    public var rtxSSRC: UInt32?
    /// The source of repair packets (a=ssrc-group:FEC-FR, RFC 5956 section 4.3).
    public var repairSSRC: UInt32?
    public var cname: String?
}

/// What was agreed on for one m= section.
public struct NegotiatedSection: Hashable, Sendable {
    /// The position of the m= line.
    public var index: Int
    /// Nil where the other side gave none.
    public var mid: String?
    public var kind: MediaKind
    /// Not in use: declined by either side.
    public var isRejected: Bool
    /// Our transceiver of this section; of a rejected section the one that has just been stopped, or nil.
    public var transceiver: Int?
    /// Whether we may send and whether we must be ready to receive.
    public var sends = false
    public var receives = false
    /// In order of preference, numbered as the other side wants them.
    public var sendCodecs: [NegotiatedCodec] = []
    /// In order of preference, numbered as we said.
    public var receiveCodecs: [NegotiatedCodec] = []
    public var extensions: [NegotiatedExtension] = []
    /// RTP and RTCP on one port: always, where the section is accepted.
    public var rtcpMux = false
    /// Both sides take reduced-size RTCP (RFC 5506).
    public var reducedSizeRTCP = false
    /// The streams and tracks that the other side names.
    public var remoteStreams: [StreamIdentifier] = []
    /// The sources the other side announces; others may come unannounced (RFC 8834 section 4.8).
    public var remoteSources: [RemoteSource] = []
    public var remoteCNAME: String?
    /// What the other side takes at most in this section: b=TIAS, otherwise b=AS. A limit of zero is left out, since
    /// the direction says whether to send at all.
    public var remoteBitrateLimit: DataRate?
    /// a=ptime and a=maxptime of the other side, milliseconds.
    public var packetTime: UInt16?
    public var maximumPacketTime: UInt16?

    init(index: Int, mid: String?, kind: MediaKind, isRejected: Bool) {
        (self.index, self.mid, self.kind, self.isRejected) = (index, mid, kind, isRejected)
    }
}

/// The codecs this library negotiates; every other codec in an offer is politely left out of the answer. What goes with a
/// codec (retransmissions, redundancy) is part of its ``CodecCapability``.
public enum CodecName: String, CaseIterable, Hashable, Sendable {
    case opus
    case vp8 = "VP8"

    /// The encoding as it stands in a=rtpmap: Opus is always opus/48000/2, even for mono (RFC 7587 section 7).
    public var clockRate: UInt32 { self == .opus ? 48_000 : 90_000 }
    public var channels: UInt8? { self == .opus ? 2 : nil }
    public var mediaKind: MediaKind { self == .opus ? .audio : .video }

    func map(_ payloadType: UInt8) -> RTPMap {
        RTPMap(payloadType: payloadType, name: rawValue, clockRate: clockRate, channels: channels)
    }
}

/// The feedback messages that can be negotiated for a codec (a=rtcp-fb).
public struct FeedbackKinds: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Generic NACK (RFC 4585 section 6.2.1).
    public static let nack = FeedbackKinds(rawValue: 1)
    /// Picture loss indication (RFC 4585 section 6.3.1).
    public static let pli = FeedbackKinds(rawValue: 2)
    /// Full intra request (RFC 5104 section 4.3.1).
    public static let fir = FeedbackKinds(rawValue: 4)
    /// Transport-wide congestion control (draft-holmer-rmcat-transport-wide-cc-extensions-01).
    public static let transportCC = FeedbackKinds(rawValue: 8)
    /// Receiver estimated maximum bitrate (draft-alvestrand-rmcat-remb-03).
    public static let remb = FeedbackKinds(rawValue: 16)

    /// Every kind with its text, in the order of printing.
    static let table: [(kind: FeedbackKinds, text: String)] = [
        (.remb, "goog-remb"), (.transportCC, "transport-cc"), (.fir, "ccm fir"), (.nack, "nack"), (.pli, "nack pli"),
    ]

    /// The kinds that `section` lists for a payload type.
    init(in section: MediaSection, payloadType: UInt8) {
        self = []
        for entry in Self.table where section.hasFeedback(entry.text, for: payloadType) { insert(entry.kind) }
    }

    func lines(payloadType: UInt8) -> [FeedbackLine] {
        Self.table.filter { contains($0.kind) }.map { FeedbackLine(payloadType: payloadType, value: $0.text) }
    }
}

/// The RTP header extensions that can be negotiated (RFC 8285).
public enum NegotiableExtension: String, CaseIterable, Hashable, Sendable {
    /// RFC 9143 section 15.
    case mid = "urn:ietf:params:rtp-hdrext:sdes:mid"
    case absoluteSendTime = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
    case transportWideCC = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
    case absoluteCaptureTime = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time"
    /// RFC 6464.
    case audioLevel = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
    /// Petrel's own: which earlier frames a frame leans on. Others leave it out of their answers.
    case frameReferences = "urn:x-petrel:frame-references"

    /// The name in descriptions.
    public var uri: String { rawValue }
}

/// A codec that we can send and receive, and how we like it numbered in our own offers.
public struct CodecCapability: Hashable, Sendable {
    /// The codec.
    public var codec: CodecName
    /// Used in our offers unless the session already has a number for the codec; 96...127 (RFC 3551 section 6).
    public var payloadType: UInt8
    /// The payload type of retransmissions (RFC 4588); nil: none are offered or answered.
    public var rtxPayloadType: UInt8?
    /// The payload type of redundant payloads of this codec (RFC 2198); nil: none are offered or answered.
    public var redPayloadType: UInt8?
    /// The payload type of the repair code between two Petrel peers (``RepairFormat``); nil: none is offered or answered.
    public var repairPayloadType: UInt8?
    public var feedback: FeedbackKinds
    /// The a=fmtp parameters, what we like to receive; nil: none.
    public var parameters: String?

    public init(
        codec: CodecName, payloadType: UInt8, rtxPayloadType: UInt8? = nil, redPayloadType: UInt8? = nil,
        repairPayloadType: UInt8? = nil,
        feedback: FeedbackKinds, parameters: String? = nil
    ) {
        self.redPayloadType = redPayloadType
        (self.codec, self.payloadType, self.rtxPayloadType) = (codec, payloadType, rtxPayloadType)
        self.repairPayloadType = repairPayloadType
        (self.feedback, self.parameters) = (feedback, parameters)
    }

    /// Opus with forward error correction (RFC 7587) and redundancy (RFC 2198). `stereo`: we like to receive it; `sendsStereo`: we may send it.
    public static func opus(
        stereo: Bool = false, sendsStereo: Bool = false, discontinuous: Bool = false, maximumBitrate: Int? = nil
    ) -> CodecCapability {
        var parameters = "minptime=10;useinbandfec=1"
        if stereo { parameters += ";stereo=1" }
        if sendsStereo { parameters += ";sprop-stereo=1" }
        if discontinuous { parameters += ";usedtx=1" }
        if let maximumBitrate { parameters += ";maxaveragebitrate=\(min(510_000, max(6_000, maximumBitrate)))" }
        return CodecCapability(
            codec: .opus, payloadType: 111, redPayloadType: 63, feedback: [.nack, .transportCC], parameters: parameters)
    }

    /// VP8 with retransmissions (RFC 7741, RFC 4588), and the repair code for those who know it.
    public static let vp8 = CodecCapability(
        codec: .vp8, payloadType: 96, rtxPayloadType: 97, repairPayloadType: 120,
        feedback: [.nack, .pli, .fir, .transportCC, .remb])
}

/// A header extension that we can send and receive, and the identifier we like for it in our own offers.
public struct ExtensionCapability: Hashable, Sendable {
    /// The extension.
    public var kind: NegotiableExtension
    /// 1...14, so that one-byte headers can carry it (RFC 8285 section 4.2).
    public var id: UInt8
    /// An extension and the identifier that we offer for it.
    public init(_ kind: NegotiableExtension, id: UInt8) { (self.kind, self.id) = (kind, id) }
}

/// What this end supports, in order of preference.
public struct LocalConfiguration: Hashable, Sendable {
    /// What is offered, the most wanted first.
    public var audioCodecs: [CodecCapability] = [.opus()]
    public var videoCodecs: [CodecCapability] = [.vp8]
    /// Header extensions of sound.
    public var audioExtensions: [ExtensionCapability] = [
        ExtensionCapability(.audioLevel, id: 1), ExtensionCapability(.absoluteSendTime, id: 2),
        ExtensionCapability(.transportWideCC, id: 3), ExtensionCapability(.mid, id: 4),
        ExtensionCapability(.absoluteCaptureTime, id: 5),
    ]
    /// Header extensions of pictures.
    public var videoExtensions: [ExtensionCapability] = [
        ExtensionCapability(.absoluteSendTime, id: 2), ExtensionCapability(.transportWideCC, id: 3),
        ExtensionCapability(.mid, id: 4), ExtensionCapability(.absoluteCaptureTime, id: 5),
        ExtensionCapability(.frameReferences, id: 6),
    ]
    /// Reduced-size RTCP (RFC 5506).
    public var reducedSizeRTCP = true
    /// One- and two-byte header extensions in one stream (RFC 8285 section 6); without it identifiers above 14 are
    /// left out of answers.
    public var allowsMixedExtensions = true
    /// Which end of the DTLS handshake we choose where the offer leaves the choice: the client, as RFC 8842 section
    /// 5.3 recommends, so that the handshake can begin with the answer still on its way.
    public var preferredRole = DTLSRole.client
    /// The most a session description of the other side may hold.
    public var limits = SDPLimits.standard
    /// b=AS of our sections in kbit/s: what we like to receive at most; nil: no line.
    public var receiveKilobitsPerSecond: UInt64?

    public init() {}

    /// The codecs for this kind of media.
    public func codecs(_ kind: MediaKind) -> [CodecCapability] {
        switch kind {
        case .audio: audioCodecs
        case .video: videoCodecs
        default: []
        }
    }

    /// The extensions for this kind of media.
    public func extensions(_ kind: MediaKind) -> [ExtensionCapability] {
        switch kind {
        case .audio: audioExtensions
        case .video: videoExtensions
        default: []
        }
    }
}

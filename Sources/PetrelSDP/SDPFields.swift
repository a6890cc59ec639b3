/// What a media section carries (RFC 8866 section 5.14).
public enum MediaKind: Hashable, Sendable {
    case audio, video, application
    /// A kind that this library has no use for, by its name.
    case other(String)

    public init(name: String) {
        switch name {
        case "audio": self = .audio
        case "video": self = .video
        case "application": self = .application
        default: self = .other(name)
        }
    }

    /// The name as it is printed.
    public var name: String {
        switch self {
        case .audio: "audio"
        case .video: "video"
        case .application: "application"
        case .other(let name): name
        }
    }
}

/// Who sends in a media section, seen from the writer of the description (RFC 8866 section 6.7).
public enum MediaDirection: String, CaseIterable, Hashable, Sendable {
    case sendrecv, sendonly, recvonly, inactive

    public init(sends: Bool, receives: Bool) {
        self = sends ? (receives ? .sendrecv : .sendonly) : (receives ? .recvonly : .inactive)
    }

    /// Whether this side of the direction sends, and whether it receives.
    public var sends: Bool { self == .sendrecv || self == .sendonly }
    public var receives: Bool { self == .sendrecv || self == .recvonly }
    /// The same seen from the other side.
    public var reversed: MediaDirection { MediaDirection(sends: receives, receives: sends) }

    /// What both allow.
    public func intersection(_ other: MediaDirection) -> MediaDirection {
        MediaDirection(sends: sends && other.sends, receives: receives && other.receives)
    }
}

/// Who begins the DTLS handshake (RFC 4145, RFC 8842 section 5.2).
public enum SetupRole: String, Hashable, Sendable { case actpass, active, passive, holdconn }

/// Which end of the DTLS handshake we are.
public enum DTLSRole: Hashable, Sendable { case client, server }

/// The hash functions of certificate fingerprints (RFC 8122 section 5).
public enum FingerprintHash: String, CaseIterable, Hashable, Sendable {
    case sha1 = "sha-1"
    case sha224 = "sha-224"
    case sha256 = "sha-256"
    case sha384 = "sha-384"
    case sha512 = "sha-512"

    /// Octets of the hash.
    public var length: Int {
        switch self {
        case .sha1: 20
        case .sha224: 28
        case .sha256: 32
        case .sha384: 48
        case .sha512: 64
        }
    }

    /// Whether the hash is good enough to identify the other side (RFC 8122 section 5: SHA-256 or better).
    public var isStrong: Bool { length >= 32 }
}

/// The hash of a certificate (a=fingerprint, RFC 8122).
public struct Fingerprint: Hashable, Sendable {
    public let hash: FingerprintHash
    /// The octets of the hash, ``FingerprintHash/length`` of them.
    public let bytes: [UInt8]

    /// Nil where the number of octets is not that of the hash.
    public init?(_ hash: FingerprintHash, _ bytes: [UInt8]) {
        guard bytes.count == hash.length else { return nil }
        (self.hash, self.bytes) = (hash, bytes)
    }
}

/// The o= line (RFC 8866 section 5.2).
public struct Origin: Hashable, Sendable {
    /// The fields of the line (RFC 8866 section 5.2).
    public var username = "-"
    public var sessionID: UInt64
    public var sessionVersion: UInt64
    /// Network type, address type and address, as in the text.
    public var address = "IN IP4 0.0.0.0"

    public init(sessionID: UInt64, sessionVersion: UInt64) {
        (self.sessionID, self.sessionVersion) = (sessionID, sessionVersion)
    }
}

/// An a=group line (RFC 5888).
public struct SectionGroup: Hashable, Sendable {
    /// What the group means, and its members.
    public var semantics: String
    public var mids: [String]
    public init(semantics: String, mids: [String]) { (self.semantics, self.mids) = (semantics, mids) }
}

/// A b= line (RFC 8866 section 5.8): AS in kbit/s with all headers, TIAS in bit/s without transport headers (RFC 3890).
public struct BandwidthLimit: Hashable, Sendable {
    /// What is limited, and the number.
    public var type: String
    public var value: UInt64
    public init(type: String, value: UInt64) { (self.type, self.value) = (type, value) }
}

/// An a=rtpmap line (RFC 8866 section 6.6).
public struct RTPMap: Hashable, Sendable {
    /// The payload type this is about.
    public var payloadType: UInt8
    public var name: String
    public var clockRate: UInt32
    /// Channels of audio, nil where the line does not say.
    public var channels: UInt8?

    public init(payloadType: UInt8, name: String, clockRate: UInt32, channels: UInt8? = nil) {
        (self.payloadType, self.name, self.clockRate, self.channels) = (payloadType, name, clockRate, channels)
    }

    /// Whether both name the same encoding; names are compared without case, one channel is the default.
    public func isSameEncoding(as other: RTPMap) -> Bool {
        clockRate == other.clockRate && (channels ?? 1) == (other.channels ?? 1)
            && name.lowercased() == other.name.lowercased()
    }
}

/// An a=fmtp line (RFC 8866 section 6.15).
public struct FormatParameters: Hashable, Sendable {
    /// The payload type this is about.
    public var payloadType: UInt8
    /// The parameters as in the text, without the payload type.
    public var text: String

    public init(payloadType: UInt8, text: String) { (self.payloadType, self.text) = (payloadType, text) }

    /// The value of a parameter of the form `name=value`, the first of that name, names compared without case.
    public func value(_ name: String) -> String? {
        let wanted = name.lowercased()
        for part in text.utf8.split(separator: UInt8(ascii: ";")) {
            guard let equals = part.firstIndex(of: UInt8(ascii: "=")) else { continue }
            let key = SDPSyntax.trimmed(part[..<equals])
            if key.lowercased() == wanted { return SDPSyntax.trimmed(part[part.index(after: equals)...]) }
        }
        return nil
    }

    /// A parameter that is a number, nil where it is absent or none.
    public func number(_ name: String) -> Int? { value(name).flatMap { SDPSyntax.decimal($0) } }
}

/// An a=rtcp-fb line (RFC 4585 section 4.2).
public struct FeedbackLine: Hashable, Sendable {
    /// Nil for all formats of the section (`*`).
    public var payloadType: UInt8?
    /// The feedback, such as `nack pli`, with single spaces.
    public var value: String
    public init(payloadType: UInt8?, value: String) { (self.payloadType, self.value) = (payloadType, value) }
}

/// An a=extmap line (RFC 8285 section 5).
public struct ExtensionMap: Hashable, Sendable {
    /// 1...255 on the wire.
    public var id: UInt8
    /// Nil where the line does not say: both ways.
    public var direction: MediaDirection?
    public var uri: String
    /// What follows the name, as in the text.
    public var attributes: String?

    public init(id: UInt8, direction: MediaDirection? = nil, uri: String, attributes: String? = nil) {
        (self.id, self.direction, self.uri, self.attributes) = (id, direction, uri, attributes)
    }
}

/// A stream and a track in it (a=msid, RFC 8830). The stream `-` means none.
public struct StreamIdentifier: Hashable, Sendable {
    /// The stream, and the track in it.
    public var stream: String
    public var track: String?
    public init(stream: String, track: String? = nil) { (self.stream, self.track) = (stream, track) }
}

/// What the a=ssrc lines say about one synchronisation source (RFC 5576).
public struct SourceDescription: Hashable, Sendable {
    /// The source, its canonical name, and its stream.
    public var ssrc: UInt32
    public var cname: String?
    public var msid: StreamIdentifier?
    public init(ssrc: UInt32, cname: String? = nil, msid: StreamIdentifier? = nil) {
        (self.ssrc, self.cname, self.msid) = (ssrc, cname, msid)
    }
}

/// An a=ssrc-group line (RFC 5576 section 4.2); FID names a source and its retransmissions (RFC 4588 section 9).
public struct SourceGroup: Hashable, Sendable {
    /// What the group means, and its members.
    public var semantics: String
    public var ssrcs: [UInt32]
    public init(semantics: String, ssrcs: [UInt32]) { (self.semantics, self.ssrcs) = (semantics, ssrcs) }
}

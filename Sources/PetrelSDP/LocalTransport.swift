public import PetrelCore

/// Our end of the one transport that all sections share: the credentials, certificate and candidates we announce.
public struct LocalTransport: Hashable, Sendable {
    /// What descriptions say of our ICE agent (RFC 8839) and certificate (RFC 8122).
    public let iceUfrag: String
    public let icePassword: String
    public let iceOptions: [String]
    public let isICELite: Bool
    public let fingerprints: [Fingerprint]
    /// The identity of the DTLS association (RFC 8842 section 4), at least 20 characters; nil: left out. An answer has
    /// it only where the offer had one.
    public let tlsID: String?
    /// Candidates to embed, each as `candidate:...`. Set by ``setCandidates(_:endOfCandidates:)``.
    public private(set) var candidates: [String] = []
    /// Whether all candidates are there, so that the other side need not wait for more (RFC 8840).
    public private(set) var endOfCandidates = false

    /// - Throws: ``SDPError/Reason/badArgument`` for credentials outside the grammar of RFC 8839 section 5.4 (control
    ///   characters included), no strong fingerprint, or a bad `tlsID`.
    public init(
        iceUfrag: String, icePassword: String, fingerprints: [Fingerprint], iceOptions: [String] = ["trickle"],
        isICELite: Bool = false, tlsID: String? = nil
    ) throws(SDPError) {
        guard SDPSyntax.isUfrag(iceUfrag) else {
            throw SDPError(.badArgument, "ICE user fragment of other than 4 to 256 ICE characters")
        }
        guard SDPSyntax.isPassword(icePassword) else {
            throw SDPError(.badArgument, "ICE password of other than 22 to 256 ICE characters")
        }
        guard fingerprints.contains(where: { $0.hash.isStrong }) else {
            throw SDPError(.badArgument, "no fingerprint of SHA-256 or better")
        }
        for option in iceOptions where !SDPSyntax.isToken(option, maximum: 64) {
            throw SDPError(.badArgument, "ICE option \(option)")
        }
        if let tlsID, !(20...255).contains(tlsID.utf8.count) || !SDPSyntax.isToken(tlsID, maximum: 255) {
            throw SDPError(.badArgument, "tls-id of other than 20 to 255 characters")
        }
        (self.iceUfrag, self.icePassword, self.fingerprints) = (iceUfrag, icePassword, fingerprints)
        (self.iceOptions, self.isICELite, self.tlsID) = (iceOptions, isICELite, tlsID)
    }

    /// The same association with fresh credentials, for an ICE restart; without the old candidates.
    public func restarted(using random: inout RandomSource) throws(SDPError) -> LocalTransport {
        let fresh = Self.randomCredentials(using: &random)
        return try LocalTransport(
            iceUfrag: fresh.ufrag, icePassword: fresh.password, fingerprints: fingerprints, iceOptions: iceOptions,
            isICELite: isICELite, tlsID: tlsID)
    }

    /// - Throws: ``SDPError/Reason/badArgument`` where one is no candidate line or holds control characters.
    public mutating func setCandidates(_ candidates: [String], endOfCandidates: Bool) throws(SDPError) {
        guard candidates.count <= SDPLimits.standard.candidates else {
            throw SDPError(.badArgument, "more than \(SDPLimits.standard.candidates) candidates")
        }
        for candidate in candidates
        where !candidate.hasPrefix("candidate:") || !SDPSyntax.isLine(candidate)
            || candidate.utf8.count > SDPLimits.standard.candidateBytes
        {
            throw SDPError(.badArgument, "not a candidate line: \(candidate)")
        }
        (self.candidates, self.endOfCandidates) = (candidates, endOfCandidates)
    }

    /// A user fragment of 48 random bits and a password of 144 (RFC 8445 section 5.3 asks for 24 and 128).
    public static func randomCredentials(using random: inout RandomSource) -> (ufrag: String, password: String) {
        (randomToken(8, using: &random), randomToken(24, using: &random))
    }

    /// A name of hexadecimal digits, four random bits each: for a tls-id (RFC 8842 section 4: at least 30), a cname, a
    /// stream or a track.
    public static func randomName(_ length: Int, using random: inout RandomSource) -> String {
        let alphabet = Array("0123456789abcdef".utf8)
        return String(decoding: random.bytes(length).map { alphabet[Int($0 & 15)] }, as: UTF8.self)
    }

    /// ICE characters, six random bits each.
    static func randomToken(_ length: Int, using random: inout RandomSource) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        return String(decoding: random.bytes(length).map { alphabet[Int($0 & 63)] }, as: UTF8.self)
    }
}

/// What we send in a section: how the track is named, and its sources.
public struct LocalTrack: Hashable, Sendable {
    /// Names of stream and track (RFC 8830), and the source.
    public let streamID: String
    public let trackID: String
    public let ssrc: UInt32
    /// The source of retransmissions, announced where the section has them.
    public let rtxSSRC: UInt32?
    /// The source of the repair code, announced where the section has it.
    public let repairSSRC: UInt32?
    /// The same for all tracks of an endpoint (RFC 8834 section 4.9), random (RFC 7022).
    public let cname: String

    /// - Throws: ``SDPError/Reason/badArgument`` where a name is not 1 to 64 token characters (RFC 8830 section 2), the
    ///   `cname` not 1 to 255 visible ASCII characters, or the two sources are equal.
    public init(
        streamID: String, trackID: String, ssrc: UInt32, rtxSSRC: UInt32? = nil, repairSSRC: UInt32? = nil,
        cname: String
    ) throws(SDPError) {
        guard SDPSyntax.isToken(streamID, maximum: 64) else { throw SDPError(.badArgument, "stream id \(streamID)") }
        guard SDPSyntax.isToken(trackID, maximum: 64) else { throw SDPError(.badArgument, "track id \(trackID)") }
        guard SDPSyntax.isVisible(cname, maximum: 255) else { throw SDPError(.badArgument, "cname \(cname)") }
        guard ssrc != rtxSSRC, ssrc != repairSSRC, repairSSRC == nil || repairSSRC != rtxSSRC else {
            throw SDPError(.badArgument, "one source for media and retransmissions")
        }
        (self.streamID, self.trackID, self.ssrc) = (streamID, trackID, ssrc)
        (self.rtxSSRC, self.repairSSRC, self.cname) = (rtxSSRC, repairSSRC, cname)
    }
}

/// A media section from our point of view: what we want to send and receive in it (RFC 9429 section 3.4.1).
public struct Transceiver: Hashable, Sendable, Identifiable {
    /// Given by ``Negotiator/addTransceiver(_:direction:track:)``; never used twice in a session.
    public let id: Int
    public let kind: MediaKind
    /// What we want; what comes of it is in ``NegotiatedSection``.
    public internal(set) var direction: MediaDirection
    /// What we send; without a track nothing is sent whatever the direction.
    public internal(set) var track: LocalTrack?
    /// Stopped for good, by us or by the other side; its section is rejected and may be recycled.
    public internal(set) var isStopped = false
    /// Made for a section that the other side offered.
    public internal(set) var isFromRemote = false

    /// The direction that can be offered: sending needs a track.
    var possibleDirection: MediaDirection {
        MediaDirection(sends: direction.sends && track != nil, receives: direction.receives)
    }
}

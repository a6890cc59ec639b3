/// A session description (RFC 8866) with the attributes that WebRTC gives meaning to (RFC 9429).
///
/// Made by ``init(parsing:limits:)`` or by a ``Negotiator``; written by ``text()``. Attributes that are not understood
/// stay in ``otherAttributes`` as they came.
public struct SessionDescription: Hashable, Sendable {
    /// The `o=` line.
    public var origin: Origin
    /// The s= line.
    public var name = "-"
    /// The c= line of the session, as in the text.
    public var connection: String?
    public var bandwidths: [BandwidthLimit] = []
    public var groups: [SectionGroup] = []
    public var isICELite = false
    public var allowsMixedExtensions = false
    /// ICE and DTLS attributes that hold for all sections which have none of their own.
    public var transport = TransportDescription()
    public var direction: MediaDirection?
    public var extensions: [ExtensionMap] = []
    public var endOfCandidates = false
    /// Attributes of the session that are not understood, without `a=`.
    public var otherAttributes: [String] = []
    /// The m= sections in order.
    public var media: [MediaSection] = []

    public init(origin: Origin) { self.origin = origin }

    /// The ICE and DTLS attributes of a section, with the session's where it has none (RFC 8839 section 4.2, RFC 8122
    /// section 5: the section's own take precedence).
    public func effectiveTransport(of section: MediaSection) -> TransportDescription {
        section.transport.filled(from: transport)
    }

    /// The first section with this identification tag.
    public func section(mid: String) -> MediaSection? { media.first { $0.mid == mid } }

    /// The direction of a section, sendrecv where nothing is said (RFC 8866 section 6.7).
    public func effectiveDirection(of section: MediaSection) -> MediaDirection {
        section.direction ?? direction ?? .sendrecv
    }
}

/// The ICE and DTLS attributes of a section or of the whole session.
public struct TransportDescription: Hashable, Sendable {
    /// ICE credentials for all sections (RFC 8839 section 5.4).
    public var iceUfrag: String?
    public var icePassword: String?
    /// Nil where there is no such line.
    public var iceOptions: [String]?
    public var fingerprints: [Fingerprint] = []
    /// Fingerprints of hash functions that are not known here, as in the text.
    public var unknownFingerprints: [String] = []
    public var setup: SetupRole?
    public var tlsID: String?

    public init() {}

    /// The same with what is missing taken from `outer`; user fragment and password go together.
    public func filled(from outer: TransportDescription) -> TransportDescription {
        var result = self
        if result.iceUfrag == nil && result.icePassword == nil {
            (result.iceUfrag, result.icePassword) = (outer.iceUfrag, outer.icePassword)
        }
        if result.iceOptions == nil { result.iceOptions = outer.iceOptions }
        if result.fingerprints.isEmpty && result.unknownFingerprints.isEmpty {
            (result.fingerprints, result.unknownFingerprints) = (outer.fingerprints, outer.unknownFingerprints)
        }
        if result.setup == nil { result.setup = outer.setup }
        if result.tlsID == nil { result.tlsID = outer.tlsID }
        return result
    }
}

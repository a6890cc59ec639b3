public import PetrelCore

/// One address at which an agent may be reached (RFC 8445 section 5.1), as the candidate attribute carries it
/// (RFC 8839 section 5.1). Always UDP and component 1: Petrel multiplexes RTCP with RTP.
public struct ICECandidate: Hashable, Sendable {
    /// The types of candidates (RFC 8445 section 4).
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        case host
        case serverReflexive = "srflx"
        case peerReflexive = "prflx"
        case relayed = "relay"
    }

    /// Equal for candidates of the same kind, base address and server (RFC 8445 section 5.1.1.3): 1...32 ice-chars.
    public var foundation: String
    /// 1...2^31-1; the higher, the sooner it is tried.
    public var priority: UInt32
    public var address: TransportAddress
    public var kind: Kind
    /// The base of a reflexive candidate, the mapped address of a relayed one; for diagnosis only.
    public var relatedAddress: TransportAddress?
    /// The ICE username fragment that the candidate belongs to (RFC 8838 section 11), where the line names it.
    public var ufrag: String?

    public init(
        foundation: String, priority: UInt32, address: TransportAddress, kind: Kind,
        relatedAddress: TransportAddress? = nil, ufrag: String? = nil
    ) {
        self.foundation = foundation
        self.priority = priority
        self.address = address
        self.kind = kind
        self.relatedAddress = relatedAddress
        self.ufrag = ufrag
    }

    /// The candidate that `line` describes; nil for everything that must be ignored. ``CandidateLine`` says why.
    public init?(_ line: String) {
        guard case .candidate(let candidate) = CandidateLine(line) else { return nil }
        self = candidate
    }
}

/// What one candidate line says.
public enum CandidateLine: Hashable, Sendable {
    case candidate(ICECandidate)
    /// The empty string, by which the W3C API says that no more candidates come.
    case endOfCandidates
    /// A line that is not used. The session goes on without it (RFC 8839 section 5.1).
    case ignored(Reason)

    /// Why a line is not used.
    public enum Reason: Error, Hashable, Sendable, CaseIterable {
        /// Longer than ``CandidateLine/maximumLength``.
        case tooLong
        /// CR, LF, NUL or another control character, or something outside ASCII.
        case controlCharacter
        /// Cut, or not of the grammar.
        case malformed
        /// Not component 1.
        case component
        /// Not UDP.
        case transport
        case priority
        case port
        /// A name instead of an address (RFC 8839 section 5.1: ignored).
        case hostName
        /// A multicast DNS name, which hides an address (RFC 8828 section 3); the peer is learned from its checks.
        case multicastDNSName
        /// A candidate type that the standard does not name.
        case kind
        /// rport is wrong.
        case relatedAddress
    }

    /// The longest line in octets. The longest of the standard's own fields make about 200; the rest is room for
    /// extensions. Time and memory of parsing grow with it.
    public static let maximumLength = 1024
}

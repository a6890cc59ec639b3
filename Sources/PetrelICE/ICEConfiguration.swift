public import PetrelCore

/// Which side chooses the pair (RFC 8445 section 6.1.1).
public enum ICERole: Hashable, Sendable {
    case controlling, controlled

    var opposite: ICERole { self == .controlling ? .controlled : .controlling }
}

/// The state of an agent, with the names of the W3C's RTCIceConnectionState.
public enum ICEState: String, Hashable, Sendable {
    /// Waiting for candidates or for the remote credentials.
    case new
    /// Trying pairs; none works yet.
    case checking
    /// A pair works; media may flow.
    case connected
    /// A pair works, and it is the one both sides have settled on.
    case completed
    /// The path has gone quiet. It may come back; media is still sent until consent runs out.
    case disconnected
    /// Nothing works and nothing is tried: only a restart helps.
    case failed
    /// Closed by this side or revoked by the other.
    case closed
}

/// What an agent is told when it is made.
public struct ICEConfiguration: Sendable {
    /// Answer checks, make none (RFC 8445 section 2.5): for a server with a public address.
    public var isLite = false
    public var addressPolicy: AddressPolicy = .client
    /// STUN servers to learn server-reflexive candidates from, as resolved addresses. At most
    /// ``maximumServers`` are used.
    public var stunServers: [TransportAddress] = []
    /// The least time between two checks of this agent (Ta, RFC 8445 section 14.2), never below 5 ms.
    public var pacing: TimeDelta = .milliseconds(5)
    /// The most pairs that signalled candidates may make (RFC 8445 section 6.1.2.5). Each costs about half a kilobyte
    /// and a share of the pacing.
    public var maximumPairs = 100

    /// The first characters of every username fragment of this agent: by them a port that several agents share tells
    /// whom a check is for (``PortRoutes``). At most ``maximumPrefix`` ice-chars; empty for none, and anything else
    /// counts as none.
    public var ufragPrefix = ""
    /// Addresses under which a NAT that maps addresses one to one shows ours. At most ``maximumPublicAddresses`` are
    /// used.
    public var publicAddresses: [PublicAddress] = []
    /// Tell the other side the public address only, and not the host candidate behind it.
    public var hidesMappedHosts = false

    /// The most STUN servers; each is asked from each base.
    public static let maximumServers = 4
    /// The longest ``ufragPrefix``. Every check carries it.
    public static let maximumPrefix = 16
    /// The most public addresses. Each makes a candidate for each base that it fits.
    public static let maximumPublicAddresses = 8

    public init() {}
}

/// An address outside a NAT that maps addresses one to one and keeps ports, as clouds and home routers with port
/// forwarding do.
///
/// Nothing is asked and nothing is measured: who configures it promises that what is sent to the public address arrives
/// at the local one. It is told to the other side as a host candidate of its own (RFC 8445 section 5.1.1); checks and
/// media leave from the local address, as with a server-reflexive candidate.
public struct PublicAddress: Hashable, Sendable {
    /// The address outside; its port says nothing.
    public var address: TransportAddress
    /// The address inside, where it is named; its port says nothing. Nil: every local address of the same family that
    /// is neither loopback nor link-local.
    public var local: TransportAddress?

    /// Names an address outside, and the one inside that it stands for.
    public init(_ address: TransportAddress, local: TransportAddress? = nil) {
        (self.address, self.local) = (address, local)
    }

    /// Whether it can be one: a unicast address of the family of the local one.
    public var isPossible: Bool {
        switch AddressRange(address) {
        case .unspecified, .multicast, .broadcastOrReserved, .metadata, .linkLocal: false
        case .loopback, .other: local.map { $0.family == address.family } ?? true
        }
    }

    /// Whether it stands for this base.
    public func fits(_ base: TransportAddress) -> Bool {
        guard base.family == address.family else { return false }
        guard var local else { return AddressRange(base) == .other }
        local.port = base.port
        return local == base
    }
}

/// A username fragment and a password (RFC 8445 section 5.3).
public struct ICECredentials: Hashable, Sendable {
    /// The username fragment and the password (RFC 8839 section 5.4).
    public let ufrag: String
    public let password: String

    /// - Returns: nil unless ufrag has 4...256 and password 22...256 ice-chars (RFC 8839 section 5.4).
    public init?(ufrag: String, password: String) {
        guard (4...256).contains(ufrag.utf8.count), (22...256).contains(password.utf8.count),
            Self.isICECharacters(ufrag), Self.isICECharacters(password)
        else { return nil }
        self.ufrag = ufrag
        self.password = password
    }

    /// Fresh credentials of 48 and 144 random bits; at least 24 and 128 are asked for.
    /// - Parameter prefix: what the fragment begins with; 36 random bits follow it.
    public init(prefix: String = "", random: inout RandomSource) {
        let isUsable =
            !prefix.isEmpty && prefix.utf8.count <= ICEConfiguration.maximumPrefix && Self.isICECharacters(prefix)
        ufrag =
            isUsable ? prefix + Self.text(characters: 6, random: &random) : Self.text(characters: 8, random: &random)
        password = Self.text(characters: 24, random: &random)
    }

    private static let alphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".unicodeScalars)

    /// Six random bits for each character.
    static func text(characters: Int, random: inout RandomSource) -> String {
        var text = String.UnicodeScalarView()
        for octet in random.bytes(characters) { text.append(alphabet[Int(octet & 63)]) }
        return String(text)
    }

    private static func isICECharacters(_ text: String) -> Bool {
        text.utf8.allSatisfy { octet in
            (0x30...0x39).contains(octet) || (0x41...0x5A).contains(octet) || (0x61...0x7A).contains(octet)
                || octet == 0x2B || octet == 0x2F
        }
    }
}

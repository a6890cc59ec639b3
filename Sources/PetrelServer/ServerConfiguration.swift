public import Logging
public import Petrel
public import PetrelDevices
public import PetrelLab

/// How a ``MediaServer`` is set up. The defaults serve this machine alone.
public struct ServerConfiguration: Sendable {
    /// Where HTTP is served: a numeric address or a name of this machine, and the port; 0: any that is free.
    public var host = "127.0.0.1"
    public var port = 0
    /// PEM files of a certificate chain and its key. Nil: HTTP without TLS, which browsers allow a camera on
    /// 127.0.0.1 only.
    public var certificate: (chain: String, key: String)?
    /// The bearer tokens (RFC 6750) that may use the server. Empty: whoever reaches it may.
    public var tokens: [String] = []
    /// The most peers at a time; each that receives pictures costs a video encoder, so about half a core at 720p.
    public var maximumPeers = 16
    /// What `film` shows, and the sound with it.
    public var video = VideoInput.testCard
    public var audio = AudioInput.speechLike
    /// The size and pace of `film`.
    public var videoSize = VideoSize(width: 1280, height: 720)
    public var framesPerSecond = 25
    /// Write a frame counter into the top of each picture of `film`, for measuring.
    public var stampsPictures = false
    /// The network that lies between every browser and its peer: from the browser to the peer, and back.
    public var link: (forward: LinkDescription, backward: LinkDescription)?
    /// The UDP ports that media takes: a range of which each peer takes one at each address, or one port alone, which
    /// all peers share. Nil: any that is free. ``call`` leaves its own `udpPorts` and `sharedPort` alone then.
    public var udpPorts: ClosedRange<UInt16>?
    /// STUN and TURN servers that are named to clients.
    public var iceServers: [NamedICEServer] = []
    /// How each call is set up.
    public var call = CallConfiguration()
    /// How much a client may take.
    public var limits = ServerLimits()
    /// Where log lines go. They never hold tokens, addresses of resources, passwords or session descriptions.
    public var logger = Logger(label: "petrel-server")

    public init() { call.addressProfile = .server }
}

/// A STUN or TURN server, as a `Link` header names it (RFC 9725 section 4.6).
public struct NamedICEServer: Sendable, Hashable {
    /// As `stun:stun.example.net` or `turn:turn.example.net?transport=udp`.
    public var url: String
    /// For TURN.
    public var username: String?
    public var credential: String?

    /// - Parameter text: a URL, and for TURN `;USER;PASSWORD` behind it.
    /// - Returns: nil where the URL is of another scheme, or a part holds characters that a header field must not.
    public init?(_ text: String) {
        let parts = text.split(separator: ";", omittingEmptySubsequences: false).map(String.init)
        guard let url = parts.first, parts.count == 1 || parts.count == 3,
            ["stun:", "stuns:", "turn:", "turns:"].contains(where: { url.hasPrefix($0) && url.count > $0.count }),
            parts.allSatisfy({ $0.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x22 && $0 != 0x5C } }),
            !url.contains("<"), !url.contains(">")
        else { return nil }
        self.url = url
        if parts.count == 3 { (username, credential) = (parts[1], parts[2]) }
    }

    /// The value of the header field.
    var header: String {
        var text = "<\(url)>; rel=\"ice-server\""
        if let username { text += "; username=\"\(username)\"" }
        if let credential { text += "; credential=\"\(credential)\"; credential-type=\"password\"" }
        return text
    }
}

/// How much of the server a client may take. What grows with each is said beside it.
public struct ServerLimits: Sendable {
    /// Connections at a time; others wait until one is free. Each costs a file descriptor and some 10 kB.
    public var connections = 2048
    /// Seconds after which a connection is over that has not brought a whole request since it began, or since its last
    /// answer; four fifths of it are for the request, the rest is for the answer 408. Also those within which an answer
    /// must have been read. A client that is slower keeps a connection for as long.
    public var requestSeconds = 10.0
    /// Octets of one header field, and of all of them: what a connection may make the server hold.
    public var headerFieldBytes = 16 * 1024
    public var headerBytes = 64 * 1024
    /// Header fields of a request.
    public var headerFields = 100
    /// Seconds within which a peer must be connected after its answer. Until then it takes one of the places of
    /// ``ServerConfiguration/maximumPeers``, a socket and a thread.
    public var connectSeconds = 30.0
    /// Streams published at a time. Each costs a decoder.
    public var streams = 16

    public init() {}
}

/// Why a server cannot start, in one sentence.
public struct ServerError: Error, Sendable, CustomStringConvertible {
    public let description: String
    init(_ description: String) { self.description = description }
}

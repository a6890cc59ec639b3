/// SDES (RFC 3550 section 6.5), of which CNAME and MID (RFC 9143 section 15.1) are read; other items are skipped.
public struct RTCPSourceDescription: Hashable, Sendable {
    /// What is said about one source.
    public struct Chunk: Hashable, Sendable {
        /// The source described.
        public var ssrc: UInt32
        /// At most 255 bytes of UTF-8; nil where absent or not UTF-8.
        public var cname: String?
        /// At most 255 bytes of UTF-8; nil where absent or not UTF-8.
        public var mid: String?

        public init(ssrc: UInt32, cname: String? = nil, mid: String? = nil) {
            self.ssrc = ssrc
            self.cname = cname
            self.mid = mid
        }
    }

    /// At most 31.
    public var chunks: [Chunk]

    public init(chunks: [Chunk]) { self.chunks = chunks }

    static let itemEnd: UInt8 = 0
    static let itemCNAME: UInt8 = 1
    static let itemMID: UInt8 = 15
}

/// BYE (RFC 3550 section 6.6).
public struct RTCPBye: Hashable, Sendable {
    /// At most 31.
    public var sources: [UInt32]
    /// At most 255 bytes of UTF-8; nil where absent or not UTF-8.
    public var reason: String?

    public init(sources: [UInt32], reason: String? = nil) {
        self.sources = sources
        self.reason = reason
    }
}

/// APP (RFC 3550 section 6.7).
public struct RTCPApplication: Hashable, Sendable {
    /// 0...31.
    public var subtype: UInt8
    public var ssrc: UInt32
    /// Four ASCII characters, the first in the most significant byte.
    public var name: UInt32
    /// A multiple of four bytes.
    public var data: [UInt8]

    public init(subtype: UInt8, ssrc: UInt32, name: UInt32, data: [UInt8]) {
        self.subtype = subtype
        self.ssrc = ssrc
        self.name = name
        self.data = data
    }
}

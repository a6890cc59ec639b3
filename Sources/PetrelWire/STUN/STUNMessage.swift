public import PetrelCore

/// A STUN message as it stands in a datagram (RFC 8489 section 5): its fixed fields, the values of the attributes
/// that ICE uses, and where in the datagram the others lie.
///
/// Parsing allocates nothing. A parsed message is well formed and its FINGERPRINT, if there is one, is right; it is
/// not authenticated: see ``isAuthentic(_:mac:)``.
public struct STUNMessage: Sendable {
    /// The class of a message (RFC 8489 section 5), by its two bits.
    public enum Class: UInt8, Hashable, Sendable { case request = 0, indication, success, error }

    /// The octets before the attributes.
    public static let headerLength = 20
    /// The fixed second word of every message.
    public static let magicCookie: UInt32 = 0x2112_A442
    /// The method of connectivity checks, consent checks and server-reflexive gathering.
    public static let binding: UInt16 = 0x001
    /// The most attributes a message may have. ICE uses 9; the rest is room for other people's extensions.
    /// Work per unauthenticated datagram grows with it.
    public static let maximumAttributes = 32
    /// The longest message in octets: the IPv6 minimum MTU, beyond which nobody may send (RFC 8489 section 6.1).
    /// Work per unauthenticated datagram grows with it.
    public static let maximumLength = 1280
    /// The most types of unknown comprehension-required attributes that are named in an answer of 420.
    public static let maximumUnknownTypes = 8

    /// Class and method (RFC 8489 section 5), and what binds a response to its request.
    public var messageClass: Class = .request
    public var method: UInt16 = 0
    public var transaction = STUNTransactionID(high: 0, low: 0)
    /// The whole message in octets, header included.
    public var length = 0

    /// Where the value of USERNAME lies in the datagram.
    public var username: Range<Int>?
    /// Where the value of SOFTWARE lies in the datagram.
    public var software: Range<Int>?
    /// Where the value of REALM lies in the datagram.
    public var realm: Range<Int>?
    /// Where the value of NONCE lies in the datagram.
    public var nonce: Range<Int>?
    /// XOR-MAPPED-ADDRESS, already un-XORed.
    public var xorMappedAddress: TransportAddress?
    /// MAPPED-ADDRESS, which only servers of the time before RFC 5389 send alone.
    public var mappedAddress: TransportAddress?
    /// PRIORITY (RFC 8445 section 7.1.1).
    public var priority: UInt32?
    /// Whether USE-CANDIDATE is there (RFC 8445 section 7.1.2).
    public var useCandidate = false
    /// The tiebreaker of ICE-CONTROLLING (RFC 8445 section 7.1.3).
    public var iceControlling: UInt64?
    /// The tiebreaker of ICE-CONTROLLED (RFC 8445 section 7.1.3).
    public var iceControlled: UInt64?
    /// The code of ERROR-CODE, 300...699.
    public var errorCode: Int?
    /// Where the reason phrase of ERROR-CODE lies in the datagram.
    public var errorReason: Range<Int>?
    /// Where the list of UNKNOWN-ATTRIBUTES lies in the datagram: two octets for each type.
    public var unknownAttributes: Range<Int>?
    /// Where the attribute MESSAGE-INTEGRITY begins (at its header), if there is one.
    public var integrityOffset: Int?
    /// Whether the message ended with a right FINGERPRINT.
    public var hasFingerprint = false

    /// The number of different comprehension-required types that the codec does not know; only the first
    /// ``maximumUnknownTypes`` are kept.
    public private(set) var unknownRequiredCount = 0
    private var unknownRequired = InlineArray<8, UInt16>(repeating: 0)

    init() {}

    /// The comprehension-required types that the codec does not know, in their order in the message.
    public var unknownRequiredTypes: [UInt16] {
        (0..<min(unknownRequiredCount, Self.maximumUnknownTypes)).map { unknownRequired[$0] }
    }

    mutating func noteUnknownRequired(_ type: UInt16) {
        for index in 0..<min(unknownRequiredCount, Self.maximumUnknownTypes) where unknownRequired[index] == type {
            return
        }
        if unknownRequiredCount < Self.maximumUnknownTypes { unknownRequired[unknownRequiredCount] = type }
        unknownRequiredCount &+= 1
    }

    /// Whether the bytes that `range` names equal `text`.
    public static func matches(_ bytes: RawSpan, _ range: Range<Int>, _ text: [UInt8]) -> Bool {
        guard range.count == text.count, range.lowerBound >= 0, range.upperBound <= bytes.byteCount else {
            return false
        }
        for index in text.indices where STUNBytes.uint8(bytes, range.lowerBound + index) != text[index] { return false }
        return true
    }

    /// The first `count` octets, at most eight, of the value that `range` names, as one number with the first octet the
    /// most significant; nil where it is shorter or leaves the datagram.
    public static func leading(_ count: Int, of range: Range<Int>, in bytes: RawSpan) -> UInt64? {
        guard (1...8).contains(count), range.count >= count, range.lowerBound >= 0,
            range.upperBound <= bytes.byteCount
        else { return nil }
        var value: UInt64 = 0
        for index in 0..<count { value = value << 8 | UInt64(STUNBytes.uint8(bytes, range.lowerBound + index)) }
        return value
    }

    /// The transaction of a datagram that is the head of a Binding request, read without parsing it: for looking at
    /// one's own requests as they leave. Nil for everything else.
    public static func bindingRequest(_ bytes: RawSpan) -> STUNTransactionID? {
        guard looksLikeSTUN(bytes), STUNBytes.uint16(bytes, 0) == 0x0001 else { return nil }
        return STUNTransactionID(high: STUNBytes.uint32(bytes, 8), low: STUNBytes.uint64(bytes, 12))
    }

    /// A copy of the bytes that `range` names; empty where it leaves the datagram.
    public static func copy(_ bytes: RawSpan, _ range: Range<Int>) -> [UInt8] {
        guard range.lowerBound >= 0, range.upperBound <= bytes.byteCount else { return [] }
        return range.map { STUNBytes.uint8(bytes, $0) }
    }
}

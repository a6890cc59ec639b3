public import PetrelCore

/// The layout of one RTP packet (RFC 3550 section 5.1): values of the fixed header, and where the rest lies.
///
/// It holds offsets into the packet and no bytes, so it may be kept; the bytes are named again where they are used.
public struct RTPHeader: Hashable, Sendable {
    /// The bytes of the fixed header.
    public static let fixedLength = 12
    /// The longest packet, in bytes: what a UDP length field can say. Offsets and lengths stay small because of it.
    public static let maximumPacketLength = 65_535

    /// The marker bit: what it means is the payload format's affair.
    public let marker: Bool
    /// 0...127, never 64...95: those second bytes belong to RTCP on a shared port (RFC 5761 section 4).
    public let payloadType: UInt8
    public let sequenceNumber: UInt16
    public let timestamp: UInt32
    public let ssrc: UInt32
    /// The number of contributing sources, each 4 bytes from offset 12.
    public let csrcCount: Int
    /// "Defined by profile" of the header extension; zero where there is none.
    public let extensionProfile: UInt16
    /// Where the content of the header extension begins, behind its 4-byte head; zero where there is none.
    public let extensionOffset: Int
    /// The bytes of the header extension without its head.
    public let extensionLength: Int
    /// The bytes in front of the payload.
    public let headerLength: Int
    /// The bytes of payload without padding; zero in a packet of padding only.
    public let payloadLength: Int
    /// The bytes of padding, the count byte included.
    public let paddingLength: Int

    /// Where the payload begins.
    public var payloadOffset: Int { headerLength }
    /// The bytes of payload, without padding.
    public var payloadRange: Range<Int> { headerLength..<(headerLength &+ payloadLength) }
    /// Whether the packet has a header extension (X bit), even an empty one.
    public var hasExtension: Bool { extensionOffset != 0 }
    /// The bytes of the whole packet.
    public var packetLength: Int { headerLength &+ payloadLength &+ paddingLength }

    /// Reads a packet in the clear and checks it as RFC 3550 appendix A.1 asks, padding included. A packet of padding
    /// only is legal; it is how senders probe.
    /// - Throws: `truncated`, `badVersion`, `rtpUnknownPayloadType` (64...95), `rtpBadExtension`, `rtpBadPadding`,
    ///   `datagramTooLong`.
    public init(parsing bytes: RawSpan) throws(DropReason) {
        try self.init(bytes, readsPadding: true)
    }

    /// Reads the header of a packet that is still encrypted. Everything behind the header counts as payload: padding
    /// cannot be known before decryption, and the authentication tag is still there (RFC 3711 section 3.1).
    /// - Throws: as ``init(parsing:)`` except `rtpBadPadding`.
    public init(parsingHeaderOf bytes: RawSpan) throws(DropReason) {
        try self.init(bytes, readsPadding: false)
    }

    @inline(__always)
    private init(_ bytes: RawSpan, readsPadding: Bool) throws(DropReason) {
        let count = bytes.byteCount
        guard count >= Self.fixedLength else { throw .truncated }
        guard count <= Self.maximumPacketLength else { throw .datagramTooLong }
        let first = bytes.wire8(0)
        let second = bytes.wire8(1)
        guard first >> 6 == 2 else { throw .badVersion }
        marker = second & 0x80 != 0
        payloadType = second & 0x7F
        guard !(64...95).contains(payloadType) else { throw .rtpUnknownPayloadType }
        sequenceNumber = bytes.wire16(2)
        timestamp = bytes.wire32(4)
        ssrc = bytes.wire32(8)
        csrcCount = Int(first & 0x0F)
        var end = Self.fixedLength &+ csrcCount &* 4
        guard end <= count else { throw .truncated }
        if first & 0x10 != 0 {
            guard end &+ 4 <= count else { throw .rtpBadExtension }
            extensionProfile = bytes.wire16(end)
            extensionLength = Int(bytes.wire16(end &+ 2)) &* 4
            extensionOffset = end &+ 4
            end = extensionOffset &+ extensionLength
            guard end <= count else { throw .rtpBadExtension }
        } else {
            (extensionProfile, extensionLength, extensionOffset) = (0, 0, 0)
        }
        headerLength = end
        let rest = count &- end
        if readsPadding && first & 0x20 != 0 {
            guard rest > 0 else { throw .rtpBadPadding }
            paddingLength = Int(bytes.wire8(count &- 1))
            guard paddingLength > 0, paddingLength <= rest else { throw .rtpBadPadding }
        } else {
            paddingLength = 0
        }
        payloadLength = rest &- paddingLength
    }

    /// Contributing source `index` of the packet this layout was read from.
    /// - Returns: nil where there are not so many, or where `bytes` is not that packet.
    public func csrc(_ index: Int, in bytes: RawSpan) -> UInt32? {
        guard index >= 0, index < csrcCount, Self.fixedLength + (index + 1) * 4 <= bytes.byteCount else { return nil }
        return bytes.wire32(Self.fixedLength + index * 4)
    }
}

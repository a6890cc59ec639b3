/// What a datagram on a shared port carries, by its first byte (RFC 7983 section 7, RFC 9443 section 3) and, inside
/// the range of RTP, by its second (RFC 5761 section 4).
public enum PacketKind: UInt8, Hashable, Sendable, CaseIterable {
    /// First byte 0..3.
    case stun
    /// First byte 16..19; Petrel does not speak it.
    case zrtp
    /// First byte 20..63.
    case dtls
    /// First byte 64..79: ChannelData of TURN.
    case turnChannel
    /// First byte 128..191, second byte outside 192..223.
    case rtp
    /// First byte 128..191, second byte 192..223.
    case rtcp
    /// First byte 80..127 or 192..255; Petrel does not speak it.
    case quic
    /// First byte 4..15, and datagrams too short to tell.
    case unknown
}

/// Tells the protocols apart that share one UDP port.
public enum Demultiplexer {
    /// The kind of a datagram. Nothing but the first two bytes is looked at; the protocol's own parser judges the rest.
    public static func classify(_ bytes: RawSpan) -> PacketKind {
        guard bytes.byteCount > 0 else { return .unknown }
        switch bytes.wire8(0) {
        case 0...3: return .stun
        case 16...19: return .zrtp
        case 20...63: return .dtls
        case 64...79: return .turnChannel
        case 128...191:
            guard bytes.byteCount > 1 else { return .unknown }
            return (192...223).contains(bytes.wire8(1)) ? .rtcp : .rtp
        case 80...127, 192...255: return .quic
        default: return .unknown
        }
    }
}

internal import PetrelCore

/// The sliding-window random linear code that two Petrel peers repair video with ("swfec").
///
/// A repair packet is an RTP packet of a source of its own. Its payload:
/// ```
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |  version = 0  |     count     |  base: first sequence number  |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |  coded symbol ...
/// ```
/// It is the sum, over GF(2^8), of the source symbols of the `count` media packets from `base` on, each times a
/// coefficient that follows from the sequence numbers of the repair packet and of the media packet. A source symbol is
/// the length of the RTP payload (16 bits), marker and payload type (8 bits, as in the RTP header), the RTP timestamp
/// (32 bits), and the RTP payload, followed by as many zeros as needed. Header extensions are not covered: they are
/// stamped at release.
///
/// `base` also says that nothing before it is repaired any more.
public enum RepairCode {
    /// Bytes in front of the coded symbol.
    public static let headerLength = 4
    /// Bytes of a source symbol in front of the RTP payload.
    public static let symbolHeaderLength = 7
    /// Packets that one repair packet may cover. At 720p, 128 are the frames of half a second. Work per repair packet and
    /// the memory of the decoder grow with it; the count on the wire ends at 255.
    public static let maximumWindow = 128
    /// The longest symbol: the longest RTP payload of a datagram of 1,200 bytes with room to spare.
    public static let maximumSymbol = 1344

    /// The coefficient of a media packet in a repair packet: never zero, so that any repair packet tells of each packet
    /// it covers.
    /// - Parameters:
    ///   - repair: the RTP sequence number of the repair packet.
    ///   - sequence: that of the media packet.
    public static func coefficient(repair: UInt16, sequence: UInt16) -> UInt8 {
        // A mix of 32 bits in which every input bit reaches every output bit; then 0..<255 by its upper 24 bits.
        var mixed = (UInt32(repair) << 16 | UInt32(sequence)) &+ 0x9E37_79B9
        mixed ^= mixed >> 16
        mixed = mixed &* 0x7FEB_352D
        mixed ^= mixed >> 15
        mixed = mixed &* 0x846C_A68B
        mixed ^= mixed >> 16
        return UInt8(truncatingIfNeeded: 1 &+ (((mixed >> 8) &* 255) >> 24))
    }
}

/// Says which frames of a stream were handed to the decoder: an APP packet of Petrel's own (RFC 3550 section 6.7), sent
/// only where the frame-references extension was negotiated, repeated until nothing is open.
public struct FrameAcknowledgement: Hashable, Sendable {
    /// "PTRL".
    public static let name: UInt32 = 0x5054_524C
    /// Which kind of APP packet of that name it is.
    public static let subtype: UInt8 = 2
    /// Bytes behind the name: source, picture id, two unused bytes, bitmap.
    static let length = 16

    /// The source of the stream.
    public var mediaSSRC: UInt32
    /// The picture id (15 bits) of the newest frame that was handed out.
    public var newest: UInt16
    /// Bit `i`: the frame with the id `newest - 1 - i` was handed out; zero: it was passed over.
    public var earlier: UInt64

    public init(mediaSSRC: UInt32, newest: UInt16, earlier: UInt64) {
        (self.mediaSSRC, self.newest, self.earlier) = (mediaSSRC, newest, earlier)
    }

    /// Reads one.
    /// - Returns: nil where it is another APP packet, or not of this form.
    public init?(_ packet: RTCPApplication) {
        guard packet.name == Self.name, packet.subtype == Self.subtype, packet.data.count >= Self.length else {
            return nil
        }
        var words: (UInt64, UInt64) = (0, 0)
        for index in 0..<8 {
            words.0 = words.0 << 8 | UInt64(packet.data[index])
            words.1 = words.1 << 8 | UInt64(packet.data[index + 8])
        }
        mediaSSRC = UInt32(truncatingIfNeeded: words.0 >> 32)
        newest = UInt16(truncatingIfNeeded: words.0 >> 16) & 0x7FFF
        earlier = words.1
    }

    /// The packet that says it.
    public func application(senderSSRC: UInt32) -> RTCPApplication {
        let head = UInt64(mediaSSRC) << 32 | UInt64(newest & 0x7FFF) << 16
        var data: [UInt8] = []
        data.reserveCapacity(Self.length)
        for word in [head, earlier] {
            for shift in stride(from: UInt64(56), through: 0, by: -8) {
                data.append(UInt8(truncatingIfNeeded: word >> shift))
            }
        }
        return RTCPApplication(subtype: Self.subtype, ssrc: senderSSRC, name: Self.name, data: data)
    }
}

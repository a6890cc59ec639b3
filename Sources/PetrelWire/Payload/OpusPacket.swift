public import PetrelCore

/// The layout of one Opus packet (RFC 6716 section 3), read without decoding it. An RTP payload is exactly one
/// (RFC 7587 section 4.2).
public struct OpusPacket: Hashable, Sendable {
    /// Which of the coder's layers the packet uses.
    public enum Mode: UInt8, Hashable, Sendable { case silk, hybrid, celt }

    /// The longest packet, in samples at 48 kHz: 120 ms (RFC 6716 section 3.2.5).
    public static let maximumSamples = 5760
    /// The longest frame in bytes (RFC 6716 section 3.2.1).
    public static let maximumFrameLength = 1275

    /// The mode of the codec.
    public let mode: Mode
    /// Whether two channels are coded.
    public let isStereo: Bool
    /// The number of frames, 1...48.
    public let frameCount: Int
    /// The length of one frame in samples at 48 kHz: 120...2880.
    public let samplesPerFrame: Int
    /// The bytes of padding at the end, its count bytes not included.
    public let paddingLength: Int

    /// The length of the packet in samples at 48 kHz, at most ``maximumSamples``.
    public var samples: Int { frameCount * samplesPerFrame }

    /// The length of a packet in samples at 48 kHz; nil for a packet that RFC 6716 section 3.4 calls invalid.
    public static func samples(in payload: RawSpan) -> Int? { try? OpusPacket(parsing: payload).samples }

    /// Reads and checks the framing by the requirements R1 to R7 of RFC 6716 section 3.4.
    /// - Throws: `payloadEmpty`, `payloadMalformed`.
    public init(parsing payload: RawSpan) throws(DropReason) {
        let count = payload.byteCount
        guard count > 0 else { throw .payloadEmpty }
        let toc = payload.wire8(0)
        let config = Int(toc >> 3)
        (mode, samplesPerFrame) = Self.frame(config)
        isStereo = toc & 0x04 != 0
        switch toc & 0x03 {
        case 0:
            guard count &- 1 <= Self.maximumFrameLength else { throw .payloadMalformed }
            (frameCount, paddingLength) = (1, 0)
        case 1:
            guard (count &- 1) & 1 == 0, (count &- 1) / 2 <= Self.maximumFrameLength else { throw .payloadMalformed }
            (frameCount, paddingLength) = (2, 0)
        case 2:
            var offset = 1
            guard let first = Self.frameLength(payload, &offset, end: count), first <= count &- offset,
                count &- offset &- first <= Self.maximumFrameLength
            else { throw .payloadMalformed }
            (frameCount, paddingLength) = (2, 0)
        default:
            guard count >= 2 else { throw .payloadMalformed }
            let head = payload.wire8(1)
            frameCount = Int(head & 0x3F)
            guard frameCount > 0, frameCount * samplesPerFrame <= Self.maximumSamples else { throw .payloadMalformed }
            var offset = 2
            var padding = 0
            if head & 0x40 != 0 {
                // Each 255 stands for 254 bytes and another count byte.
                while true {
                    guard offset < count else { throw .payloadMalformed }
                    let byte = Int(payload.wire8(offset))
                    offset &+= 1
                    padding &+= byte == 255 ? 254 : byte
                    if byte != 255 { break }
                }
            }
            paddingLength = padding
            guard padding <= count &- offset else { throw .payloadMalformed }
            let end = count &- padding
            if head & 0x80 == 0 {
                let (length, rest) = (end &- offset).quotientAndRemainder(dividingBy: frameCount)
                guard rest == 0, length <= Self.maximumFrameLength else { throw .payloadMalformed }
            } else {
                var sum = 0
                for _ in 1..<frameCount {
                    guard let length = Self.frameLength(payload, &offset, end: end) else { throw .payloadMalformed }
                    sum &+= length
                }
                guard sum <= end &- offset, end &- offset &- sum <= Self.maximumFrameLength else {
                    throw .payloadMalformed
                }
            }
        }
    }

    /// The mode and the samples of a frame that a configuration number stands for (RFC 6716 table 2).
    private static func frame(_ config: Int) -> (Mode, Int) {
        switch config {
        case 0..<12:
            // 10, 20, 40, 60 ms
            let size = config & 3
            return (.silk, size == 3 ? 2880 : 480 << size)
        case 12..<16: return (.hybrid, 480 << (config & 1))
        default: return (.celt, 120 << (config & 3))
        }
    }

    /// One length of a frame in one or two bytes (RFC 6716 section 3.2.1).
    private static func frameLength(_ payload: RawSpan, _ offset: inout Int, end: Int) -> Int? {
        guard offset < end else { return nil }
        let first = Int(payload.wire8(offset))
        offset &+= 1
        guard first >= 252 else { return first }
        guard offset < end else { return nil }
        let second = Int(payload.wire8(offset))
        offset &+= 1
        return second &* 4 &+ first
    }
}

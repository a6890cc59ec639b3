public import PetrelCore

/// The uncompressed head of a VP8 frame (RFC 6386 section 9.1), as far as transport needs it.
public struct VP8FrameHeader: Hashable, Sendable {
    /// Whether the frame can be decoded alone.
    public let isKeyFrame: Bool
    /// The bitstream profile, 0...3 in streams that exist; 0...7 on the wire.
    public let version: UInt8
    /// Whether the frame is to be displayed.
    public let isShown: Bool
    /// The bytes of the first partition.
    public let firstPartitionLength: Int
    /// The width in pixels of a key frame, 1...16383; zero otherwise.
    public let width: Int
    /// The height in pixels of a key frame, 1...16383; zero otherwise.
    public let height: Int

    /// Reads the head of a frame: 3 bytes, 10 in a key frame. Whether the size is acceptable is the caller's question.
    /// - Throws: `truncated`; `payloadMalformed` for a key frame without its start code or with a size of zero.
    public init(parsing frame: RawSpan) throws(DropReason) {
        guard frame.byteCount >= 3 else { throw .truncated }
        let tag = UInt32(frame.wire8(0)) | UInt32(frame.wire8(1)) << 8 | UInt32(frame.wire8(2)) << 16
        isKeyFrame = tag & 1 == 0
        version = UInt8(truncatingIfNeeded: tag >> 1) & 7
        isShown = tag & 0x10 != 0
        firstPartitionLength = Int(tag >> 5)
        guard isKeyFrame else {
            (width, height) = (0, 0)
            return
        }
        guard frame.byteCount >= 10 else { throw .truncated }
        guard frame.wire24(3) == 0x9D012A else { throw .payloadMalformed }
        // Little-endian; the upper two bits are the scaling, which is for display only.
        width = Int(frame.wire16(6).byteSwapped & 0x3FFF)
        height = Int(frame.wire16(8).byteSwapped & 0x3FFF)
        guard width > 0, height > 0 else { throw .payloadMalformed }
    }
}

/// The uncompressed beginning of a VP8 frame (RFC 6386 section 9.1).
public struct VP8FrameHeader: Hashable, Sendable {
    /// Whether the frame can be decoded alone.
    public let isKeyFrame: Bool
    /// 0 to 3: which filters are used.
    public let version: UInt8
    /// Whether the picture is meant to be seen.
    public let isShown: Bool
    /// The length of the first partition in bytes.
    public let firstPartitionSize: Int
    /// The size in pixels that a key frame claims; zero in other frames.
    public let width: Int
    public let height: Int

    /// Reads the beginning of a frame.
    /// - Returns: nil where it is too short, or a key frame without its start code.
    public init?(_ frame: UnsafeRawBufferPointer) {
        guard frame.count >= 3 else { return nil }
        let tag = UInt32(frame[0]) | UInt32(frame[1]) << 8 | UInt32(frame[2]) << 16
        isKeyFrame = tag & 1 == 0
        version = UInt8(truncatingIfNeeded: tag >> 1 & 7)
        isShown = tag >> 4 & 1 == 1
        firstPartitionSize = Int(tag >> 5)
        guard isKeyFrame else {
            (width, height) = (0, 0)
            return
        }
        guard frame.count >= 10, frame[3] == 0x9D, frame[4] == 0x01, frame[5] == 0x2A else { return nil }
        // The two uppermost bits of each side ask the renderer to scale; nobody does.
        width = Int(frame[6]) | Int(frame[7] & 0x3F) << 8
        height = Int(frame[8]) | Int(frame[9] & 0x3F) << 8
    }
}

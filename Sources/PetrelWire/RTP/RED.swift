public import PetrelCore

/// Redundant payloads (RFC 2198): one RTP payload that holds the newest packet of a stream and earlier ones again.
///
/// The structure describes a payload that was read; it holds offsets and no bytes, and nothing here allocates. What a
/// block holds is the affair of its payload type; a block that is RED again is only a block of a type that nobody asks
/// for, so nesting ends here.
public struct RED: Sendable {
    /// One block: where it lies in the payload, and how much earlier than the RTP timestamp it begins.
    public struct Block: Hashable, Sendable {
        /// 0...127.
        public var payloadType: UInt8
        /// In ticks of the stream's clock, less than 2^14; zero for the last block.
        public var timestampOffset: UInt16
        /// The bytes in the payload, possibly none.
        public var offset: Int
        public var length: Int
        /// Whether it is the last block, to which the RTP timestamp belongs.
        public var isPrimary: Bool

        /// Its bytes in the payload.
        public var range: Range<Int> { offset..<(offset &+ length) }
    }

    /// The most blocks read: what libwebrtc reads too. If it grew, so would what one packet can make a receiver do.
    public static let maximumBlocks = 32
    /// The longest block that is not the last: ten bits (RFC 2198 section 3).
    public static let maximumBlockLength = 1023
    /// The greatest timestamp offset: fourteen bits, 341 ms at 48 kHz.
    public static let maximumTimestampOffset = 16_383
    /// The bytes in front of a payload for each block but the last, and for the last.
    public static let blockHeaderLength = 4
    public static let primaryHeaderLength = 1

    /// The number of blocks, 1...``maximumBlocks``; the last one is the newest.
    public private(set) var count = 0
    private var blocks = InlineArray<32, Block>(
        repeating: Block(payloadType: 0, timestampOffset: 0, offset: 0, length: 0, isPrimary: false))

    /// The block at this index; the last one beyond the ends.
    public subscript(index: Int) -> Block { blocks[max(0, min(count &- 1, index))] }

    /// Reads the block headers of an RTP payload.
    /// - Throws: `payloadEmpty`; `truncated` where the headers do not end within the payload; `badLength` where blocks
    ///   are longer than it; `tooMany` beyond ``maximumBlocks``.
    public init(parsing payload: RawSpan) throws(DropReason) {
        let end = payload.byteCount
        guard end > 0 else { throw .payloadEmpty }
        var at = 0
        while true {
            guard at < end else { throw .truncated }
            guard count < Self.maximumBlocks else { throw .tooMany }
            let first = payload.wire8(at)
            if first & 0x80 == 0 {
                blocks[count] = Block(
                    payloadType: first & 0x7F, timestampOffset: 0, offset: 0, length: 0, isPrimary: true)
                count &+= 1
                at &+= Self.primaryHeaderLength
                break
            }
            guard end &- at >= Self.blockHeaderLength else { throw .truncated }
            let rest = payload.wire24(at &+ 1)
            blocks[count] = Block(
                payloadType: first & 0x7F, timestampOffset: UInt16(truncatingIfNeeded: rest >> 10), offset: 0,
                length: Int(rest & 0x3FF), isPrimary: false)
            count &+= 1
            at &+= Self.blockHeaderLength
        }
        for index in 0..<(count &- 1) {
            guard blocks[index].length <= end &- at else { throw .badLength }
            blocks[index].offset = at
            at &+= blocks[index].length
        }
        blocks[count &- 1].offset = at
        blocks[count &- 1].length = end &- at
    }

    /// Writes a payload: the redundant blocks, oldest first, and the newest packet.
    /// - Parameters:
    ///   - count: the number of redundant blocks.
    ///   - block: the redundant block of an index: its timestamp offset and its bytes.
    /// - Returns: the bytes written; nil where they do not fit, or a block cannot be written (longer than
    ///   ``maximumBlockLength``, earlier than ``maximumTimestampOffset``).
    public static func write(
        into buffer: UnsafeMutableRawBufferPointer, payloadType: UInt8, primary: UnsafeRawBufferPointer, count: Int,
        block: (Int) -> (timestampOffset: Int, bytes: UnsafeRawBufferPointer)
    ) -> Int? {
        guard count >= 0, count < maximumBlocks else { return nil }
        let headers = count &* blockHeaderLength &+ primaryHeaderLength
        guard buffer.holds(headers, at: 0) else { return nil }
        var at = headers
        for index in 0..<count {
            let (offset, bytes) = block(index)
            guard (0...maximumTimestampOffset).contains(offset), bytes.count <= maximumBlockLength,
                buffer.holds(bytes.count, at: at)
            else { return nil }
            let fields = UInt32(truncatingIfNeeded: offset) << 10 | UInt32(truncatingIfNeeded: bytes.count)
            buffer.put8(0x80 | payloadType & 0x7F, at: index &* blockHeaderLength)
            buffer.put8(UInt8(truncatingIfNeeded: fields >> 16), at: index &* blockHeaderLength &+ 1)
            buffer.put16(UInt16(truncatingIfNeeded: fields), at: index &* blockHeaderLength &+ 2)
            UnsafeMutableRawBufferPointer(rebasing: buffer[at...]).copyMemory(from: bytes)
            at &+= bytes.count
        }
        buffer.put8(payloadType & 0x7F, at: headers &- 1)
        guard buffer.holds(primary.count, at: at) else { return nil }
        UnsafeMutableRawBufferPointer(rebasing: buffer[at...]).copyMemory(from: primary)
        return at &+ primary.count
    }
}

public import PetrelCore

/// The descriptor in front of VP8 data in every packet (RFC 7741 section 4.2).
public struct VP8PayloadDescriptor: Hashable, Sendable {
    /// The most bytes a descriptor can have: the head, X, a picture id of two bytes, TL0PICIDX, TID/Y/KEYIDX.
    public static let maximumLength = 6

    /// N: no other frame refers to this one.
    public var isNonReference: Bool
    /// S: a partition starts here. With ``partitionIndex`` 0, a frame does.
    public var startsPartition: Bool
    /// PID, 0...7.
    public var partitionIndex: UInt8
    /// PictureID, of 7 or 15 bits: see ``hasLongPictureID``.
    public var pictureID: UInt16?
    /// M: the picture id has 15 bits.
    public var hasLongPictureID: Bool
    /// TL0PICIDX.
    public var temporalLayerZeroIndex: UInt8?
    /// TID, 0...3.
    public var temporalLayer: UInt8?
    /// Y: the frame depends on the base layer only. Has no meaning without ``temporalLayer``.
    public var isLayerSync: Bool
    /// KEYIDX, 0...31.
    public var keyIndex: UInt8?

    /// A descriptor to be written. The picture id takes the 15-bit form unless told otherwise, so that its length
    /// never changes during a stream.
    public init(
        startsPartition: Bool, partitionIndex: UInt8 = 0, isNonReference: Bool = false, pictureID: UInt16? = nil,
        hasLongPictureID: Bool = true, temporalLayerZeroIndex: UInt8? = nil, temporalLayer: UInt8? = nil,
        isLayerSync: Bool = false, keyIndex: UInt8? = nil
    ) {
        self.isNonReference = isNonReference
        self.startsPartition = startsPartition
        self.partitionIndex = partitionIndex
        self.pictureID = pictureID
        self.hasLongPictureID = pictureID != nil && hasLongPictureID
        self.temporalLayerZeroIndex = temporalLayerZeroIndex
        self.temporalLayer = temporalLayer
        self.isLayerSync = isLayerSync
        self.keyIndex = keyIndex
    }

    /// Whether the packet is the first one of a frame: S and partition 0.
    public var startsFrame: Bool { startsPartition && partitionIndex == 0 }

    /// The bytes of the descriptor.
    public var length: Int {
        var length = 1
        guard hasExtension else { return length }
        length += 1
        if pictureID != nil { length += hasLongPictureID ? 2 : 1 }
        if temporalLayerZeroIndex != nil { length += 1 }
        if temporalLayer != nil || keyIndex != nil { length += 1 }
        return length
    }

    private var hasExtension: Bool {
        pictureID != nil || temporalLayerZeroIndex != nil || temporalLayer != nil || keyIndex != nil
    }

    /// Reads the descriptor at the start of an RTP payload; reserved bits are ignored.
    /// - Parameters:
    ///   - payload: the payload without padding.
    /// - Returns: the descriptor, and how many bytes it took: the VP8 data begins there. That differs from ``length``
    ///   where the sender set X without any field.
    /// - Throws: `payloadEmpty` for no bytes, or none behind the descriptor; `payloadMalformed` for a cut descriptor.
    public static func parse(
        _ payload: RawSpan
    ) throws(DropReason) -> (descriptor: VP8PayloadDescriptor, length: Int) {
        let count = payload.byteCount
        guard count > 0 else { throw .payloadEmpty }
        let head = payload.wire8(0)
        var result = VP8PayloadDescriptor(
            startsPartition: head & 0x10 != 0, partitionIndex: head & 0x07, isNonReference: head & 0x20 != 0)
        var offset = 1
        if head & 0x80 != 0 {
            guard offset < count else { throw .payloadMalformed }
            let flags = payload.wire8(offset)
            offset &+= 1
            if flags & 0x80 != 0 {
                guard offset < count else { throw .payloadMalformed }
                let byte = payload.wire8(offset)
                if byte & 0x80 != 0 {
                    guard offset &+ 1 < count else { throw .payloadMalformed }
                    result.pictureID = payload.wire16(offset) & 0x7FFF
                    result.hasLongPictureID = true
                    offset &+= 2
                } else {
                    result.pictureID = UInt16(byte)
                    offset &+= 1
                }
            }
            if flags & 0x40 != 0 {
                guard offset < count else { throw .payloadMalformed }
                result.temporalLayerZeroIndex = payload.wire8(offset)
                offset &+= 1
            }
            if flags & 0x30 != 0 {
                guard offset < count else { throw .payloadMalformed }
                let byte = payload.wire8(offset)
                if flags & 0x20 != 0 {
                    result.temporalLayer = byte >> 6
                    result.isLayerSync = byte & 0x20 != 0
                }
                if flags & 0x10 != 0 { result.keyIndex = byte & 0x1F }
                offset &+= 1
            }
        }
        guard offset < count else { throw .payloadEmpty }
        return (result, offset)
    }

    /// Writes the descriptor at the start of `buffer`; values are cut to their width.
    /// - Returns: ``length``, or nil where the buffer is shorter.
    public func write(into buffer: UnsafeMutableRawBufferPointer) -> Int? {
        let length = length
        guard buffer.holds(length, at: 0) else { return nil }
        let head: UInt8 = (isNonReference ? 0x20 : 0) | (startsPartition ? 0x10 : 0) | (partitionIndex & 0x07)
        guard hasExtension else {
            buffer.put8(head, at: 0)
            return length
        }
        buffer.put8(head | 0x80, at: 0)
        var flags: UInt8 = 0
        var offset = 2
        if let pictureID {
            flags |= 0x80
            if hasLongPictureID {
                buffer.put16(pictureID | 0x8000, at: offset)
                offset += 2
            } else {
                buffer.put8(UInt8(truncatingIfNeeded: pictureID & 0x7F), at: offset)
                offset += 1
            }
        }
        if let temporalLayerZeroIndex {
            flags |= 0x40
            buffer.put8(temporalLayerZeroIndex, at: offset)
            offset += 1
        }
        if temporalLayer != nil || keyIndex != nil {
            var byte: UInt8 = 0
            if let temporalLayer {
                flags |= 0x20
                byte |= temporalLayer << 6 | (isLayerSync ? 0x20 : 0)
            }
            if let keyIndex {
                flags |= 0x10
                byte |= keyIndex & 0x1F
            }
            buffer.put8(byte, at: offset)
        }
        buffer.put8(flags, at: 1)
        return length
    }
}

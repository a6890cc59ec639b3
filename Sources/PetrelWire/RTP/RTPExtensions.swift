internal import PetrelCore

/// The header extensions of one packet, as values (RFC 8285). A plain value without heap storage.
public struct RTPExtensions: Hashable, Sendable {
    /// The elements that are understood; nil for what the packet does not carry.
    public var mid: ShortToken?
    public var rid: ShortToken?
    public var absSendTime: AbsSendTime?
    public var transportSequenceNumber: UInt16?
    public var absCaptureTime: AbsCaptureTime?
    public var audioLevel: AudioLevel?
    public var frameReferences: FrameReferences?

    /// No extension.
    public init(
        mid: ShortToken? = nil, rid: ShortToken? = nil, absSendTime: AbsSendTime? = nil,
        transportSequenceNumber: UInt16? = nil, absCaptureTime: AbsCaptureTime? = nil, audioLevel: AudioLevel? = nil,
        frameReferences: FrameReferences? = nil
    ) {
        self.mid = mid
        self.rid = rid
        self.absSendTime = absSendTime
        self.transportSequenceNumber = transportSequenceNumber
        self.absCaptureTime = absCaptureTime
        self.audioLevel = audioLevel
        self.frameReferences = frameReferences
    }

    /// "Defined by profile" of the one-byte form (RFC 8285 section 4.2).
    public static let oneByteProfile: UInt16 = 0xBEDE
    /// "Defined by profile" of the two-byte form; the lowest four bits are for the application (section 4.3).
    public static let twoByteProfile: UInt16 = 0x1000

    /// Reads the extensions that `map` names. It never fails: an extension of a wrong length or content is ignored
    /// alone, and reading stops where the rest cannot be trusted (one-byte form: id 0 with a length, id 15; both
    /// forms: an element that runs over the end). Of two with the same id the later one stands.
    /// - Parameters:
    ///   - bytes: the packet that `header` was read from.
    public init(reading bytes: RawSpan, header: RTPHeader, map: RTPExtensionMap) {
        self.init()
        guard header.extensionLength > 0 else { return }
        let end = header.extensionOffset &+ header.extensionLength
        guard end <= bytes.byteCount else { return }
        if header.extensionProfile == Self.oneByteProfile {
            readOneByte(bytes, header.extensionOffset, end, map)
        } else if header.extensionProfile & 0xFFF0 == Self.twoByteProfile {
            readTwoByte(bytes, header.extensionOffset, end, map)
        }
    }

    private mutating func readOneByte(_ bytes: RawSpan, _ start: Int, _ end: Int, _ map: RTPExtensionMap) {
        var offset = start
        while offset < end {
            let head = bytes.wire8(offset)
            offset &+= 1
            if head == 0 { continue }
            let id = head >> 4
            guard id != 0, id != 15 else { return }
            let length = Int(head & 0x0F) &+ 1
            guard length <= end &- offset else { return }
            take(id, bytes, offset, length, map)
            offset &+= length
        }
    }

    private mutating func readTwoByte(_ bytes: RawSpan, _ start: Int, _ end: Int, _ map: RTPExtensionMap) {
        var offset = start
        while offset < end {
            let id = bytes.wire8(offset)
            offset &+= 1
            if id == 0 { continue }
            guard offset < end else { return }
            let length = Int(bytes.wire8(offset))
            offset &+= 1
            guard length <= end &- offset else { return }
            take(id, bytes, offset, length, map)
            offset &+= length
        }
    }

    @inline(__always)
    private mutating func take(_ id: UInt8, _ bytes: RawSpan, _ offset: Int, _ length: Int, _ map: RTPExtensionMap) {
        if id == map.transportSequenceNumber {
            if length == 2 { transportSequenceNumber = bytes.wire16(offset) }
        } else if id == map.absSendTime {
            if length == 3 { absSendTime = AbsSendTime(bits: bytes.wire24(offset)) }
        } else if id == map.mid {
            if let token = ShortToken(bytes.extracting(offset..<(offset &+ length))) { mid = token }
        } else if id == map.absCaptureTime {
            if length == 8 || length == 16 {
                absCaptureTime = AbsCaptureTime(
                    captureTime: NTPTime(bits: bytes.wire64(offset)),
                    clockOffset: length == 16 ? Int64(bitPattern: bytes.wire64(offset &+ 8)) : nil)
            }
        } else if id == map.audioLevel {
            if length == 1 {
                let byte = bytes.wire8(offset)
                audioLevel = AudioLevel(level: byte & 0x7F, isVoice: byte & 0x80 != 0)
            }
        } else if id == map.frameReferences {
            if let references = FrameReferences(reading: bytes.extracting(offset..<(offset &+ length))) {
                frameReferences = references
            }
        } else if id == map.rid {
            if let token = ShortToken(bytes.extracting(offset..<(offset &+ length))) { rid = token }
        }
    }
}

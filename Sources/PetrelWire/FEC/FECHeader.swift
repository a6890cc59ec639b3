public import PetrelCore

/// The forms of parity packets that are understood.
public enum FECFormat: Hashable, Sendable, CaseIterable {
    /// RFC 5109 with level 0 only.
    case ulpfec
    /// draft-ietf-payload-flexible-fec-scheme-03, for one protected stream: what is negotiated as "flexfec-03".
    case flexfec03
    /// RFC 8627, for one protected stream: what is negotiated as "flexfec".
    case flexfec
}

/// The head of a parity packet: the recovery fields, and which packets they are the exclusive-or of.
public struct FECHeader: Hashable, Sendable {
    /// How it looks on the wire.
    public var format: FECFormat
    /// P, X and CC of the protected packets, in the lower six bits.
    public var flags: UInt8
    /// M and the payload type.
    public var markerAndType: UInt8
    /// The lengths behind the fixed RTP header of 12 bytes.
    public var length: UInt16
    public var timestamp: UInt32
    /// The sequence number that the mask counts from.
    public var base: UInt16
    public var mask: FECMask
    /// The protected source, where the format says it.
    public var protectedSSRC: UInt32?
    /// Bytes that are protected, from the end of the fixed RTP header on: the longest protected packet has so many.
    public var protectionLength: Int

    public init(
        format: FECFormat, flags: UInt8 = 0, markerAndType: UInt8 = 0, length: UInt16 = 0, timestamp: UInt32 = 0,
        base: UInt16 = 0, mask: FECMask = FECMask(), protectedSSRC: UInt32? = nil, protectionLength: Int = 0
    ) {
        self.format = format
        self.flags = flags
        self.markerAndType = markerAndType
        self.length = length
        self.timestamp = timestamp
        self.base = base
        self.mask = mask
        self.protectedSSRC = protectedSSRC
        self.protectionLength = protectionLength
    }

    /// The longest body that is protected: what fits into a datagram behind the fixed header. If it grows, so do the
    /// stores of everything that recovers.
    public static let maximumProtection = 1488
    /// The most bytes of a head: flexfec-03 with its longest mask.
    public static let maximumLength = 32

    /// Reads the head of a parity packet.
    /// - Parameters:
    ///   - payload: the payload of the RTP packet, or of the RED block that it comes in.
    /// - Returns: the head and where the protected bytes begin.
    /// - Throws: `truncated`; `badValue` for reserved bits, a mask without packets, retransmissions in FlexFEC and more
    ///   than one protected source; `badLength` for a body longer than ``maximumProtection``; `tooMany` for more than 110
    ///   packets.
    public static func parse(
        _ payload: RawSpan, format: FECFormat
    ) throws(DropReason) -> (header: FECHeader, bodyOffset: Int) {
        guard payload.byteCount >= 12 else { throw .truncated }
        var header = FECHeader(format: format)
        let first = payload.wire8(0)
        header.flags = first & 0x3F
        header.markerAndType = payload.wire8(1)
        let offset: Int
        switch format {
        case .ulpfec: offset = try header.readULPFEC(payload, first)
        case .flexfec03: offset = try header.readDraft(payload, first)
        case .flexfec: offset = try header.readFlexFEC(payload, first)
        }
        guard !header.mask.isEmpty else { throw .badValue }
        guard header.protectionLength <= maximumProtection else { throw .badLength }
        return (header, offset)
    }

    /// RFC 5109 sections 7.3 and 7.4.
    private mutating func readULPFEC(_ payload: RawSpan, _ first: UInt8) throws(DropReason) -> Int {
        // E is reserved; no meaning is known for what would follow.
        guard first & 0x80 == 0 else { throw .badValue }
        base = payload.wire16(2)
        timestamp = payload.wire32(4)
        length = payload.wire16(8)
        protectionLength = Int(payload.wire16(10))
        let isLong = first & 0x40 != 0
        let offset = isLong ? 18 : 14
        guard payload.byteCount >= offset else { throw .truncated }
        mask.insert(bits: UInt64(payload.wire16(12)), count: 16, first: 0)
        if isLong { mask.insert(bits: UInt64(payload.wire32(14)), count: 32, first: 16) }
        guard protectionLength <= payload.byteCount &- offset else { throw .truncated }
        return offset
    }

    /// Section 4.2 of the draft: a K bit of one ends the mask.
    private mutating func readDraft(_ payload: RawSpan, _ first: UInt8) throws(DropReason) -> Int {
        guard first & 0xC0 == 0 else { throw .badValue }
        guard payload.byteCount >= 20 else { throw .truncated }
        length = payload.wire16(2)
        timestamp = payload.wire32(4)
        guard payload.wire8(8) == 1 else { throw .badValue }
        protectedSSRC = payload.wire32(12)
        base = payload.wire16(16)
        let short = payload.wire16(18)
        mask.insert(bits: UInt64(short & 0x7FFF), count: 15, first: 0)
        var offset = 20
        if short & 0x8000 == 0 {
            guard payload.byteCount >= 24 else { throw .truncated }
            let middle = payload.wire32(20)
            mask.insert(bits: UInt64(middle & 0x7FFF_FFFF), count: 31, first: 15)
            offset = 24
            if middle & 0x8000_0000 == 0 {
                guard payload.byteCount >= 32 else { throw .truncated }
                let long = payload.wire64(24)
                guard long >> 63 == 1 else { throw .badValue }
                mask.insert(bits: long & (.max >> 1), count: 63, first: 46)
                offset = 32
            }
        }
        protectionLength = payload.byteCount &- offset
        return offset
    }

    /// RFC 8627 section 4.2.2: a k bit of one means that the mask goes on.
    private mutating func readFlexFEC(_ payload: RawSpan, _ first: UInt8) throws(DropReason) -> Int {
        // R: a retransmission, which is no parity.
        guard first & 0x80 == 0 else { throw .badValue }
        length = payload.wire16(2)
        timestamp = payload.wire32(4)
        base = payload.wire16(8)
        var offset = 12
        if first & 0x40 != 0 {
            let (columns, rows) = (Int(payload.wire8(10)), Int(payload.wire8(11)))
            guard columns > 0 else { throw .badValue }
            // D of 0 and 1: one row of L packets; above: D packets L apart (section 4.2.2.2).
            let (count, step) = rows <= 1 ? (columns, 1) : (rows, columns)
            guard (count &- 1) &* step < FECMask.limit else { throw .tooMany }
            for index in 0..<count { mask.insert(index &* step) }
        } else {
            let short = payload.wire16(10)
            mask.insert(bits: UInt64(short & 0x7FFF), count: 15, first: 0)
            if short & 0x8000 != 0 {
                guard payload.byteCount >= 16 else { throw .truncated }
                let middle = payload.wire32(12)
                mask.insert(bits: UInt64(middle & 0x7FFF_FFFF), count: 31, first: 15)
                offset = 16
                if middle & 0x8000_0000 != 0 {
                    guard payload.byteCount >= 24 else { throw .truncated }
                    mask.insert(bits: payload.wire64(16), count: 64, first: 46)
                    offset = 24
                }
            }
        }
        protectionLength = payload.byteCount &- offset
        return offset
    }
}

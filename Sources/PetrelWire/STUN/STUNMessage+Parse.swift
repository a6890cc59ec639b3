public import PetrelCore

extension STUNMessage {
    /// Whether a datagram can be STUN at all: first two bits zero, the cookie in place. Cheap, for demultiplexing.
    public static func looksLikeSTUN(_ bytes: RawSpan) -> Bool {
        bytes.byteCount >= headerLength && STUNBytes.uint8(bytes, 0) < 4
            && STUNBytes.uint32(bytes, 4) == magicCookie
    }

    /// Parses one datagram.
    ///
    /// Attributes after MESSAGE-INTEGRITY are not read, FINGERPRINT excepted (RFC 8489 section 9). Of an attribute
    /// that comes twice the first counts (section 14). Unknown comprehension-required types are noted, not refused:
    /// the answer to them is a matter of the transaction.
    /// - Throws: `truncated`, `badLength` (length field, overrun, value of a wrong size), `badValue` (first bits,
    ///   address family, error class, something after FINGERPRINT), `stunBadCookie`, `stunBadFingerprint`, `tooMany`
    ///   attributes, `datagramTooLong`.
    public init(parsing bytes: RawSpan) throws(DropReason) {
        self.init()
        guard bytes.byteCount >= Self.headerLength else { throw .truncated }
        guard bytes.byteCount <= Self.maximumLength else { throw .datagramTooLong }
        let type = STUNBytes.uint16(bytes, 0)
        guard type & 0xC000 == 0 else { throw .badValue }
        guard STUNBytes.uint32(bytes, 4) == Self.magicCookie else { throw .stunBadCookie }
        let body = Int(STUNBytes.uint16(bytes, 2))
        guard body & 3 == 0, body == bytes.byteCount - Self.headerLength else { throw .badLength }

        // The type interleaves the method with the class: M11..M7 C1 M6..M4 C0 M3..M0.
        method = (type & 0x000F) | ((type & 0x00E0) >> 1) | ((type & 0x3E00) >> 2)
        messageClass = Class(rawValue: UInt8(truncatingIfNeeded: ((type >> 7) & 2) | ((type >> 4) & 1))) ?? .request
        transaction = STUNTransactionID(high: STUNBytes.uint32(bytes, 8), low: STUNBytes.uint64(bytes, 12))
        length = bytes.byteCount

        var offset = Self.headerLength
        var count = 0
        while offset < length {
            guard !hasFingerprint else { throw .badValue }
            guard length - offset >= 4 else { throw .badLength }
            count += 1
            guard count <= Self.maximumAttributes else { throw .tooMany }
            let type = STUNBytes.uint16(bytes, offset)
            let size = Int(STUNBytes.uint16(bytes, offset + 2))
            let padded = (size + 3) & ~3
            guard padded <= length - offset - 4 else { throw .badLength }
            let value = (offset + 4)..<(offset + 4 + size)
            if type == STUNAttributeType.fingerprint {
                guard size == 4 else { throw .badLength }
                guard STUNFingerprint.value(of: bytes, count: offset) == STUNBytes.uint32(bytes, offset + 4) else {
                    throw .stunBadFingerprint
                }
                hasFingerprint = true
            } else if integrityOffset == nil {
                try read(type, value, of: bytes)
            }
            offset = value.lowerBound + padded
        }
    }

    private mutating func read(_ type: UInt16, _ value: Range<Int>, of bytes: RawSpan) throws(DropReason) {
        switch type {
        case STUNAttributeType.messageIntegrity:
            guard value.count == 20 else { throw .badLength }
            integrityOffset = value.lowerBound - 4
        case STUNAttributeType.messageIntegritySHA256:
            // Known, so that it is not answered with 420, but ICE authenticates with MESSAGE-INTEGRITY
            // (RFC 8445 section 7.1 refers to the short-term mechanism of RFC 5389).
            guard value.count >= 16, value.count <= 32 else { throw .badLength }
        case STUNAttributeType.username:
            guard value.count <= 513 else { throw .badLength }
            if username == nil { username = value }
        case STUNAttributeType.software:
            guard value.count <= 763 else { throw .badLength }
            if software == nil { software = value }
        case STUNAttributeType.realm:
            guard value.count <= 763 else { throw .badLength }
            if realm == nil { realm = value }
        case STUNAttributeType.nonce:
            guard value.count <= 763 else { throw .badLength }
            if nonce == nil { nonce = value }
        case STUNAttributeType.priority:
            guard value.count == 4 else { throw .badLength }
            if priority == nil { priority = STUNBytes.uint32(bytes, value.lowerBound) }
        case STUNAttributeType.useCandidate:
            guard value.isEmpty else { throw .badLength }
            useCandidate = true
        case STUNAttributeType.iceControlling:
            guard value.count == 8 else { throw .badLength }
            if iceControlling == nil { iceControlling = STUNBytes.uint64(bytes, value.lowerBound) }
        case STUNAttributeType.iceControlled:
            guard value.count == 8 else { throw .badLength }
            if iceControlled == nil { iceControlled = STUNBytes.uint64(bytes, value.lowerBound) }
        case STUNAttributeType.xorMappedAddress:
            let address = try Self.address(value, of: bytes, xor: true)
            if xorMappedAddress == nil { xorMappedAddress = address }
        case STUNAttributeType.mappedAddress:
            let address = try Self.address(value, of: bytes, xor: false)
            if mappedAddress == nil { mappedAddress = address }
        case STUNAttributeType.errorCode:
            guard value.count >= 4, value.count <= 4 + 763 else { throw .badLength }
            let hundreds = Int(STUNBytes.uint8(bytes, value.lowerBound + 2) & 7)
            let rest = Int(STUNBytes.uint8(bytes, value.lowerBound + 3))
            guard (3...6).contains(hundreds), rest < 100 else { throw .badValue }
            if errorCode == nil {
                errorCode = hundreds * 100 + rest
                errorReason = (value.lowerBound + 4)..<value.upperBound
            }
        case STUNAttributeType.unknownAttributes:
            guard value.count & 1 == 0 else { throw .badLength }
            if unknownAttributes == nil { unknownAttributes = value }
        default:
            if STUNAttributeType.isComprehensionRequired(type) { noteUnknownRequired(type) }
        }
    }

    /// MAPPED-ADDRESS and XOR-MAPPED-ADDRESS (RFC 8489 sections 14.1 and 14.2).
    private static func address(
        _ value: Range<Int>, of bytes: RawSpan, xor: Bool
    ) throws(DropReason) -> TransportAddress {
        guard value.count >= 4 else { throw .badLength }
        let start = value.lowerBound
        let port = STUNBytes.uint16(bytes, start + 2) ^ (xor ? UInt16(magicCookie >> 16) : 0)
        switch STUNBytes.uint8(bytes, start + 1) {
        case 1:
            guard value.count == 8 else { throw .badLength }
            return TransportAddress(ipv4: STUNBytes.uint32(bytes, start + 4) ^ (xor ? magicCookie : 0), port: port)
        case 2:
            guard value.count == 20 else { throw .badLength }
            // The 16 octets are XORed with the cookie and the transaction id, which lie at 4..<20 of the message.
            return TransportAddress(
                ipv6High: STUNBytes.uint64(bytes, start + 4) ^ (xor ? STUNBytes.uint64(bytes, 4) : 0),
                low: STUNBytes.uint64(bytes, start + 12) ^ (xor ? STUNBytes.uint64(bytes, 12) : 0), port: port)
        default:
            throw .badValue
        }
    }
}

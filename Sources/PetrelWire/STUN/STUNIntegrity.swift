extension STUNMessage {
    /// Whether MESSAGE-INTEGRITY is there and right (RFC 8489 section 14.5).
    ///
    /// The codec knows no cryptography: `mac` answers the 20 octets of HMAC-SHA1 over what it is given, under the key
    /// of the caller's choice. The comparison takes the same time wherever the octets differ.
    /// - Parameter bytes: the datagram that this message was parsed from.
    public func isAuthentic(_ bytes: RawSpan, mac: (RawSpan) -> [UInt8]) -> Bool {
        guard let offset = integrityOffset, offset >= Self.headerLength, offset + 24 <= bytes.byteCount else {
            return false
        }
        let expected = withUnsafeTemporaryAllocation(byteCount: offset, alignment: 8) { copy in
            bytes.withUnsafeBytes { copy.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[..<offset])) }
            // The length field counts up to and including MESSAGE-INTEGRITY, not what follows it.
            let length = UInt16(truncatingIfNeeded: offset + 24 - Self.headerLength)
            copy.storeBytes(of: length.bigEndian, toByteOffset: 2, as: UInt16.self)
            return mac(UnsafeRawBufferPointer(copy).bytes)
        }
        guard expected.count == 20 else { return false }
        var difference: UInt8 = 0
        for index in 0..<20 { difference |= expected[index] ^ STUNBytes.uint8(bytes, offset + 4 + index) }
        return difference == 0
    }
}

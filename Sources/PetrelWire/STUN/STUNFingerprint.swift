/// The value of FINGERPRINT (RFC 8489 section 14.7): the CRC-32 of ISO 3309 over the message before the attribute,
/// XORed with "STUN".
public enum STUNFingerprint {
    static let mask: UInt32 = 0x5354_554E

    private static let table: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { value, _ in value & 1 == 1 ? (value >> 1) ^ 0xEDB8_8320 : value >> 1 }
    }

    /// The CRC-32 of the first `count` octets.
    public static func crc32(_ bytes: RawSpan, count: Int) -> UInt32 {
        let table = table
        var value: UInt32 = 0xFFFF_FFFF
        for offset in 0..<min(count, bytes.byteCount) {
            value = (value >> 8) ^ table[Int((value ^ UInt32(STUNBytes.uint8(bytes, offset))) & 0xFF)]
        }
        return ~value
    }

    /// The value that belongs behind the first `count` octets, whose length field counts FINGERPRINT already.
    public static func value(of bytes: RawSpan, count: Int) -> UInt32 { crc32(bytes, count: count) ^ mask }
}

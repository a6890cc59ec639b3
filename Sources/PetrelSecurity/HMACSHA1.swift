internal import COpenSSL

/// HMAC-SHA1 (RFC 2104), as STUN's MESSAGE-INTEGRITY uses it (RFC 8489 section 14.5).
public enum HMACSHA1 {
    /// The 20 octets that authenticate `data` under `key`.
    public static func authenticate(_ data: RawSpan, key: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 20)
        var length: UInt32 = 0
        data.withUnsafeBytes { bytes in
            _ = HMAC(
                EVP_sha1(), key, Int32(key.count), bytes.assumingMemoryBound(to: UInt8.self).baseAddress, bytes.count,
                &digest, &length)
        }
        return digest
    }
}

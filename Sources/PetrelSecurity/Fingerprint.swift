internal import COpenSSL

/// The hash of a certificate that a session description carries (`a=fingerprint`, RFC 8122 section 5).
public struct Fingerprint: Hashable, Sendable {
    /// The hash functions that are taken. The weak ones of RFC 8122 (sha-1, md5, md2, sha-224) are refused.
    public enum Hash: String, CaseIterable, Comparable, Sendable {
        case sha256 = "sha-256"
        case sha384 = "sha-384"
        case sha512 = "sha-512"

        /// The number of octets of the digest.
        public var length: Int {
            switch self {
            case .sha256: 32
            case .sha384: 48
            case .sha512: 64
            }
        }

        /// The function of this name, in any case of letters.
        public init?(name: some StringProtocol) {
            self.init(rawValue: name.lowercased())
        }

        public static func < (left: Hash, right: Hash) -> Bool { left.length < right.length }
    }

    public let hash: Hash
    /// The digest, ``Hash/length`` octets.
    public let bytes: [UInt8]

    /// A fingerprint from its digest; nil where the length is not that of the function.
    public init?(hash: Hash, bytes: [UInt8]) {
        guard bytes.count == hash.length else { return nil }
        (self.hash, self.bytes) = (hash, bytes)
    }

    /// The fingerprint of a certificate in DER form.
    public init(hash: Hash, of der: [UInt8]) {
        var digest = [UInt8](repeating: 0, count: hash.length)
        switch hash {
        case .sha256: _ = SHA256(der, der.count, &digest)
        case .sha384: _ = SHA384(der, der.count, &digest)
        case .sha512: _ = SHA512(der, der.count, &digest)
        }
        (self.hash, bytes) = (hash, digest)
    }

    /// Reads the value of the attribute: `sha-256 AB:CD:...`, hash name and digits in any case of letters.
    ///
    /// Nil for an unknown or refused hash function, a wrong length, and anything that is not pairs of hexadecimal
    /// digits with a colon between them.
    public init?(_ text: some StringProtocol) {
        let words = text.split(whereSeparator: { $0 == " " || $0 == "\t" })
        guard words.count == 2, let hash = Hash(name: words[0]) else { return nil }
        let digits = Array(words[1].utf8)
        guard digits.count == hash.length * 3 - 1 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(hash.length)
        for start in stride(from: 0, to: digits.count, by: 3) {
            guard let high = Self.value(digits[start]), let low = Self.value(digits[start + 1]) else { return nil }
            if start + 2 < digits.count, digits[start + 2] != UInt8(ascii: ":") { return nil }
            bytes.append(high << 4 | low)
        }
        (self.hash, self.bytes) = (hash, bytes)
    }

    /// The digest in upper-case pairs of hexadecimal digits, as RFC 8122 section 5 has senders write it.
    public var hex: String {
        let digits = Array("0123456789ABCDEF".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count * 3)
        for (index, byte) in bytes.enumerated() {
            if index > 0 { text.append(UInt8(ascii: ":")) }
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Whether both are of one function and equal, in a time that does not depend on the digest.
    public func isEqual(to other: Fingerprint) -> Bool {
        hash == other.hash && bytes.count == other.bytes.count
            && CRYPTO_memcmp(bytes, other.bytes, bytes.count) == 0
    }

    /// Whether a certificate is one of those that were announced: among the fingerprints of the strongest function
    /// present, one must be its own (RFC 8122 section 5). Nothing announced matches nothing.
    public static func matches(_ der: [UInt8], announced: [Fingerprint]) -> Bool {
        guard let strongest = announced.map(\.hash).max() else { return false }
        let own = Fingerprint(hash: strongest, of: der)
        // Every one is compared, so that the time does not tell which one matched.
        return announced.reduce(false) { found, candidate in candidate.isEqual(to: own) || found }
    }

    private static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}

extension Fingerprint: CustomStringConvertible {
    /// The value of the `a=fingerprint` attribute.
    public var description: String { "\(hash.rawValue) \(hex)" }
}

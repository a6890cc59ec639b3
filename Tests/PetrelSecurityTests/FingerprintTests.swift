import PetrelCore
import PetrelSecurity
import Testing

@Suite("fingerprints and certificates")
struct FingerprintTests {
    // The digests of "abc", FIPS 180-4's examples.
    static let abc256 =
        "BA:78:16:BF:8F:01:CF:EA:41:41:40:DE:5D:AE:22:23:B0:03:61:A3:96:17:7A:9C:B4:10:FF:61:F2:00:15:AD"

    @Test("known digests, printed in upper case")
    func known() {
        let abc = Array("abc".utf8)
        #expect(Fingerprint(hash: .sha256, of: abc).hex == Self.abc256)
        #expect(Fingerprint(hash: .sha256, of: abc).description == "sha-256 " + Self.abc256)
        #expect(Fingerprint(hash: .sha384, of: abc).hex.hasPrefix("CB:00:75:3F:45:A3:5E:8B"))
        #expect(Fingerprint(hash: .sha512, of: abc).hex.hasPrefix("DD:AF:35:A1:93:61:7A:BA"))
        for hash in Fingerprint.Hash.allCases {
            let printed = Fingerprint(hash: hash, of: abc)
            #expect(Fingerprint(printed.description) == printed)
        }
    }

    @Test("hash names and digits are read in any case of letters")
    func cases() {
        let value = Fingerprint(hash: .sha256, of: Array("abc".utf8))
        #expect(Fingerprint("sha-256 " + Self.abc256) == value)
        #expect(Fingerprint("SHA-256 " + Self.abc256.lowercased()) == value)
        #expect(Fingerprint("Sha-256  \(Self.abc256)") == value)
    }

    @Test(
        "C56 weak, unknown and malformed fingerprints are refused",
        arguments: [
            "", "sha-256", "sha-256 ", "sha-1 " + "AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF:01",
            "md5 AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:67:89", "sha-224 " + abc256, "sha-3 " + abc256,
            "sha-512 " + abc256, "sha-256 " + abc256 + ":00", "sha-256 " + abc256.dropLast(3),
            "sha-256 " + abc256 + " x",
            "sha-256 " + abc256.replacingFirst("BA", "BG"), "sha-256 " + abc256.replacingFirst(":", "-"),
            "sha-256 " + abc256.replacingFirst("BA:", "B:A"),
            "sha-256 " + abc256.replacingFirst("BA", "\u{0661}\u{0662}"),
            "sha256 " + abc256,
        ])
    func refused(text: String) { #expect(Fingerprint(text) == nil) }

    @Test("a length that is not the function's is refused")
    func lengths() {
        #expect(Fingerprint(hash: .sha256, bytes: [UInt8](repeating: 0, count: 31)) == nil)
        #expect(Fingerprint(hash: .sha512, bytes: [UInt8](repeating: 0, count: 32)) == nil)
        #expect(Fingerprint(hash: .sha384, bytes: [UInt8](repeating: 0, count: 48)) != nil)
    }

    @Test("comparison sees every bit and the function")
    func comparison() {
        let value = Fingerprint(hash: .sha256, of: [1, 2, 3])
        #expect(value.isEqual(to: Fingerprint(hash: .sha256, of: [1, 2, 3])))
        #expect(!value.isEqual(to: Fingerprint(hash: .sha384, of: [1, 2, 3])))
        for bit in 0..<256 {
            var bytes = value.bytes
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            if let other = Fingerprint(hash: .sha256, bytes: bytes) { #expect(!value.isEqual(to: other)) }
        }
        #expect(!Fingerprint.matches([1, 2, 3], announced: []))
    }

    @Test("the same seed and times make the same certificate, others another")
    func determinism() throws {
        let one = try Certificate.make(unixTime: 1_760_000_000, labSeed: 5)
        let same = try Certificate.make(unixTime: 1_760_000_000, labSeed: 5)
        #expect(one.der == same.der && one.fingerprint() == same.fingerprint())
        #expect(try Certificate.make(unixTime: 1_760_000_000, labSeed: 6).der != one.der)
        #expect(try Certificate.make(unixTime: 1_760_000_001, labSeed: 5).der != one.der)
        let random = try Certificate.make(unixTime: 1_760_000_000)
        #expect(try Certificate.make(unixTime: 1_760_000_000).der != random.der)
    }

    @Test("any time makes a certificate", arguments: [Int64.min, -1, 0, 2_524_608_000, .max])
    func times(unixTime: Int64) throws {
        #expect(try !Certificate.make(unixTime: unixTime, validity: .max).der.isEmpty)
    }
}

extension String {
    func replacingFirst(_ part: String, _ other: String) -> String {
        guard let range = firstRange(of: part) else { return self }
        return replacingCharacters(in: range, with: other)
    }

    private func replacingCharacters(in range: Range<String.Index>, with other: String) -> String {
        String(self[..<range.lowerBound]) + other + String(self[range.upperBound...])
    }
}

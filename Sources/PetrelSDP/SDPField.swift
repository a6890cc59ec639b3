/// A piece of one line while it is read.
struct Field {
    let bytes: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { self.bytes = bytes }

    var text: String { String(decoding: bytes, as: UTF8.self) }
    var first: UInt8? { bytes.first }
    var isEmpty: Bool { bytes.isEmpty }

    /// The words between spaces, at most `maximum` of them; the last holds what is left.
    func split(_ maximum: Int) -> [Field] {
        bytes.split(separator: 0x20, maxSplits: max(0, maximum &- 1), omittingEmptySubsequences: true).map {
            Field($0.drop { $0 == 0x20 })
        }.filter { !$0.isEmpty }
    }

    /// What stands before and after the first `separator`.
    func cut(_ separator: UInt8) -> (Field, Field?) {
        guard let index = bytes.firstIndex(of: separator) else { return (self, nil) }
        return (Field(bytes[..<index]), Field(bytes[bytes.index(after: index)...]))
    }

    /// A number of decimal digits only that fits 64 bits.
    var unsigned64: UInt64? {
        guard !bytes.isEmpty, bytes.count <= 20 else { return nil }
        var value: UInt64 = 0
        for byte in bytes {
            guard byte >= 0x30, byte <= 0x39 else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(UInt64(byte &- 0x30))
            guard !overflow, !carry else { return nil }
            value = sum
        }
        return value
    }

    /// A number of decimal digits only that is at most `maximum`.
    func unsigned<T: FixedWidthInteger & UnsignedInteger>(_ type: T.Type, maximum: T = .max) -> T? {
        guard let value = unsigned64, let narrow = T(exactly: value), narrow <= maximum else { return nil }
        return narrow
    }

    var isDigits: Bool { !bytes.isEmpty && bytes.allSatisfy { $0 >= 0x30 && $0 <= 0x39 } }
}

/// An a= line, cut at the colon.
struct Attribute {
    let line: Field
    let name: String
    let value: Field
    let hasValue: Bool

    init(_ line: Field) {
        self.line = line
        let (name, value) = line.cut(UInt8(ascii: ":"))
        self.name = name.text
        self.value = value ?? Field(line.bytes[line.bytes.endIndex...])
        hasValue = value != nil
    }

    var text: String { line.text }

    func bad(_ reason: SDPError.Reason = .badAttribute) -> SDPError { SDPError(reason, "a=\(text)") }

    /// a=extmap (RFC 8285 section 5). Identifiers of 4096 to 4351 are placeholders of an offer (section 7) that nothing
    /// can be sent with: nil.
    func extensionMap() throws(SDPError) -> ExtensionMap? {
        let parts = value.split(3)
        guard parts.count >= 2 else { throw bad() }
        let (number, way) = parts[0].cut(UInt8(ascii: "/"))
        var direction: MediaDirection?
        if let way {
            direction = MediaDirection(rawValue: way.text)
            guard direction != nil else { throw bad() }
        }
        guard let id = number.unsigned64 else { throw bad(.badNumber) }
        if (4096...4351).contains(id) { return nil }
        guard let id = UInt8(exactly: id), id != 0 else { throw bad(.badNumber) }
        return ExtensionMap(
            id: id, direction: direction, uri: parts[1].text, attributes: parts.count > 2 ? parts[2].text : nil)
    }
}

extension TransportDescription {
    /// Reads an ICE or DTLS attribute; false where it is none.
    mutating func read(_ attribute: Attribute) throws(SDPError) -> Bool {
        switch attribute.name {
        case "ice-ufrag":
            let text = attribute.value.text
            guard SDPSyntax.isUfrag(text) else {
                throw SDPError(.badICECredentials, "ice-ufrag of other than 4 to 256 ICE characters")
            }
            iceUfrag = text
        case "ice-pwd":
            let text = attribute.value.text
            guard SDPSyntax.isPassword(text) else {
                throw SDPError(.badICECredentials, "ice-pwd of other than 22 to 256 ICE characters")
            }
            icePassword = text
        case "ice-options":
            let options = attribute.value.split(32).map(\.text)
            // Commas, which a known library writes between options, are let pass.
            for option in options where !SDPSyntax.isVisible(option, maximum: 64) { throw attribute.bad() }
            iceOptions = options.isEmpty ? nil : options
        case "fingerprint": try readFingerprint(attribute)
        case "setup":
            guard let role = SetupRole(rawValue: attribute.value.text.lowercased()) else {
                throw attribute.bad(.badSetup)
            }
            setup = role
        case "tls-id":
            let text = attribute.value.text
            guard (20...255).contains(text.utf8.count), SDPSyntax.isToken(text, maximum: 255) else {
                throw attribute.bad()
            }
            tlsID = text
        default: return false
        }
        return true
    }

    /// The most fingerprints of one section: one for each hash function and certificate.
    static let maximumFingerprints = 16

    private mutating func readFingerprint(_ attribute: Attribute) throws(SDPError) {
        let parts = attribute.value.split(3)
        guard parts.count == 2 else { throw attribute.bad(.badFingerprint) }
        guard let hash = FingerprintHash(rawValue: parts[0].text.lowercased()) else {
            guard unknownFingerprints.count < Self.maximumFingerprints else {
                throw SDPError(.tooMany, "more than \(Self.maximumFingerprints) fingerprints")
            }
            unknownFingerprints.append(attribute.value.text)
            return
        }
        guard let bytes = Self.hexPairs(parts[1]), let fingerprint = Fingerprint(hash, bytes) else {
            throw SDPError(.badFingerprint, "a=fingerprint is not \(hash.length) pairs of hexadecimal digits")
        }
        guard fingerprints.count < Self.maximumFingerprints else {
            throw SDPError(.tooMany, "more than \(Self.maximumFingerprints) fingerprints")
        }
        if !fingerprints.contains(fingerprint) { fingerprints.append(fingerprint) }
    }

    private static func hexPairs(_ field: Field) -> [UInt8]? {
        guard field.bytes.count <= 64 * 3 else { return nil }
        var result: [UInt8] = []
        for pair in field.bytes.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false) {
            guard pair.count == 2, let high = pair.first.flatMap(digit), let low = pair.last.flatMap(digit) else {
                return nil
            }
            result.append(high << 4 | low)
        }
        return result
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte &- 0x30
        case 0x41...0x46: byte &- 0x37
        case 0x61...0x66: byte &- 0x57
        default: nil
        }
    }
}

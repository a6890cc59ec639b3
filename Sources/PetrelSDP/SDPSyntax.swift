/// The character classes and small forms of session descriptions.
enum SDPSyntax {
    /// token-char of RFC 8866 section 9.
    static func isTokenCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x21, 0x23...0x27, 0x2A...0x2B, 0x2D...0x2E, 0x30...0x39, 0x41...0x5A, 0x5E...0x7E: true
        default: false
        }
    }

    static func isToken(_ text: some StringProtocol, maximum: Int) -> Bool {
        let bytes = text.utf8
        return !bytes.isEmpty && bytes.count <= maximum && bytes.allSatisfy(isTokenCharacter)
    }

    /// ice-char of RFC 8839 section 5.4, and the four others that old agents write and browsers take.
    static func isICECharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2B, 0x2F: true  // 0-9 A-Z a-z + /
        case 0x2D, 0x3D, 0x23, 0x5F: true  // - = # _
        default: false
        }
    }

    /// ice-ufrag: 4...256 characters (RFC 8839 section 5.4).
    static func isUfrag(_ text: String) -> Bool {
        (4...256).contains(text.utf8.count) && text.utf8.allSatisfy(isICECharacter)
    }

    /// ice-pwd: 22...256 characters (RFC 8839 section 5.4).
    static func isPassword(_ text: String) -> Bool {
        (22...256).contains(text.utf8.count) && text.utf8.allSatisfy(isICECharacter)
    }

    /// Printable ASCII without spaces.
    static func isVisible(_ text: String, maximum: Int) -> Bool {
        let bytes = text.utf8
        return !bytes.isEmpty && bytes.count <= maximum && bytes.allSatisfy { $0 > 0x20 && $0 < 0x7F }
    }

    /// No control characters: what may stand in a line at all.
    static func isLine(_ text: String) -> Bool { text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F } }

    /// A number of decimal digits only, at most 9 of them; nil for anything else.
    static func decimal(_ text: some StringProtocol) -> Int? {
        let bytes = text.utf8
        guard !bytes.isEmpty, bytes.count <= 9 else { return nil }
        var value = 0
        for byte in bytes {
            guard byte >= 0x30, byte <= 0x39 else { return nil }
            value = value &* 10 &+ Int(byte &- 0x30)
        }
        return value
    }

    /// The text of these octets without spaces at either end.
    static func trimmed(_ bytes: some BidirectionalCollection<UInt8>) -> String {
        var slice = bytes[...]
        while slice.first == 0x20 { slice = slice.dropFirst() }
        while slice.last == 0x20 { slice = slice.dropLast() }
        return String(decoding: slice, as: UTF8.self)
    }
}

internal import PetrelCore

extension CandidateLine {
    /// Reads a line: `a=candidate:...`, `candidate:...` or what follows the colon (RFC 8839 section 5.1).
    public init(_ line: String) {
        do throws(Reason) {
            self = try Self.parse(line)
        } catch {
            self = .ignored(error)
        }
    }

    private static func parse(_ line: String) throws(Reason) -> CandidateLine {
        var rest = Substring(line)
        guard rest.utf8.count <= maximumLength else { throw .tooLong }
        for octet in rest.utf8 where octet < 0x20 || octet > 0x7E { throw .controlCharacter }
        if rest.isEmpty { return .endOfCandidates }
        if rest.hasPrefix("a=") { rest = rest.dropFirst(2) }
        if rest.hasPrefix("candidate:") { rest = rest.dropFirst(10) }
        if rest.isEmpty { return .endOfCandidates }

        let fields = rest.split(separator: " ", maxSplits: 64, omittingEmptySubsequences: true)
        guard fields.count >= 8, fields.count <= 64 else { throw .malformed }
        let foundation = fields[0]
        guard foundation.utf8.count <= 32, isICECharacters(foundation) else { throw .malformed }
        guard number(fields[1], digits: 5) == 1 else { throw .component }
        guard fields[2].lowercased() == "udp" else { throw .transport }
        guard let priority = number(fields[3], digits: 10), priority >= 1, priority <= 0x7FFF_FFFF else {
            throw .priority
        }
        guard let port = number(fields[5], digits: 5).flatMap({ UInt16(exactly: $0) }) else { throw .port }
        guard let address = TransportAddress(String(fields[4]), port: port) else {
            throw fields[4].lowercased().hasSuffix(".local") ? .multicastDNSName : .hostName
        }
        guard fields[6] == "typ" else { throw .malformed }
        guard let kind = ICECandidate.Kind(rawValue: String(fields[7])) else { throw .kind }

        var candidate = ICECandidate(
            foundation: String(foundation), priority: UInt32(truncatingIfNeeded: priority), address: address, kind: kind
        )
        try readExtensions(fields[8...], into: &candidate)
        return .candidate(candidate)
    }

    /// Pairs of name and value. Unknown names are skipped, as the grammar asks.
    private static func readExtensions(
        _ fields: ArraySlice<Substring>, into candidate: inout ICECandidate
    ) throws(Reason) {
        var relatedHost: Substring?
        var relatedPort: UInt16 = 0
        var index = fields.startIndex
        while index < fields.endIndex {
            let name = fields[index]
            guard index + 1 < fields.endIndex else { throw .malformed }
            let value = fields[index + 1]
            index += 2
            switch name {
            case "raddr":
                relatedHost = value
            case "rport":
                guard let port = number(value, digits: 5).flatMap({ UInt16(exactly: $0) }) else {
                    throw .relatedAddress
                }
                relatedPort = port
            case "ufrag":
                guard (4...256).contains(value.utf8.count), isICECharacters(value) else { throw .malformed }
                candidate.ufrag = String(value)
            default:
                break
            }
        }
        // The related address is for diagnosis; a name there (browsers hide it so) does not harm the candidate.
        if let relatedHost { candidate.relatedAddress = TransportAddress(String(relatedHost), port: relatedPort) }
    }

    /// A decimal number of at most `digits` digits.
    private static func number(_ text: Substring, digits: Int) -> UInt64? {
        guard !text.isEmpty, text.utf8.count <= digits else { return nil }
        var value: UInt64 = 0
        for octet in text.utf8 {
            guard octet >= 0x30, octet <= 0x39 else { return nil }
            value = value &* 10 &+ UInt64(octet &- 0x30)
        }
        return value
    }

    /// ALPHA, DIGIT, "+" and "/" (RFC 8839 section 5.1).
    static func isICECharacters(_ text: some StringProtocol) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy { octet in
                (0x30...0x39).contains(octet) || (0x41...0x5A).contains(octet) || (0x61...0x7A).contains(octet)
                    || octet == 0x2B || octet == 0x2F
            }
    }
}

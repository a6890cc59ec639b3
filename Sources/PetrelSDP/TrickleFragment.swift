/// A piece of a session description that carries candidates, or the credentials of an ICE restart: the body of type
/// `application/trickle-ice-sdpfrag` (RFC 8840 section 9), as WHIP sends it in a PATCH (RFC 9725 section 4.3).
public struct TrickleFragment: Hashable, Sendable {
    /// A candidate and the section it belongs to.
    public struct Candidate: Hashable, Sendable {
        /// As `candidate:...`; nothing is known yet of what stands behind the colon.
        public var line: String
        /// The identification tag of the section, where it has one.
        public var mid: String?

        public init(line: String, mid: String?) { (self.line, self.mid) = (line, mid) }
    }

    /// The type of the body in HTTP.
    public static let mediaType = "application/trickle-ice-sdpfrag"
    /// Octets of a fragment. A restart with ``SDPLimits/candidates`` candidates of full length has 64 kB.
    public static let maximumBytes = 64 * 1024

    /// The credentials that the candidates belong to.
    public var iceUfrag: String?
    public var icePassword: String?
    /// The sections named, by kind and identification tag: the first of a BUNDLE group is enough.
    public var sections: [Section] = []
    public var candidates: [Candidate] = []
    /// No more candidates come.
    public var endOfCandidates = false

    /// A section that is named: its `m=` line says nothing but the kind (RFC 8840 section 9).
    public struct Section: Hashable, Sendable {
        /// The kind of its media, and its identification tag.
        public var kind: MediaKind
        public var mid: String?

        public init(kind: MediaKind, mid: String?) { (self.kind, self.mid) = (kind, mid) }
    }

    public init() {}

    /// Reads a fragment. Lines that mean nothing for ICE are passed over.
    /// - Throws: ``SDPError`` for what is no fragment: a line of another form, credentials outside the grammar of RFC
    ///   8839 section 5.4, one of them without the other, two that differ, or more of anything than ``SDPLimits``
    ///   allow.
    public init(parsing text: String, limits: SDPLimits = .standard) throws(SDPError) {
        guard text.utf8.count <= Self.maximumBytes else {
            throw SDPError(.tooLong, "\(text.utf8.count) octets, at most \(Self.maximumBytes)")
        }
        var reader = FragmentReader(limits: limits)
        var number = 0
        // By the line feed byte: a grapheme of CR and LF is no boundary that a parser can rely on.
        for slice in text.utf8.split(separator: 0x0A, omittingEmptySubsequences: false) {
            number &+= 1
            let line = slice.last == 0x0D ? slice.dropLast() : slice
            if line.isEmpty { continue }
            do { try reader.read(Array(line)[...]) } catch { throw error.at(line: number) }
        }
        self = reader.fragment
        guard (iceUfrag == nil) == (icePassword == nil) else {
            throw SDPError(.missingICECredentials, "ice-ufrag and ice-pwd come together")
        }
        guard iceUfrag != nil || !candidates.isEmpty || endOfCandidates else {
            throw SDPError(.missingLine, "neither credentials nor a candidate nor their end")
        }
    }

    /// The fragment as text, lines ended by CR LF.
    /// - Throws: ``SDPError/Reason/controlCharacter`` where a part holds a control character, so that no line can be
    ///   slipped in.
    public func text() throws(SDPError) -> String {
        var lines: [String] = []
        if let iceUfrag { lines.append("a=ice-ufrag:\(iceUfrag)") }
        if let icePassword { lines.append("a=ice-pwd:\(icePassword)") }
        let mids = Set(sections.compactMap(\.mid))
        for candidate in candidates where candidate.mid.map({ !mids.contains($0) }) ?? true {
            lines.append("a=\(candidate.line)")
        }
        for section in sections {
            lines.append("m=\(section.kind.name) 9 UDP/TLS/RTP/SAVPF 0")
            guard let mid = section.mid else { continue }
            lines.append("a=mid:\(mid)")
            for candidate in candidates where candidate.mid == mid { lines.append("a=\(candidate.line)") }
        }
        if endOfCandidates { lines.append("a=end-of-candidates") }
        for line in lines where !SDPSyntax.isLine(line) {
            throw SDPError(.controlCharacter, "control character in a fragment")
        }
        return lines.map { $0 + "\r\n" }.joined()
    }
}

/// Reads the lines of a fragment.
private struct FragmentReader {
    let limits: SDPLimits
    var fragment = TrickleFragment()
    /// The first candidate behind the last `m=` line.
    private var firstOfSection = 0

    init(limits: SDPLimits) { self.limits = limits }

    mutating func read(_ line: ArraySlice<UInt8>) throws(SDPError) {
        guard line.count <= limits.lineBytes else {
            throw SDPError(.lineTooLong, "\(line.count) octets, at most \(limits.lineBytes)")
        }
        for byte in line where byte < 0x20 || byte == 0x7F {
            throw SDPError(.controlCharacter, "control character \(byte)")
        }
        let field = Field(line)
        guard line.count >= 2, line[line.startIndex &+ 1] == 0x3D else {
            throw SDPError(.badLine, "not of the form letter=value: \(field.text)")
        }
        let value = Field(line.dropFirst(2))
        switch field.first {
        case UInt8(ascii: "m"):
            guard let kind = value.split(4).first, value.split(4).count == 4,
                SDPSyntax.isToken(kind.text, maximum: 32)
            else { throw SDPError(.badLine, "m= of a fragment needs four parts: \(value.text)") }
            guard fragment.sections.count < limits.sections else {
                throw SDPError(.tooMany, "more than \(limits.sections) m= sections")
            }
            firstOfSection = fragment.candidates.count
            fragment.sections.append(TrickleFragment.Section(kind: MediaKind(name: kind.text), mid: nil))
        case UInt8(ascii: "a"): try read(Attribute(value))
        case UInt8(ascii: "c"), UInt8(ascii: "b"), UInt8(ascii: "t"), UInt8(ascii: "s"), UInt8(ascii: "o"),
            UInt8(ascii: "v"):
            break
        default: throw SDPError(.unexpectedLine, "unknown type letter")
        }
    }

    private mutating func read(_ attribute: Attribute) throws(SDPError) {
        let text = attribute.value.text
        switch attribute.name {
        case "ice-ufrag":
            guard SDPSyntax.isUfrag(text), fragment.iceUfrag ?? text == text else {
                throw attribute.bad(.badICECredentials)
            }
            fragment.iceUfrag = text
        case "ice-pwd":
            // What is wrong with a password is not told: it would stand in an answer and a log.
            guard SDPSyntax.isPassword(text), fragment.icePassword ?? text == text else {
                throw SDPError(.badICECredentials, "a=ice-pwd")
            }
            fragment.icePassword = text
        case "mid":
            guard let last = fragment.sections.indices.last, SDPSyntax.isToken(text, maximum: SDPLimits.midBytes) else {
                throw attribute.bad(.badMID)
            }
            guard !fragment.sections.dropLast().contains(where: { $0.mid == text }) else {
                throw attribute.bad(.duplicateMID)
            }
            fragment.sections[last].mid = text
            // The tag may stand behind the candidates of its section.
            for index in firstOfSection..<fragment.candidates.count { fragment.candidates[index].mid = text }
        case "candidate":
            guard fragment.candidates.count < limits.candidates else {
                throw SDPError(.tooMany, "more than \(limits.candidates) candidates")
            }
            guard attribute.text.utf8.count <= limits.candidateBytes else {
                throw SDPError(.lineTooLong, "a candidate of more than \(limits.candidateBytes) octets")
            }
            fragment.candidates.append(
                TrickleFragment.Candidate(line: attribute.text, mid: fragment.sections.last?.mid))
        case "end-of-candidates": fragment.endOfCandidates = true
        default: break
        }
    }
}

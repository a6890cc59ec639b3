/// A piece of a session description that brings candidates or new ICE credentials after offer and answer: the media type
/// `application/trickle-ice-sdpfrag` (RFC 8840 section 9), as WHIP and WHEP carry it in PATCH (RFC 9725 section 4.3).
public struct SDPFragment: Hashable, Sendable {
    /// The media type of the text.
    public static let mediaType = "application/trickle-ice-sdpfrag"

    /// What is said of one media section (a pseudo m= line, RFC 8840 section 9.2).
    public struct Section: Hashable, Sendable {
        /// The m= line without `m=`, as in the description.
        public var media: String
        public var mid: String
        public var iceUfrag: String?
        public var icePassword: String?
        /// Each as `candidate:...`.
        public var candidates: [String] = []
        public var endOfCandidates = false

        public init(media: String, mid: String) { (self.media, self.mid) = (media, mid) }
    }

    /// Credentials that hold for all sections without their own.
    public var iceUfrag: String?
    public var icePassword: String?
    public var iceOptions: [String] = []
    /// The tags of the BUNDLE group; empty where the fragment has none.
    public var bundle: [String] = []
    /// Candidates named before the first section: they belong to the first section of the BUNDLE group.
    public var candidates: [String] = []
    public var endOfCandidates = false
    /// The sections that something is said of.
    public var sections: [Section] = []

    public init() {}

    /// The ufrag and password of the fragment: its own, or those of the first section that has both.
    public var credentials: (ufrag: String, password: String)? {
        if let iceUfrag, let icePassword { return (iceUfrag, icePassword) }
        for section in sections {
            if let ufrag = section.iceUfrag, let password = section.icePassword { return (ufrag, password) }
        }
        return nil
    }

    /// Reads a fragment. Lines end in CR LF or LF; attributes that mean nothing here are passed over.
    /// - Throws: ``SDPError`` with the line at fault.
    public init(parsing text: String, limits: SDPLimits = .standard) throws(SDPError) {
        guard text.utf8.count <= limits.bytes else {
            throw SDPError(.tooLong, "\(text.utf8.count) octets, at most \(limits.bytes)")
        }
        var number = 0
        for part in Array(text.utf8).split(separator: 0x0A, omittingEmptySubsequences: false) {
            number &+= 1
            guard number <= limits.lines else {
                throw SDPError(.tooMany, line: number, "more than \(limits.lines) lines")
            }
            let line = part.last == 0x0D ? part.dropLast() : part
            guard !line.isEmpty else { continue }
            do { try read(line, limits) } catch { throw error.at(line: number) }
        }
        for section in sections where section.mid.isEmpty { throw SDPError(.badMID, "a section without a=mid") }
    }

    private mutating func read(_ line: ArraySlice<UInt8>, _ limits: SDPLimits) throws(SDPError) {
        guard line.count <= limits.lineBytes else {
            throw SDPError(.lineTooLong, "\(line.count) octets, at most \(limits.lineBytes)")
        }
        for byte in line where byte < 0x20 || byte == 0x7F {
            throw SDPError(.controlCharacter, "control character \(byte)")
        }
        let field = Field(line)
        guard field.bytes.count >= 2, field.bytes[field.bytes.startIndex &+ 1] == 0x3D else {
            throw SDPError(.badLine, "not of the form letter=value: \(field.text)")
        }
        let value = Field(line.dropFirst(2))
        switch field.first {
        case UInt8(ascii: "m"):
            guard sections.count < limits.sections else {
                throw SDPError(.tooMany, "more than \(limits.sections) sections")
            }
            guard value.split(4).count >= 3 else {
                throw SDPError(.badLine, "m= needs kind, port, protocol: \(value.text)")
            }
            sections.append(Section(media: value.text, mid: ""))
        case UInt8(ascii: "a"): try read(Attribute(value), limits)
        default: throw SDPError(.unexpectedLine, "only m= and a= lines stand in a fragment: \(field.text)")
        }
    }

    private mutating func read(_ attribute: Attribute, _ limits: SDPLimits) throws(SDPError) {
        let last = sections.indices.last
        switch attribute.name {
        case "ice-ufrag", "ice-pwd", "ice-options":
            var transport = TransportDescription()
            _ = try transport.read(attribute)
            if attribute.name == "ice-options" { iceOptions = transport.iceOptions ?? [] }
            if let last {
                sections[last].iceUfrag = transport.iceUfrag ?? sections[last].iceUfrag
                sections[last].icePassword = transport.icePassword ?? sections[last].icePassword
            } else {
                iceUfrag = transport.iceUfrag ?? iceUfrag
                icePassword = transport.icePassword ?? icePassword
            }
        case "group":
            let parts = attribute.value.split(limits.sections &+ 1).map(\.text)
            if parts.first == "BUNDLE", last == nil { bundle = Array(parts.dropFirst()) }
        case "mid":
            let text = attribute.value.text
            guard let last, SDPSyntax.isToken(text, maximum: SDPLimits.midBytes) else { throw attribute.bad(.badMID) }
            guard sections[last].mid.isEmpty, !sections.contains(where: { $0.mid == text }) else {
                throw attribute.bad(.duplicateMID)
            }
            sections[last].mid = text
        case "candidate":
            guard attribute.line.bytes.count <= limits.candidateBytes else {
                throw SDPError(.lineTooLong, "a candidate of more than \(limits.candidateBytes) octets")
            }
            let known = sections.reduce(candidates.count) { $0 &+ $1.candidates.count }
            guard known < limits.candidates else {
                throw SDPError(.tooMany, "more than \(limits.candidates) candidates in a fragment")
            }
            if let last {
                sections[last].candidates.append(attribute.text)
            } else {
                candidates.append(attribute.text)
            }
        case "end-of-candidates":
            if let last { sections[last].endOfCandidates = true } else { endOfCandidates = true }
        default: break
        }
    }

    /// The fragment as text, lines ended by CR LF.
    /// - Throws: ``SDPError/Reason/controlCharacter`` where a part holds one, so that no line can be slipped in.
    public func text() throws(SDPError) -> String {
        var lines: [String] = []
        if !bundle.isEmpty { lines.append("a=group:BUNDLE " + bundle.joined(separator: " ")) }
        if !iceOptions.isEmpty { lines.append("a=ice-options:" + iceOptions.joined(separator: " ")) }
        if let iceUfrag { lines.append("a=ice-ufrag:\(iceUfrag)") }
        if let icePassword { lines.append("a=ice-pwd:\(icePassword)") }
        lines += candidates.map { "a=\($0)" }
        if endOfCandidates { lines.append("a=end-of-candidates") }
        for section in sections {
            lines.append("m=\(section.media)")
            lines.append("a=mid:\(section.mid)")
            if let ufrag = section.iceUfrag { lines.append("a=ice-ufrag:\(ufrag)") }
            if let password = section.icePassword { lines.append("a=ice-pwd:\(password)") }
            lines += section.candidates.map { "a=\($0)" }
            if section.endOfCandidates { lines.append("a=end-of-candidates") }
        }
        for line in lines where !SDPSyntax.isLine(line) {
            throw SDPError(.controlCharacter, "control character in \(line)")
        }
        return lines.map { $0 + "\r\n" }.joined()
    }
}

extension SessionDescription {
    /// The BUNDLE group, the credentials and the first bundled section of this description, without candidates: what
    /// every fragment about it begins with (RFC 9725 section 4.3). Nil where no section has credentials and a tag.
    public var fragmentHead: SDPFragment? {
        var fragment = SDPFragment()
        fragment.bundle = groups.first { $0.semantics == "BUNDLE" }?.mids ?? []
        let first = fragment.bundle.first.flatMap { section(mid: $0) } ?? media.first { $0.mid != nil }
        guard let first, let mid = first.mid else { return nil }
        let transport = effectiveTransport(of: first)
        guard let ufrag = transport.iceUfrag, let password = transport.icePassword else { return nil }
        (fragment.iceUfrag, fragment.icePassword) = (ufrag, password)
        let formats = first.formats.isEmpty ? "" : " " + first.formats.joined(separator: " ")
        // The port of the pseudo line is 9 (RFC 8840 section 9.2).
        let line = "\(first.kind.name) 9 \(first.transportProtocol)\(formats)"
        fragment.sections = [SDPFragment.Section(media: line, mid: mid)]
        return fragment
    }

    /// This description as it stands after an ICE restart of its writer: the credentials and candidates of a fragment in
    /// the place of its own, everything else unchanged (RFC 9725 section 4.3.3). Nil where the fragment has no
    /// credentials.
    public func restarted(by fragment: SDPFragment) -> SessionDescription? {
        guard let credentials = fragment.credentials else { return nil }
        var result = self
        result.origin.sessionVersion &+= 1
        result.endOfCandidates = false
        if transport.iceUfrag != nil {
            (result.transport.iceUfrag, result.transport.icePassword) = (credentials.ufrag, credentials.password)
        }
        let bundled = fragment.bundle.first ?? groups.first { $0.semantics == "BUNDLE" }?.mids.first
        let home = result.media.firstIndex { $0.mid != nil && $0.mid == bundled } ?? 0
        for index in result.media.indices {
            let said = fragment.sections.first { $0.mid == result.media[index].mid }
            if result.media[index].transport.iceUfrag != nil {
                (result.media[index].transport.iceUfrag, result.media[index].transport.icePassword) = (
                    said?.iceUfrag ?? credentials.ufrag, said?.icePassword ?? credentials.password
                )
            }
            result.media[index].candidates = said?.candidates ?? []
            result.media[index].endOfCandidates = said?.endOfCandidates ?? false
            if index == home {
                result.media[index].candidates += fragment.candidates
                if fragment.endOfCandidates { result.media[index].endOfCandidates = true }
            }
        }
        return result
    }
}

extension SessionDescription {
    /// Reads a session description (RFC 8866 section 5). Lines end in CR LF or LF.
    ///
    /// Time and memory are linear in the length. Attributes that are not understood are kept; a type letter that is not
    /// understood refuses the whole, as section 5 demands. Control characters, tabs included, are refused everywhere.
    /// - Throws: ``SDPError`` with the line at fault.
    public init(parsing text: String, limits: SDPLimits = .standard) throws(SDPError) {
        guard text.utf8.count <= limits.bytes else {
            throw SDPError(.tooLong, "\(text.utf8.count) octets, at most \(limits.bytes)")
        }
        try self.init(valid: Array(text.utf8), limits: limits)
    }

    /// Reads a session description from octets, which must be UTF-8 (RFC 8866 section 5).
    public init(parsing bytes: [UInt8], limits: SDPLimits = .standard) throws(SDPError) {
        guard bytes.count <= limits.bytes else {
            throw SDPError(.tooLong, "\(bytes.count) octets, at most \(limits.bytes)")
        }
        guard String(validating: bytes, as: UTF8.self) != nil else { throw SDPError(.notUTF8, "not UTF-8") }
        try self.init(valid: bytes, limits: limits)
    }

    private init(valid bytes: [UInt8], limits: SDPLimits) throws(SDPError) {
        var parser = DescriptionParser(limits: limits)
        var start = 0
        var number = 0
        while start < bytes.count {
            number &+= 1
            guard number <= limits.lines else {
                throw SDPError(.tooMany, line: number, "more than \(limits.lines) lines")
            }
            let end = bytes[start...].firstIndex(of: 0x0A) ?? bytes.count
            var line = bytes[start..<end]
            if line.last == 0x0D { line = line.dropLast() }
            do {
                try parser.read(line)
            } catch {
                throw error.at(line: number)
            }
            start = end &+ 1
        }
        self = try parser.finished()
    }
}

/// Reads a description line by line.
struct DescriptionParser {
    let limits: SDPLimits
    private var lineCount = 0
    private var blankLine: Int?
    private var sawName = false
    private var sawOrigin = false
    private var session = SessionDescription(origin: Origin(sessionID: 0, sessionVersion: 0))
    private var attributeCount = 0
    /// The section being read.
    private var section: SectionParser?

    init(limits: SDPLimits) { self.limits = limits }

    mutating func read(_ line: ArraySlice<UInt8>) throws(SDPError) {
        lineCount &+= 1
        if line.isEmpty {
            // Blank lines at the end are forgiven, in the middle they are not.
            blankLine = blankLine ?? lineCount
            return
        }
        if let blankLine {
            throw SDPError(.unexpectedLine, line: blankLine, "a blank line within the description")
        }
        guard line.count <= limits.lineBytes else {
            throw SDPError(.lineTooLong, "\(line.count) octets, at most \(limits.lineBytes)")
        }
        for byte in line where byte < 0x20 || byte == 0x7F {
            throw SDPError(.controlCharacter, "control character \(byte)")
        }
        let field = Field(line)
        guard let type = field.first, field.bytes.count >= 2, field.bytes[field.bytes.startIndex &+ 1] == 0x3D else {
            throw SDPError(.badLine, "not of the form letter=value: \(field.text)")
        }
        try read(type: type, value: Field(line.dropFirst(2)))
    }

    private mutating func read(type: UInt8, value: Field) throws(SDPError) {
        if lineCount == 1 {
            guard type == UInt8(ascii: "v"), value.text == "0" else {
                throw SDPError(.missingLine, "v=0 must come first")
            }
            return
        }
        guard sawOrigin else {
            guard type == UInt8(ascii: "o") else { throw SDPError(.missingLine, "o= must follow v=") }
            session.origin = try Self.origin(value)
            sawOrigin = true
            return
        }
        switch type {
        case UInt8(ascii: "s"):
            guard section == nil, !sawName else { throw SDPError(.unexpectedLine, "s= stands once, before m=") }
            sawName = true
            session.name = value.bytes.isEmpty ? "-" : value.text
        case UInt8(ascii: "m"): try beginSection(value)
        case UInt8(ascii: "c"):
            guard value.split(4).count == 3 else { throw SDPError(.badLine, "c= needs three parts: \(value.text)") }
            if section != nil { section?.section.connection = value.text } else { session.connection = value.text }
        case UInt8(ascii: "b"): try readBandwidth(value)
        case UInt8(ascii: "a"): try readAttribute(value)
        case UInt8(ascii: "t"), UInt8(ascii: "r"), UInt8(ascii: "z"), UInt8(ascii: "i"), UInt8(ascii: "u"),
            UInt8(ascii: "e"), UInt8(ascii: "p"), UInt8(ascii: "k"):
            break  // understood, and without meaning for a call
        case UInt8(ascii: "v"), UInt8(ascii: "o"): throw SDPError(.unexpectedLine, "a second v= or o=")
        default: throw SDPError(.unexpectedLine, "unknown type letter")
        }
    }

    private static func origin(_ value: Field) throws(SDPError) -> Origin {
        let parts = value.split(6)
        guard parts.count == 6 else { throw SDPError(.badLine, "o= needs six parts: \(value.text)") }
        guard let sessionID = parts[1].unsigned64, let version = parts[2].unsigned64 else {
            throw SDPError(.badNumber, "o= with a session id or version that is no 64-bit number")
        }
        var origin = Origin(sessionID: sessionID, sessionVersion: version)
        origin.username = parts[0].text
        origin.address = "\(parts[3].text) \(parts[4].text) \(parts[5].text)"
        return origin
    }

    private mutating func beginSection(_ value: Field) throws(SDPError) {
        guard sawName else { throw SDPError(.missingLine, "s= must stand before m=") }
        try closeSection()
        guard session.media.count < limits.sections else {
            throw SDPError(.tooMany, "more than \(limits.sections) m= sections")
        }
        section = try SectionParser(value, limits: limits)
    }

    private mutating func closeSection() throws(SDPError) {
        if let finished = section?.section { session.media.append(finished) }
        section = nil
    }

    private mutating func readBandwidth(_ value: Field) throws(SDPError) {
        let (name, rest) = value.cut(UInt8(ascii: ":"))
        guard let rest, let number = rest.unsigned64, SDPSyntax.isToken(name.text, maximum: 32) else {
            throw SDPError(.badLine, "b= is not type:number: \(value.text)")
        }
        let limit = BandwidthLimit(type: name.text, value: number)
        try countAttribute()
        if section != nil { section?.section.bandwidths.append(limit) } else { session.bandwidths.append(limit) }
    }

    private mutating func countAttribute() throws(SDPError) {
        if section != nil {
            try section?.countAttribute()
            return
        }
        attributeCount &+= 1
        guard attributeCount <= limits.attributes else {
            throw SDPError(.tooMany, "more than \(limits.attributes) attributes of the session")
        }
    }

    private mutating func readAttribute(_ line: Field) throws(SDPError) {
        try countAttribute()
        let attribute = Attribute(line)
        guard SDPSyntax.isToken(attribute.name, maximum: 128) else {
            throw SDPError(.badAttribute, "an attribute without a proper name: \(line.text)")
        }
        if section != nil { try section?.read(attribute) } else { try readSession(attribute) }
    }

    private mutating func readSession(_ attribute: Attribute) throws(SDPError) {
        if try session.transport.read(attribute) { return }
        switch attribute.name {
        case "group":
            let parts = attribute.value.split(1024)
            guard let semantics = parts.first, session.groups.count < limits.groups else {
                throw SDPError(.badAttribute, "a=group without semantics, or more than \(limits.groups) groups")
            }
            for mid in parts.dropFirst() where !SDPSyntax.isToken(mid.text, maximum: SDPLimits.midBytes) {
                throw SDPError(.badMID, "a=group with a bad identification tag: \(mid.text)")
            }
            session.groups.append(SectionGroup(semantics: semantics.text, mids: parts.dropFirst().map(\.text)))
        case "ice-lite": session.isICELite = true
        case "extmap-allow-mixed": session.allowsMixedExtensions = true
        case "sendrecv", "sendonly", "recvonly", "inactive":
            session.direction = MediaDirection(rawValue: attribute.name)
        case "extmap":
            if let map = try attribute.extensionMap() { session.extensions.append(map) }
        case "end-of-candidates": session.endOfCandidates = true
        case "msid-semantic": break
        default: session.otherAttributes.append(attribute.text)
        }
    }

    mutating func finished() throws(SDPError) -> SessionDescription {
        try closeSection()
        guard sawOrigin else { throw SDPError(.missingLine, lineCount == 0 ? "v=0 must come first" : "no o= line") }
        guard sawName else { throw SDPError(.missingLine, "no s= line") }
        return session
    }
}

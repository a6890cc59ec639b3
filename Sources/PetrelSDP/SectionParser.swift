/// Reads the lines of one m= section.
struct SectionParser {
    var section: MediaSection
    private let limits: SDPLimits
    private let isRTP: Bool
    private var attributeCount = 0
    /// Places of sources in `section.sources`, so that many a=ssrc lines stay linear.
    private var sourcePlaces: [UInt32: Int] = [:]

    /// Reads the m= line (RFC 8866 section 5.14).
    init(_ value: Field, limits: SDPLimits) throws(SDPError) {
        let parts = value.split(260)
        guard parts.count >= 3 else { throw SDPError(.badLine, "m= needs kind, port, protocol: \(value.text)") }
        let kind = parts[0].text
        guard SDPSyntax.isToken(kind, maximum: 64) else { throw SDPError(.badLine, "m= of kind \(kind)") }
        let (number, count) = parts[1].cut(UInt8(ascii: "/"))
        guard let port = number.unsigned(UInt16.self) else {
            throw SDPError(.badNumber, "m= with port \(parts[1].text)")
        }
        let transportProtocol = parts[2].text
        guard transportProtocol.utf8.allSatisfy({ SDPSyntax.isTokenCharacter($0) || $0 == 0x2F }) else {
            throw SDPError(.badLine, "m= with protocol \(transportProtocol)")
        }
        let formats = parts.dropFirst(3)
        guard formats.count <= 256 else { throw SDPError(.tooMany, "m= with more than 256 formats") }
        guard !formats.isEmpty || port == 0 else { throw SDPError(.badLine, "m= without formats") }
        isRTP = MediaSection.isRTP(transportProtocol)
        var seen: Set<UInt8> = []
        for format in formats {
            if isRTP {
                guard let payloadType = format.unsigned(UInt8.self, maximum: 127) else {
                    throw SDPError(.badNumber, "m= with payload type \(format.text)")
                }
                guard seen.insert(payloadType).inserted else {
                    throw SDPError(.payloadTypeReused, "m= with payload type \(payloadType) twice")
                }
            } else if !SDPSyntax.isToken(format.text, maximum: 64) {
                throw SDPError(.badLine, "m= with format \(format.text)")
            }
        }
        section = MediaSection(
            kind: MediaKind(name: kind), port: port, transportProtocol: transportProtocol,
            formats: isRTP ? formats.compactMap { $0.unsigned(UInt8.self).map { String($0) } } : formats.map(\.text))
        if let count {
            guard let ports = count.unsigned(UInt16.self), ports > 0 else {
                throw SDPError(.badNumber, "m= with port count \(count.text)")
            }
            section.portCount = ports
        }
        self.limits = limits
    }

    mutating func countAttribute() throws(SDPError) {
        attributeCount &+= 1
        guard attributeCount <= limits.attributes else {
            throw SDPError(.tooMany, "more than \(limits.attributes) attributes in a section")
        }
    }

    mutating func read(_ attribute: Attribute) throws(SDPError) {
        if try section.transport.read(attribute) { return }
        if try readFormat(attribute) { return }
        if try readStream(attribute) { return }
        switch attribute.name {
        case "sendrecv", "sendonly", "recvonly", "inactive":
            section.direction = MediaDirection(rawValue: attribute.name)
        case "mid":
            let text = attribute.value.text
            guard SDPSyntax.isToken(text, maximum: SDPLimits.midBytes) else { throw attribute.bad(.badMID) }
            guard section.mid == nil || section.mid == text else { throw attribute.bad(.duplicateMID) }
            section.mid = text
        case "bundle-only": section.isBundleOnly = true
        case "rtcp-mux": section.hasRTCPMux = true
        case "rtcp-rsize": section.hasReducedSizeRTCP = true
        case "extmap-allow-mixed": section.allowsMixedExtensions = true
        case "extmap":
            guard let map = try attribute.extensionMap() else { return }
            guard !section.extensions.contains(where: { $0.id == map.id && $0.uri != map.uri }) else {
                throw attribute.bad(.extensionIDReused)
            }
            if !section.extensions.contains(map) { section.extensions.append(map) }
        case "candidate":
            guard attribute.line.bytes.count <= limits.candidateBytes else {
                throw SDPError(.lineTooLong, "a candidate of more than \(limits.candidateBytes) octets")
            }
            guard section.candidates.count < limits.candidates else {
                throw SDPError(.tooMany, "more than \(limits.candidates) candidates in a section")
            }
            section.candidates.append(attribute.text)
        case "end-of-candidates": section.endOfCandidates = true
        case "ptime": section.packetTime = attribute.value.unsigned(UInt16.self).flatMap { $0 > 0 ? $0 : nil }
        case "maxptime": section.maximumPacketTime = attribute.value.unsigned(UInt16.self).flatMap { $0 > 0 ? $0 : nil }
        case "sctp-port":
            guard let port = attribute.value.unsigned(UInt16.self) else { throw attribute.bad(.badNumber) }
            section.sctpPort = port
        case "max-message-size":
            guard attribute.value.isDigits else { throw attribute.bad(.badNumber) }
            section.maximumMessageSize = attribute.value.unsigned64 ?? .max
        default: section.otherAttributes.append(attribute.text)
        }
    }

    /// rtpmap, fmtp and rtcp-fb; false where it is none of them or the section is no RTP.
    private mutating func readFormat(_ attribute: Attribute) throws(SDPError) -> Bool {
        guard isRTP else { return false }
        switch attribute.name {
        case "rtpmap":
            let map = try Self.rtpMap(attribute)
            if let known = section.rtpMap(map.payloadType) {
                guard known.isSameEncoding(as: map) else { throw attribute.bad(.payloadTypeReused) }
            } else {
                section.rtpMaps.append(map)
            }
        case "fmtp":
            let parts = attribute.value.split(2)
            guard let first = parts.first, let payloadType = first.unsigned(UInt8.self, maximum: 127) else {
                throw attribute.bad()
            }
            // A second line for one format adds nothing that could be relied on: the first stands.
            if parts.count == 2, section.parameters(payloadType) == nil {
                section.formatParameters.append(FormatParameters(payloadType: payloadType, text: parts[1].text))
            }
        case "rtcp-fb":
            let parts = attribute.value.split(64)
            guard parts.count >= 2 else { throw attribute.bad() }
            var payloadType: UInt8?
            if parts[0].text != "*" {
                payloadType = parts[0].unsigned(UInt8.self, maximum: 127)
                guard payloadType != nil else { throw attribute.bad() }
            }
            section.feedback.append(
                FeedbackLine(payloadType: payloadType, value: parts.dropFirst().map(\.text).joined(separator: " ")))
        default: return false
        }
        return true
    }

    private static func rtpMap(_ attribute: Attribute) throws(SDPError) -> RTPMap {
        let parts = attribute.value.split(3)
        guard parts.count == 2, let payloadType = parts[0].unsigned(UInt8.self, maximum: 127) else {
            throw attribute.bad()
        }
        let (name, rest) = parts[1].cut(UInt8(ascii: "/"))
        guard SDPSyntax.isToken(name.text, maximum: 64), let rest else { throw attribute.bad() }
        let (rate, channels) = rest.cut(UInt8(ascii: "/"))
        guard let clockRate = rate.unsigned(UInt32.self), clockRate > 0 else { throw attribute.bad(.badNumber) }
        var map = RTPMap(payloadType: payloadType, name: name.text, clockRate: clockRate)
        if let channels {
            guard let count = channels.unsigned(UInt8.self), count > 0 else { throw attribute.bad(.badNumber) }
            map.channels = count
        }
        return map
    }

    /// msid, ssrc and ssrc-group; false where it is none of them.
    private mutating func readStream(_ attribute: Attribute) throws(SDPError) -> Bool {
        switch attribute.name {
        case "msid":
            // A line without a stream names nothing.
            guard let msid = Self.msid(attribute.value) else { return true }
            guard section.streams.count < limits.sources else { throw SDPError(.tooMany, "too many a=msid lines") }
            section.streams.append(msid)
        case "ssrc": try readSource(attribute)
        case "ssrc-group":
            let parts = attribute.value.split(64)
            guard let semantics = parts.first, section.sourceGroups.count < limits.sources else {
                throw SDPError(.tooMany, "a=ssrc-group without semantics, or more than \(limits.sources) of them")
            }
            let ssrcs = parts.dropFirst().compactMap { $0.unsigned(UInt32.self) }
            // A group with a source outside 32 bits is not a group.
            guard ssrcs.count == parts.count &- 1, !ssrcs.isEmpty else { return true }
            section.sourceGroups.append(SourceGroup(semantics: semantics.text, ssrcs: ssrcs))
        default: return false
        }
        return true
    }

    private mutating func readSource(_ attribute: Attribute) throws(SDPError) {
        let parts = attribute.value.split(2)
        // Sources outside 32 bits and lines without an attribute say nothing that could be used.
        guard parts.count == 2, let ssrc = parts[0].unsigned(UInt32.self) else { return }
        let (name, value) = parts[1].cut(UInt8(ascii: ":"))
        guard let value, !value.isEmpty else { return }
        switch name.text {
        case "cname": section.sources[try place(of: ssrc)].cname = value.text
        case "msid":
            guard let msid = Self.msid(value) else { return }
            section.sources[try place(of: ssrc)].msid = msid
        default: break
        }
    }

    private mutating func place(of ssrc: UInt32) throws(SDPError) -> Int {
        if let known = sourcePlaces[ssrc] { return known }
        guard section.sources.count < limits.sources else {
            throw SDPError(.tooMany, "more than \(limits.sources) sources in a section")
        }
        let place = section.sources.count
        sourcePlaces[ssrc] = place
        section.sources.append(SourceDescription(ssrc: ssrc))
        return place
    }

    private static func msid(_ value: Field) -> StreamIdentifier? {
        let parts = value.split(3)
        guard parts.count == 1 || parts.count == 2 else { return nil }
        return StreamIdentifier(stream: parts[0].text, track: parts.count == 2 ? parts[1].text : nil)
    }
}

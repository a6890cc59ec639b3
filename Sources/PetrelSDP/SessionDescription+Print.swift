extension SessionDescription {
    /// The description as text, lines ended by CR LF, in an order that depends on nothing but the description.
    /// - Throws: ``SDPError/Reason/controlCharacter`` where a part holds CR, LF, NUL or another control character, so
    ///   that no line can be slipped in.
    public func text() throws(SDPError) -> String {
        var writer = DescriptionWriter()
        try writer.line("v=0")
        try writer.line("o=\(origin.username) \(origin.sessionID) \(origin.sessionVersion) \(origin.address)")
        try writer.line("s=\(name)")
        if let connection { try writer.line("c=\(connection)") }
        for limit in bandwidths { try writer.line("b=\(limit.type):\(limit.value)") }
        try writer.line("t=0 0")
        for group in groups { try writer.line("a=group:" + ([group.semantics] + group.mids).joined(separator: " ")) }
        if allowsMixedExtensions { try writer.line("a=extmap-allow-mixed") }
        if isICELite { try writer.line("a=ice-lite") }
        try writer.transport(transport)
        for map in extensions { try writer.extensionMap(map) }
        if let direction { try writer.line("a=\(direction.rawValue)") }
        if endOfCandidates { try writer.line("a=end-of-candidates") }
        for attribute in otherAttributes { try writer.line("a=\(attribute)") }
        for section in media { try writer.section(section) }
        return writer.text
    }
}

private struct DescriptionWriter {
    var text = ""

    mutating func line(_ line: String) throws(SDPError) {
        guard SDPSyntax.isLine(line) else { throw SDPError(.controlCharacter, "control character in \(line)") }
        text += line
        text += "\r\n"
    }

    mutating func transport(_ transport: TransportDescription) throws(SDPError) {
        if let ufrag = transport.iceUfrag { try line("a=ice-ufrag:\(ufrag)") }
        if let password = transport.icePassword { try line("a=ice-pwd:\(password)") }
        if let options = transport.iceOptions, !options.isEmpty {
            try line("a=ice-options:" + options.joined(separator: " "))
        }
        for fingerprint in transport.fingerprints { try line("a=fingerprint:\(fingerprint)") }
        for fingerprint in transport.unknownFingerprints { try line("a=fingerprint:\(fingerprint)") }
        if let setup = transport.setup { try line("a=setup:\(setup.rawValue)") }
        if let tlsID = transport.tlsID { try line("a=tls-id:\(tlsID)") }
    }

    mutating func extensionMap(_ map: ExtensionMap) throws(SDPError) {
        let direction = map.direction.map { "/\($0.rawValue)" } ?? ""
        let attributes = map.attributes.map { " \($0)" } ?? ""
        try line("a=extmap:\(map.id)\(direction) \(map.uri)\(attributes)")
    }

    mutating func section(_ section: MediaSection) throws(SDPError) {
        let port = section.portCount.map { "\(section.port)/\($0)" } ?? "\(section.port)"
        let formats = section.formats.isEmpty ? "" : " " + section.formats.joined(separator: " ")
        try line("m=\(section.kind.name) \(port) \(section.transportProtocol)\(formats)")
        if let connection = section.connection { try line("c=\(connection)") }
        for limit in section.bandwidths { try line("b=\(limit.type):\(limit.value)") }
        for candidate in section.candidates { try line("a=\(candidate)") }
        if section.endOfCandidates { try line("a=end-of-candidates") }
        try transport(section.transport)
        if let mid = section.mid { try line("a=mid:\(mid)") }
        if section.isBundleOnly { try line("a=bundle-only") }
        if section.allowsMixedExtensions { try line("a=extmap-allow-mixed") }
        for map in section.extensions { try extensionMap(map) }
        if let direction = section.direction { try line("a=\(direction.rawValue)") }
        for stream in section.streams { try line("a=msid:" + Self.msid(stream)) }
        if section.hasRTCPMux { try line("a=rtcp-mux") }
        if section.hasReducedSizeRTCP { try line("a=rtcp-rsize") }
        try formatLines(section)
        if let time = section.packetTime { try line("a=ptime:\(time)") }
        if let time = section.maximumPacketTime { try line("a=maxptime:\(time)") }
        for group in section.sourceGroups {
            try line("a=ssrc-group:\(group.semantics) " + group.ssrcs.map { "\($0)" }.joined(separator: " "))
        }
        for source in section.sources {
            if let cname = source.cname { try line("a=ssrc:\(source.ssrc) cname:\(cname)") }
            if let msid = source.msid { try line("a=ssrc:\(source.ssrc) msid:" + Self.msid(msid)) }
        }
        if let port = section.sctpPort { try line("a=sctp-port:\(port)") }
        if let size = section.maximumMessageSize { try line("a=max-message-size:\(size)") }
        for attribute in section.otherAttributes { try line("a=\(attribute)") }
    }

    private mutating func formatLines(_ section: MediaSection) throws(SDPError) {
        for map in section.rtpMaps {
            let channels = map.channels.map { "/\($0)" } ?? ""
            try line("a=rtpmap:\(map.payloadType) \(map.name)/\(map.clockRate)\(channels)")
        }
        for feedback in section.feedback {
            try line("a=rtcp-fb:\(feedback.payloadType.map { "\($0)" } ?? "*") \(feedback.value)")
        }
        for parameters in section.formatParameters {
            try line("a=fmtp:\(parameters.payloadType) \(parameters.text)")
        }
    }

    private static func msid(_ msid: StreamIdentifier) -> String {
        msid.track.map { "\(msid.stream) \($0)" } ?? msid.stream
    }
}

extension Fingerprint: CustomStringConvertible {
    /// As in a=fingerprint: the hash function and pairs of upper case hexadecimal digits (RFC 8122 section 5).
    public var description: String {
        let digits = Array("0123456789ABCDEF".utf8)
        var text: [UInt8] = []
        for byte in bytes {
            if !text.isEmpty { text.append(UInt8(ascii: ":")) }
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return "\(hash.rawValue) " + String(decoding: text, as: UTF8.self)
    }
}

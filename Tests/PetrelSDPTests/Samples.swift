import PetrelCore
import Testing

@testable import PetrelSDP

/// Descriptions and negotiators for the tests, written from RFC 8866 and RFC 9429.
enum Samples {
    static func fingerprint(_ first: UInt8) -> Fingerprint {
        Fingerprint(.sha256, (0..<32).map { first &+ UInt8($0) })!
    }

    static func transport(_ seed: UInt64, tlsID: String? = nil) -> LocalTransport {
        var random = RandomSource(seed: seed)
        let credentials = LocalTransport.randomCredentials(using: &random)
        return try! LocalTransport(
            iceUfrag: credentials.ufrag, icePassword: credentials.password,
            fingerprints: [fingerprint(UInt8(truncatingIfNeeded: seed))], tlsID: tlsID)
    }

    static func track(_ ssrc: UInt32, rtx: UInt32? = nil) -> LocalTrack {
        try! LocalTrack(streamID: "stream", trackID: "track\(ssrc)", ssrc: ssrc, rtxSSRC: rtx, cname: "cname1")
    }

    /// A negotiator with one audio and one video transceiver, both ways.
    static func caller(
        _ seed: UInt64 = 1, configuration: LocalConfiguration = LocalConfiguration(), tlsID: String? = nil
    ) -> Negotiator {
        var negotiator = Negotiator(
            configuration: configuration, transport: transport(seed, tlsID: tlsID), sessionID: seed)
        let base = UInt32(truncatingIfNeeded: seed &* 100)
        _ = try! negotiator.addTransceiver(.audio, direction: .sendrecv, track: track(base &+ 1))
        _ = try! negotiator.addTransceiver(
            .video, direction: .sendrecv, track: track(base &+ 2, rtx: base &+ 3))
        return negotiator
    }

    static let fingerprintLine =
        "a=fingerprint:sha-256 03:0A:11:18:1F:26:2D:34:3B:42:49:50:57:5E:65:6C:73:7A:81:88:8F:96:9D:A4:AB:B2:B9:C0:C7:CE:D5:DC"

    static let head = ["v=0", "o=- 4611731400430051336 2 IN IP4 127.0.0.1", "s=-", "t=0 0"]

    static let video = [
        "m=video 9 UDP/TLS/RTP/SAVPF 96", "c=IN IP4 0.0.0.0", "a=ice-ufrag:abcd", "a=ice-pwd:abcdefghijklmnopqrstuvwx",
        fingerprintLine, "a=setup:actpass", "a=mid:0", "a=sendrecv", "a=rtcp-mux", "a=rtpmap:96 VP8/90000",
    ]

    static let audio = [
        "m=audio 9 UDP/TLS/RTP/SAVPF 111", "c=IN IP4 0.0.0.0", "a=ice-ufrag:abcd", "a=ice-pwd:abcdefghijklmnopqrstuvwx",
        fingerprintLine, "a=setup:actpass", "a=mid:1", "a=sendrecv", "a=rtcp-mux", "a=rtpmap:111 opus/48000/2",
    ]

    static func text(_ lines: [String]) -> String { lines.joined(separator: "\r\n") + "\r\n" }

    /// An offer of video and audio in one group.
    static let both = text(head + ["a=group:BUNDLE 0 1"] + video + audio)
    /// An offer of video alone.
    static let one = text(head + video)

    /// Changes the first line that begins so; an empty new line removes it.
    static func edited(_ text: String, _ old: String, _ new: String) -> String {
        var lines = text.split(separator: "\r\n", omittingEmptySubsequences: false).map { String($0) }
        let place = lines.firstIndex { $0.hasPrefix(old) }!
        if new.isEmpty { lines.remove(at: place) } else { lines[place] = new }
        return lines.joined(separator: "\r\n")
    }
}

/// Expects an error of this reason.
func expectError(
    _ reason: SDPError.Reason, line: Int? = nil, _ label: String = "",
    sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> Void
) {
    do {
        try body()
        Issue.record("no error \(reason): \(label)", sourceLocation: sourceLocation)
    } catch let error as SDPError {
        #expect(error.reason == reason, "\(label): \(error)", sourceLocation: sourceLocation)
        if let line { #expect(error.line == line, "\(label): \(error)", sourceLocation: sourceLocation) }
        #expect(error.description.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F }, sourceLocation: sourceLocation)
    } catch {
        Issue.record("another error: \(error)", sourceLocation: sourceLocation)
    }
}

/// What is wrong with an answer, by the rules of RFC 3264 section 6, RFC 9143 section 7.3 and RFC 4585 section 4.2: it
/// must have the offer's sections and nothing that the offer lacked.
func faults(of answer: SessionDescription, to offer: SessionDescription) -> [String] {
    var faults: [String] = []
    if answer.media.count != offer.media.count { faults.append("section count") }
    for group in answer.groups {
        let within = offer.groups.contains {
            $0.semantics == group.semantics && Set($0.mids).isSuperset(of: group.mids)
        }
        if !within { faults.append("group \(group)") }
        for mid in group.mids where answer.section(mid: mid)?.port ?? 0 == 0 {
            faults.append("bundles rejected \(mid)")
        }
    }
    let answered = answer.media.filter { $0.port != 0 }
    if answered.count > 1
        && answered.contains(where: { answer.bundle(of: $0) == nil || answer.bundle(of: $0) != answer.groups.first })
    {
        faults.append("two transports")
    }
    if answer.allowsMixedExtensions && !offer.allowsMixedExtensions { faults.append("extmap-allow-mixed") }
    if !answer.extensions.isEmpty { faults.append("session extensions") }
    for (ours, theirs) in zip(answer.media, offer.media) {
        if ours.kind != theirs.kind || ours.transportProtocol != theirs.transportProtocol { faults.append("m= line") }
        if ours.mid != theirs.mid { faults.append("mid") }
        if !Set(ours.formats).isSubset(of: theirs.formats) { faults.append("formats \(ours.formats)") }
        if ours.port == 0 { continue }
        if theirs.port == 0 && !theirs.isBundleOnly { faults.append("accepts what was rejected") }
        if ours.isBundleOnly { faults.append("bundle-only in an answer") }
        faults += sectionFaults(ours, theirs, answer, offer)
    }
    return faults
}

private func sectionFaults(
    _ ours: MediaSection, _ theirs: MediaSection, _ answer: SessionDescription, _ offer: SessionDescription
) -> [String] {
    var faults: [String] = []
    for map in ours.rtpMaps where !(theirs.rtpMap(map.payloadType)?.isSameEncoding(as: map) ?? false) {
        faults.append("rtpmap \(map)")
    }
    for line in ours.feedback {
        let offered = theirs.feedback.contains {
            $0.value == line.value && ($0.payloadType == nil || $0.payloadType == line.payloadType)
        }
        if !offered { faults.append("rtcp-fb \(line)") }
    }
    for map in ours.extensions {
        guard let other = (theirs.extensions + offer.extensions).first(where: { $0.id == map.id && $0.uri == map.uri })
        else {
            faults.append("extmap \(map)")
            continue
        }
        let (our, their) = (map.direction ?? .sendrecv, other.direction ?? .sendrecv)
        if (our.sends && !their.receives) || (our.receives && !their.sends) { faults.append("extmap direction \(map)") }
    }
    if Set(ours.extensions.map(\.id)).count != ours.extensions.count { faults.append("extension id twice") }
    if ours.hasRTCPMux != theirs.hasRTCPMux { faults.append("rtcp-mux") }
    if ours.hasReducedSizeRTCP && !theirs.hasReducedSizeRTCP { faults.append("rtcp-rsize") }
    if ours.transport.tlsID != nil && theirs.transport.tlsID == nil && offer.transport.tlsID == nil {
        faults.append("tls-id")
    }
    let (our, their) = (answer.effectiveDirection(of: ours), offer.effectiveDirection(of: theirs))
    if (our.sends && !their.receives) || (our.receives && !their.sends) { faults.append("direction") }
    if !our.sends && (!ours.streams.isEmpty || !ours.sources.isEmpty) { faults.append("sources without sending") }
    if ours.transport.setup != .active && ours.transport.setup != .passive { faults.append("setup") }
    if ours.transport.iceUfrag == nil || ours.transport.icePassword == nil || ours.transport.fingerprints.isEmpty {
        faults.append("transport")
    }
    if ours.formats.isEmpty { faults.append("no formats") }
    return faults
}

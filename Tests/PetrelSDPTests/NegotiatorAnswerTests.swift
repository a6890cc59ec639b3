import PetrelCore
import Testing

@testable import PetrelSDP

@Suite struct NegotiatorAnswerTests {
    func answer(_ offer: String) throws -> (SessionDescription, NegotiatedSession) {
        var negotiator = Samples.caller(7)
        let parsed = try SessionDescription(parsing: offer)
        try negotiator.applyRemote(parsed, .offer)
        let answer = try negotiator.createAnswer()
        try negotiator.applyLocal(answer, .answer)
        #expect(faults(of: try SessionDescription(parsing: answer.text()), to: parsed).isEmpty)
        return (answer, try #require(negotiator.session))
    }

    /// C54: what an offer lacks is not in the answer, and not in what is used.
    @Test func c54NothingThatTheOfferLacked() throws {
        let (answer, session) = try answer(Samples.both)
        for section in answer.media {
            #expect(section.feedback.isEmpty && section.extensions.isEmpty && !section.hasReducedSizeRTCP)
            #expect(section.formats.count == 1 && section.transport.tlsID == nil)
        }
        #expect(!answer.allowsMixedExtensions && session.extensions.isEmpty && !session.allowsMixedExtensions)
        for section in session.sections {
            #expect(!section.reducedSizeRTCP && section.rtcpMux)
            #expect(section.sendCodecs.allSatisfy { $0.feedback.isEmpty && $0.rtxPayloadType == nil })
            #expect(section.receiveCodecs.allSatisfy { $0.feedback.isEmpty && $0.rtxPayloadType == nil })
        }
    }

    /// C54, the other way: what the answer to our offer leaves out is not used.
    @Test func c54NothingThatTheAnswerLacks() throws {
        var caller = Samples.caller()
        let offer = try caller.createOffer()
        try caller.applyLocal(offer, .offer)
        var callee = Samples.caller(2)
        try callee.applyRemote(offer, .offer)
        let full = try callee.createAnswer().text()
        let bare = full.split(separator: "\r\n").filter { line in
            !["a=rtcp-fb", "a=extmap", "a=rtcp-rsize", "a=ssrc-group", "a=rtpmap:97", "a=fmtp:97"].contains {
                line.hasPrefix($0)
            }
        }
        try caller.applyRemote(Samples.text(bare.map { String($0) }), .answer)
        let session = try #require(caller.session)
        #expect(session.extensions.isEmpty && !session.allowsMixedExtensions)
        for section in session.accepted {
            #expect(!section.reducedSizeRTCP && section.sends && section.receives)
            #expect(section.sendCodecs.count == 1 && section.sendCodecs[0].feedback.isEmpty)
            #expect(section.sendCodecs[0].rtxPayloadType == nil && section.receiveCodecs[0].rtxPayloadType == nil)
        }
        // And an answer without multiplexing is no answer (RFC 9143 section 9.3).
        try caller.rollbackToOffer(offer)
        expectError(.multiplexingRequired) {
            try caller.applyRemote(full.replacing("a=rtcp-mux\r\n", with: ""), .answer)
        }
    }

    /// Transport-wide feedback needs the header extension that numbers packets.
    @Test func transportCCNeedsItsExtension() throws {
        let feedback = Samples.one + "a=rtcp-fb:96 transport-cc\r\na=rtcp-fb:* nack\r\n"
        #expect(try answer(feedback).1.sections[0].sendCodecs[0].feedback == [.nack])
        let both = feedback + "a=extmap:5 \(NegotiableExtension.transportWideCC.uri)\r\n"
        #expect(try answer(both).1.sections[0].sendCodecs[0].feedback == [.nack, .transportCC])
    }

    /// C57: keys in the description and media in the clear are declined, never downgraded to.
    @Test func c57SDESAndPlainRTPAreDeclined() throws {
        for transportProtocol in ["RTP/SAVPF", "RTP/SAVP", "RTP/AVP", "RTP/AVPF", "UDP/TLS/RTP/SAVP", "DTLS/SCTP"] {
            let text = Samples.one.replacing("UDP/TLS/RTP/SAVPF", with: transportProtocol)
            let (answer, session) = try answer(
                text + "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r\n")
            #expect(answer.media.map(\.port) == [0] && session.transport == nil, "\(transportProtocol)")
            #expect(answer.media[0].transportProtocol == transportProtocol)
            #expect(try !answer.text().contains("crypto"))
        }
        // Beside a certificate the keys are passed over.
        let (answer, _) = try answer(Samples.one + "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwg\r\n")
        #expect(try answer.media[0].port == 9 && !answer.text().contains("crypto"))
    }

    @Test func dataChannelsAndUnknownKindsAreDeclined() throws {
        let offer =
            Samples.both.replacing("BUNDLE 0 1", with: "BUNDLE 2 0 1")
            + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:2\r\na=sctp-port:5000\r\n"
            + "m=text 9 UDP/TLS/RTP/SAVPF 98\r\na=rtpmap:98 t140/1000\r\n"
        let (answer, session) = try answer(offer)
        #expect(answer.media.map(\.port) == [9, 9, 0, 0])
        #expect(answer.groups == [SectionGroup(semantics: "BUNDLE", mids: ["0", "1"])])
        #expect(answer.media[2].formats == ["webrtc-datachannel"] && answer.media[2].mid == "2")
        #expect(session.transport?.remoteUfrag == "abcd")
    }

    /// Sections outside the first group would need a transport of their own.
    @Test func unbundledSectionsAreDeclined() throws {
        let (answer, _) = try answer(Samples.edited(Samples.both, "a=group", ""))
        #expect(answer.media.map(\.port) == [9, 0] && answer.groups.isEmpty)
    }

    /// RFC 9143 section 7.1.3: what is shared may stand in the first section of the group alone; bundle-only is no
    /// rejection.
    @Test func bundledSectionsInheritTheTransport() throws {
        let lean = Samples.audio.filter { !$0.hasPrefix("a=ice") && !$0.hasPrefix("a=fingerprint") }
            .map { $0.replacing("m=audio 9", with: "m=audio 0") }
        let (answer, session) = try answer(
            Samples.text(Samples.head + ["a=group:BUNDLE 0 1"] + Samples.video + lean + ["a=bundle-only"]))
        #expect(answer.media.map(\.port) == [9, 9] && session.accepted.count == 2)
        let swapped = Samples.text(Samples.head + ["a=group:BUNDLE 0 1"] + lean + ["a=bundle-only"] + Samples.video)
        #expect(try self.answer(swapped).1.accepted.count == 2)
    }

    @Test func videoREDAndForeignCodecsAreLeftOutAndOrderIsTheOffers() throws {
        let offer = Samples.text(
            Samples.head + ["a=group:BUNDLE 0 1"]
                + Samples.video.map { $0.hasPrefix("m=") ? "m=video 9 UDP/TLS/RTP/SAVPF 98 99 112 114 96 97 45" : $0 }
                + [
                    "a=rtpmap:98 VP9/90000", "a=rtpmap:99 rtx/90000", "a=fmtp:99 apt=98", "a=rtpmap:112 red/90000",
                    "a=rtpmap:114 ulpfec/90000", "a=rtpmap:97 rtx/90000", "a=fmtp:97 apt=96", "a=rtpmap:45 AV1/90000",
                ] + Samples.audio.map { $0.hasPrefix("m=") ? "m=audio 9 UDP/TLS/RTP/SAVPF 63 111 0" : $0 }
                + ["a=rtpmap:63 red/48000/2", "a=fmtp:63 111/111", "a=fmtp:111 stereo=1;maxaveragebitrate=9999999"])
        let (answer, session) = try answer(offer)
        #expect(answer.media.map(\.formats) == [["96", "97"], ["111", "63"]])
        #expect(session.sections[0].sendCodecs[0].rtxPayloadType == 97)
        #expect(session.sections[1].sendCodecs[0].opus?.stereo == true)
        #expect(session.sections[1].sendCodecs[0].opus?.maximumAverageBitrate == 510_000)
        #expect(session.sections[1].sendCodecs[0].opus?.usesInbandFEC == false)
        #expect(session.sections[1].receiveCodecs[0].opus?.usesInbandFEC == true)
    }

    /// Redundancy is taken only where its blocks are what we take, by themselves (no nesting).
    @Test func redundancyOfSomethingElseIsLeftOut() throws {
        for (format, parameters) in [
            ("red/48000/2", "111/0"), ("red/48000/2", "63/63"), ("red/48000", "111/111"), ("red/48000/2", "111/"),
            ("red/48000/2", ""), ("red/8000", "111/111"), ("red/48000/2", "99999999999999999999"),
        ] {
            let offer = Samples.text(
                Samples.head + Samples.audio.map { $0.hasPrefix("m=") ? "m=audio 9 UDP/TLS/RTP/SAVPF 111 63" : $0 }
                    + ["a=rtpmap:63 \(format)"] + (parameters.isEmpty ? [] : ["a=fmtp:63 \(parameters)"]))
            let (answer, session) = try answer(offer)
            #expect(answer.media[0].formats == ["111"], "\(format) \(parameters)")
            #expect(session.sections[0].sendCodecs[0].redPayloadType == nil)
        }
    }

    /// C38 in negotiation: retransmissions of themselves or of retransmissions are dropped.
    @Test func rtxLoopsAreDropped() throws {
        let offer =
            Samples.edited(Samples.one, "m=", "m=video 9 UDP/TLS/RTP/SAVPF 96 97 98")
            + "a=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=97\r\na=rtpmap:98 rtx/90000\r\na=fmtp:98 apt=97\r\n"
        #expect(try answer(offer).0.media[0].formats == ["96"])
    }

    @Test func extensionsKeepIdentifierAndMirrorDirection() throws {
        let mid = NegotiableExtension.mid.uri
        let time = NegotiableExtension.absoluteSendTime.uri
        let offer =
            Samples.one
            + "a=extmap:9 \(mid)\r\na=extmap:2/recvonly \(time)\r\na=extmap:7 urn:unknown\r\na=extmap:3/inactive x\r\n"
        let (answer, session) = try answer(offer)
        #expect(
            answer.media[0].extensions == [
                ExtensionMap(id: 9, uri: mid), ExtensionMap(id: 2, direction: .sendonly, uri: time),
            ])
        #expect(session.extensions.first { $0.kind == .absoluteSendTime }?.sends == true)
        #expect(session.extensions.first { $0.kind == .absoluteSendTime }?.receives == false)
        // Identifiers above 14 need two-byte headers, which both must allow.
        let high = Samples.one + "a=extmap:15 \(mid)\r\n"
        #expect(try self.answer(high).0.media[0].extensions.isEmpty)
        #expect(try self.answer(high + "a=extmap-allow-mixed\r\n").0.media[0].extensions.map(\.id) == [15])
    }

    @Test func directionsAndLimitsOfTheOtherSide() throws {
        for (offered, sends, receives) in [
            ("sendrecv", true, true), ("sendonly", false, true), ("recvonly", true, false), ("inactive", false, false),
        ] {
            let (_, session) = try answer(Samples.edited(Samples.one, "a=sendrecv", "a=\(offered)"))
            #expect(session.sections[0].sends == sends && session.sections[0].receives == receives)
        }
        let limited = try answer(Samples.one + "b=AS:300\r\n").1
        #expect(limited.sections[0].remoteBitrateLimit == .kilobitsPerSecond(300))
        let both = try answer(Samples.one + "b=AS:300\r\nb=TIAS:18446744073709551615\r\n").1
        #expect(both.sections[0].remoteBitrateLimit == DataRate(bitsPerSecond: .max))
        #expect(try answer(Samples.one + "b=AS:0\r\n").1.sections[0].remoteBitrateLimit == nil)
    }

    @Test func rolesFollowSetup() throws {
        for (offered, role) in [("actpass", DTLSRole.client), ("active", .server), ("passive", .client)] {
            let (_, session) = try answer(Samples.edited(Samples.one, "a=setup", "a=setup:\(offered)"))
            #expect(session.transport?.role == role)
        }
        // RFC 4145 section 4.1: active where nothing is said.
        #expect(try answer(Samples.edited(Samples.one, "a=setup", "")).1.transport?.role == .server)
    }

    @Test func tlsIDOnlyInAnswerToOne() throws {
        let name = String(repeating: "ab", count: 20)
        let caller = Samples.caller(3, tlsID: name)
        #expect(try caller.createOffer().media[0].transport.tlsID == name)
        let without = try SessionDescription(parsing: Samples.one)
        let with = try SessionDescription(parsing: Samples.one + "a=tls-id:\(name)\r\n")
        #expect(try caller.createAnswer(to: without).media[0].transport.tlsID == nil)
        #expect(try caller.createAnswer(to: with).media[0].transport.tlsID == name)
        #expect(caller.state == .stable, "looking does not change")
    }

    @Test func candidatesBelongToSectionsThatAreThere() throws {
        var negotiator = Samples.caller()
        expectError(.wrongState) { _ = try negotiator.accepts(candidateForMID: "0", index: nil) }
        try negotiator.applyRemote(Samples.both, .offer)
        #expect(try negotiator.accepts(candidateForMID: "0", index: nil))
        #expect(try negotiator.accepts(candidateForMID: nil, index: 1, ufrag: "abcd"))
        #expect(try !negotiator.accepts(candidateForMID: "1", index: 1, ufrag: "other"))
        expectError(.unknownMID) { _ = try negotiator.accepts(candidateForMID: "7", index: nil) }
        expectError(.unknownMID) { _ = try negotiator.accepts(candidateForMID: nil, index: 2) }
        expectError(.unknownMID) { _ = try negotiator.accepts(candidateForMID: nil, index: nil) }
    }
}

extension Negotiator {
    /// A fresh negotiator with the same offer pending.
    mutating func rollbackToOffer(_ offer: SessionDescription) throws {
        self = Samples.caller()
        try applyLocal(offer, .offer)
    }
}

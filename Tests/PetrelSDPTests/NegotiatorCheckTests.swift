import PetrelCore
import Testing

@testable import PetrelSDP

@Suite struct NegotiatorCheckTests {
    /// Applies an offer that must be refused, and sees that nothing changed.
    func refuse(
        _ reason: SDPError.Reason, _ text: String, after first: String? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        var negotiator = Samples.caller(7)
        if let first { try accept(&negotiator, first) }
        let (session, transceivers, remote) = (
            negotiator.session, negotiator.transceivers, negotiator.remoteDescription
        )
        expectError(reason, sourceLocation: sourceLocation) { try negotiator.applyRemote(text, .offer) }
        #expect(negotiator.state == .stable, sourceLocation: sourceLocation)
        #expect(
            negotiator.session == session && negotiator.transceivers == transceivers, sourceLocation: sourceLocation)
        #expect(negotiator.remoteDescription == remote, sourceLocation: sourceLocation)
    }

    func accept(_ negotiator: inout Negotiator, _ offer: String) throws {
        try negotiator.applyRemote(offer, .offer)
        try negotiator.applyLocal(negotiator.createAnswer(), .answer)
    }

    /// C56: certificates and roles must be in order.
    @Test func c56FingerprintsAndSetup() throws {
        let both = Samples.both
        try refuse(.noFingerprint, Samples.edited(Samples.one, "a=fingerprint", ""))
        try refuse(.weakFingerprint, Samples.edited(Samples.one, "a=fingerprint", "a=fingerprint:md5 00:11"))
        try refuse(.weakFingerprint, Samples.edited(Samples.one, "a=fingerprint", "a=fingerprint:sha-3 00:11"))
        let sha1 = "a=fingerprint:sha-1 " + Array(repeating: "AB", count: 20).joined(separator: ":")
        try refuse(.weakFingerprint, Samples.edited(Samples.one, "a=fingerprint", sha1))
        try refuse(.badFingerprint, Samples.edited(Samples.one, "a=fingerprint", "a=fingerprint:sha-256 00:11"))
        try refuse(.badFingerprint, Samples.one.replacing("03:0A", with: "0X:0A"))
        try refuse(.badFingerprint, Samples.edited(Samples.one, "a=fingerprint", "a=fingerprint:sha-256"))
        try refuse(
            .fingerprintConflict,
            Samples.edited(both, "a=fingerprint", Samples.fingerprintLine.replacing("03:0A", with: "04:0A")))
        try refuse(.badSetup, Samples.edited(Samples.one, "a=setup", "a=setup:holdconn"))
        try refuse(.setupConflict, Samples.edited(both, "a=setup", "a=setup:active"))
        try refuse(.missingICECredentials, Samples.edited(Samples.one, "a=ice-pwd", ""))

        // Several fingerprints, hash names in capitals and hexadecimal digits in lower case are in order.
        var negotiator = Samples.caller(7)
        let capital = Samples.fingerprintLine.replacing("sha-256", with: "SHA-256").replacing("AB", with: "ab")
        try accept(&negotiator, Samples.edited(Samples.one, "a=fingerprint", capital) + sha1 + "\r\n")
        #expect(negotiator.session?.transport?.remoteFingerprints.map(\.hash) == [.sha256])
    }

    /// C56: an answer must say who begins, and keep to it.
    @Test func c56SetupOfAnswers() throws {
        var caller = Samples.caller(1)
        var callee = Samples.caller(2)
        let offer = try caller.createOffer()
        try caller.applyLocal(offer, .offer)
        let answer = try callee.createAnswer(to: offer).text()
        for bad in ["actpass", "holdconn"] {
            expectError(.badSetup) {
                try caller.applyRemote(answer.replacing("a=setup:active", with: "a=setup:\(bad)"), .answer)
            }
        }
        expectError(.badSetup) { try caller.applyRemote(answer.replacing("a=setup:active\r\n", with: ""), .answer) }
        expectError(.setupConflict) {
            try caller.applyRemote(Samples.edited(answer, "a=setup:active", "a=setup:passive"), .answer)
        }
        #expect(caller.state == .haveLocalOffer && caller.session == nil)
        try caller.rollback()
        try negotiate(&caller, &callee)
        // The roles of an association in use cannot turn round, whoever offers.
        try caller.setDirection(.sendonly, of: 0)
        let second = try caller.createOffer()
        #expect(second.media[0].transport.setup == .actpass)
        let next = try callee.createAnswer(to: second).text()
        #expect(next.contains("a=setup:active"))
        try caller.applyLocal(second, .offer)
        expectError(.setupConflict) {
            try caller.applyRemote(next.replacing("a=setup:active", with: "a=setup:passive"), .answer)
        }
        try caller.applyRemote(next, .answer)
        let turned = try caller.createAnswer(to: callee.createOffer())
        #expect(turned.media[0].transport.setup == .passive)
        try callee.setDirection(.sendonly, of: 0)
        let passive = try callee.createOffer().text().replacing("a=setup:actpass", with: "a=setup:passive")
        expectError(.setupConflict) { try caller.applyRemote(passive, .offer) }
    }

    /// C59: sections, groups and numbers must be in order, and an error leaves everything as it was.
    @Test func c59SectionsAndGroups() throws {
        let both = Samples.both
        try refuse(.duplicateMID, both.replacing("a=mid:1", with: "a=mid:0"))
        try refuse(.unknownMID, both.replacing("BUNDLE 0 1", with: "BUNDLE 0 1 2"))
        try refuse(
            .midInTwoGroups, both.replacing("a=group:BUNDLE 0 1", with: "a=group:BUNDLE 0\r\na=group:BUNDLE 0 1"))
        try refuse(.midInTwoGroups, both.replacing("BUNDLE 0 1", with: "BUNDLE 0 1 0"))
        try refuse(.payloadTypeReused, both.replacing("SAVPF 111", with: "SAVPF 96").replacing(":111 ", with: ":96 "))
        let mid = NegotiableExtension.mid.uri
        try refuse(
            .extensionIDReused,
            both.replacing("a=mid:0", with: "a=mid:0\r\na=extmap:3 urn:x").replacing(
                "a=mid:1", with: "a=mid:1\r\na=extmap:3 \(mid)"))
        try refuse(.sectionCount, Samples.text(Samples.head), after: both)
        try refuse(.sectionCount, Samples.one, after: both)
        try refuse(
            .sectionMismatch, both.replacing("a=mid:1", with: "a=mid:9").replacing("BUNDLE 0 1", with: "BUNDLE 0 9"),
            after: both)
        try refuse(
            .sectionMismatch, Samples.text(Samples.head + ["a=group:BUNDLE 0 1"] + Samples.audio + Samples.video),
            after: both)
        try refuse(.payloadTypeReused, Samples.one.replacing("VP8", with: "VP9"), after: Samples.one)
        try refuse(
            .extensionIDReused, Samples.one + "a=extmap:3 urn:y\r\n", after: Samples.one + "a=extmap:3 urn:x\r\n")
    }

    /// C59: answers must keep to the offer.
    @Test func c59Answers() throws {
        var caller = Samples.caller(1)
        let offer = try caller.createOffer()
        try caller.applyLocal(offer, .offer)
        let callee = Samples.caller(2)
        let answer = try callee.createAnswer(to: offer).text()
        let before = caller
        let bad: [(SDPError.Reason, String)] = [
            (.sectionCount, answer + "m=audio 0 UDP/TLS/RTP/SAVPF 111\r\n"),
            (.sectionCount, Samples.text(Samples.head)),
            (.sectionMismatch, answer.replacing("m=audio", with: "m=video")),
            (.sectionMismatch, answer.replacing("a=mid:1", with: "a=mid:5").replacing("BUNDLE 0 1", with: "BUNDLE 0")),
            (.unknownMID, answer.replacing("BUNDLE 0 1", with: "BUNDLE 0 1 2")),
            (.bundleRequired, answer.replacing("BUNDLE 0 1", with: "BUNDLE 0")),
            (.bundleRequired, Samples.edited(answer, "a=group", "")),
            (.payloadTypeReused, answer.replacing("VP8/90000", with: "VP9/90000")),
            (.noCommonCodec, answer.replacing("111", with: "8").replacing("8 opus/48000/2", with: "8 PCMA/8000")),
            (.notOffered, answer.replacing("UDP/TLS/RTP/SAVPF", with: "RTP/SAVPF")),
            (
                .noFingerprint,
                answer.split(separator: "\r\n").filter { !$0.hasPrefix("a=fingerprint") }.joined(separator: "\r\n")
            ),
            (
                .missingICECredentials,
                answer.split(separator: "\r\n").filter { !$0.hasPrefix("a=ice-pwd") }.joined(separator: "\r\n")
            ),
        ]
        for (reason, text) in bad {
            expectError(reason) { try caller.applyRemote(text, .answer) }
            #expect(caller.state == .haveLocalOffer && caller.session == nil)
            #expect(caller.localDescription == before.localDescription && caller.remoteDescription == nil)
            #expect(caller.transceivers == before.transceivers)
        }
        try caller.applyRemote(answer, .answer)
        #expect(caller.session?.accepted.count == 2)
    }

    /// An answer may decline a section; its transceiver ends.
    @Test func answersMayDecline() throws {
        var caller = Samples.caller(1)
        let offer = try caller.createOffer()
        try caller.applyLocal(offer, .offer)
        var configuration = LocalConfiguration()
        configuration.videoCodecs = []
        let callee = Samples.caller(2, configuration: configuration)
        try caller.applyRemote(callee.createAnswer(to: offer).text(), .answer)
        #expect(caller.session?.sections.map(\.isRejected) == [false, true])
        #expect(caller.session?.sections[1].transceiver == 1 && caller.transceiver(1) == nil)
    }

    /// C60: credentials change both or not at all, and what belongs to them only with them.
    @Test func c60HalfRestartsAreRefused() throws {
        let good = Samples.both.replacing("a=group", with: "a=ice-options:trickle\r\na=group")
        let ufrag = good.replacing("ice-ufrag:abcd", with: "ice-ufrag:NEWU")
        let password = good.replacing("ice-pwd:abcdefghijklmnopqrstuvwx", with: "ice-pwd:ABCDEFGHIJKLMNOPQRSTUVWX")
        let restart = ufrag.replacing("ice-pwd:abcdefghijklmnopqrstuvwx", with: "ice-pwd:ABCDEFGHIJKLMNOPQRSTUVWX")
        try refuse(.halfRestart, ufrag, after: good)
        try refuse(.halfRestart, password, after: good)
        try refuse(.iceLiteChanged, good.replacing("a=group", with: "a=ice-lite\r\na=group"), after: good)
        try refuse(.iceOptionsChanged, good.replacing("trickle", with: "renomination"), after: good)
        try refuse(.badICECredentials, good.replacing("abcdefghijklmnopqrstuvwx", with: "abcdefghijklmnopqrstu"))
        try refuse(.badICECredentials, good.replacing("ice-ufrag:abcd", with: "ice-ufrag:abc"))

        var negotiator = Samples.caller(7)
        try accept(&negotiator, good)
        let old = try #require(negotiator.session?.transport)
        try negotiator.applyRemote(restart.replacing("a=group", with: "a=ice-lite\r\na=group"), .offer)
        #expect(negotiator.remoteOfferRestartsICE)
        expectError(.freshCredentialsNeeded) { _ = try negotiator.createAnswer() }
        var random = RandomSource(seed: 9)
        negotiator.transport = try negotiator.transport.restarted(using: &random)
        #expect(negotiator.session?.transport == old, "what was agreed holds until the answer")
        try negotiator.applyLocal(negotiator.createAnswer(), .answer)
        let new = try #require(negotiator.session?.transport)
        #expect(new.isICERestart && !new.isNewAssociation && new.role == old.role && new.remoteIsICELite)
        #expect(new.remoteUfrag == "NEWU" && new.localUfrag != old.localUfrag)
        // Applied again, nothing has changed any more.
        try accept(&negotiator, restart.replacing("a=group", with: "a=ice-lite\r\na=group"))
        #expect(negotiator.session?.transport?.isICERestart == false)
    }

    /// C60 from our side: our restart must be answered by a restart, and only that.
    @Test func c60OurOwnRestart() throws {
        var (caller, callee) = (Samples.caller(1), Samples.caller(2))
        try negotiate(&caller, &callee)
        let before = caller
        var random = RandomSource(seed: 9)
        let fresh = try caller.transport.restarted(using: &random)
        caller.transport = try LocalTransport(
            iceUfrag: fresh.iceUfrag, icePassword: caller.transport.icePassword, fingerprints: fresh.fingerprints)
        expectError(.halfRestart) { _ = try caller.createOffer() }
        caller.transport = fresh
        #expect(caller.needsNegotiation)
        let offer = try caller.createOffer()
        try caller.applyLocal(offer, .offer)
        try callee.applyRemote(offer, .offer)
        expectError(.freshCredentialsNeeded) { _ = try callee.createAnswer() }
        callee.transport = try callee.transport.restarted(using: &random)
        let answer = try callee.createAnswer()
        try callee.applyLocal(answer, .answer)
        let text = try answer.text()
        let stale = text.replacing(callee.transport.iceUfrag, with: before.session!.transport!.remoteUfrag)
            .replacing(callee.transport.icePassword, with: before.session!.transport!.remotePassword)
        expectError(.halfRestart) { try caller.applyRemote(stale, .answer) }
        try caller.applyRemote(text, .answer)
        #expect(caller.session?.transport?.isICERestart == true && callee.session?.transport?.isICERestart == true)
        #expect(caller.session?.transport?.role == .server && caller.session?.transport?.isNewAssociation == false)
        // An answer that restarts by itself is refused.
        try caller.setDirection(.sendonly, of: 0)
        let next = try caller.createOffer()
        try caller.applyLocal(next, .offer)
        let other = try callee.createAnswer(to: next).text().replacing(callee.transport.iceUfrag, with: "freshfresh")
            .replacing(callee.transport.icePassword, with: "freshfreshfreshfreshfresh")
        expectError(.halfRestart) { try caller.applyRemote(other, .answer) }
    }

    /// RFC 8842 section 4: another certificate is another association.
    @Test func anotherCertificateIsAnotherAssociation() throws {
        var negotiator = Samples.caller(7)
        try accept(&negotiator, Samples.one)
        try accept(&negotiator, Samples.one.replacing("03:0A", with: "04:0A"))
        #expect(negotiator.session?.transport?.isNewAssociation == true)
        try accept(&negotiator, Samples.one.replacing("03:0A", with: "04:0A"))
        #expect(negotiator.session?.transport?.isNewAssociation == false)
    }

    /// A description without a=ice-options says nothing about them; separators of other kinds are let pass.
    @Test func iceOptionsMayBeLeftOut() throws {
        let good = Samples.one.replacing("a=ice-ufrag", with: "a=ice-options:ice2,trickle\r\na=ice-ufrag")
        var negotiator = Samples.caller(7)
        try accept(&negotiator, Samples.one)
        try accept(&negotiator, good)
        try accept(&negotiator, Samples.one)
        #expect(negotiator.session?.transport?.remoteICEOptions == ["ice2,trickle"])
        expectError(.iceOptionsChanged) {
            try negotiator.applyRemote(good.replacing("ice2", with: "ice3"), .offer)
        }
    }

    /// A section that the other side stops may say anything, and its place be given to another kind.
    @Test func theOtherSideStopsAndRecycles() throws {
        var negotiator = Samples.caller(7)
        try accept(&negotiator, Samples.both)
        let stopped = Samples.both.replacing("m=audio 9", with: "m=audio 0").replacing("BUNDLE 0 1", with: "BUNDLE 0")
        try accept(&negotiator, stopped.replacing("opus/48000/2", with: "L16/44100"))
        #expect(negotiator.session?.sections.map(\.isRejected) == [false, true])
        #expect(negotiator.transceivers.map(\.kind) == [.video])
        let recycled = Samples.text(
            Samples.head + ["a=group:BUNDLE 0 5"] + Samples.video
                + Samples.video.map { $0 == "a=mid:0" ? "a=mid:5" : $0 })
        try accept(&negotiator, recycled)
        #expect(negotiator.session?.accepted.map(\.mid) == ["0", "5"])
        #expect(negotiator.session?.sections[1].kind == .video)
    }

    /// More sections than transceivers are allowed are refused, and as many as are allowed take no time.
    @Test func manySections() throws {
        func offer(_ count: Int) -> String {
            let mids = (0..<count).map { "\($0)" }.joined(separator: " ")
            return Samples.text(
                Samples.head + ["a=group:BUNDLE \(mids)"]
                    + (0..<count).flatMap { index in Samples.video.map { $0 == "a=mid:0" ? "a=mid:\(index)" : $0 } })
        }
        var negotiator = Negotiator(transport: Samples.transport(1), sessionID: 1)
        expectError(.tooMany) { try negotiator.applyRemote(offer(129), .offer) }
        #expect(negotiator.transceivers.isEmpty)
        let time = try ContinuousClock().measure { try accept(&negotiator, offer(128)) }
        #expect(negotiator.session?.accepted.count == 128 && time < .seconds(5), "\(time)")
    }
}

import PetrelCore
import Testing

@testable import PetrelSDP

/// Runs an offer and its answer between two negotiators, through text both ways.
func negotiate(_ offerer: inout Negotiator, _ answerer: inout Negotiator) throws {
    let offer = try offerer.createOffer()
    try offerer.applyLocal(offer, .offer)
    try answerer.applyRemote(offer.text(), .offer)
    let answer = try answerer.createAnswer()
    try answerer.applyLocal(answer, .answer)
    #expect(faults(of: try SessionDescription(parsing: answer.text()), to: offer).isEmpty)
    try offerer.applyRemote(answer.text(), .answer)
    #expect(offerer.state == .stable && answerer.state == .stable)
}

@Suite struct NegotiatorTests {
    @Test func twoOfOurOwnWorkBothWays() throws {
        var (caller, callee) = (Samples.caller(1), Samples.caller(2))
        try caller.transport.setCandidates(
            ["candidate:1 1 udp 1 192.0.2.1 5000 typ host"], endOfCandidates: true)
        try negotiate(&caller, &callee)
        let (ours, theirs) = (try #require(caller.session), try #require(callee.session))
        for session in [ours, theirs] {
            #expect(session.accepted.map(\.mid) == ["0", "1"])
            #expect(session.accepted.allSatisfy { $0.sends && $0.receives && $0.rtcpMux && $0.reducedSizeRTCP })
            let (audio, video) = (session.sections[0], session.sections[1])
            for codecs in [audio.sendCodecs, audio.receiveCodecs] {
                #expect(codecs.map(\.codec) == [.opus] && codecs.map(\.payloadType) == [111])
                #expect(codecs[0].feedback == [.nack, .transportCC])
                #expect(codecs[0].opus?.usesInbandFEC == true && codecs[0].opus?.minimumPacketTime == 10)
                #expect(codecs[0].opus?.stereo == false)
            }
            for codecs in [video.sendCodecs, video.receiveCodecs] {
                #expect(codecs.map(\.codec) == [.vp8] && codecs.map(\.payloadType) == [96])
                #expect(codecs[0].rtxPayloadType == 97)
                #expect(codecs[0].feedback == [.nack, .pli, .fir, .transportCC, .remb])
            }
            #expect(Set(session.extensions.map(\.kind)) == Set(NegotiableExtension.allCases))
            #expect(session.extensions.allSatisfy { $0.sends && $0.receives })
            #expect(session.allowsMixedExtensions)
            #expect(session.transport?.isNewAssociation == true && session.transport?.isICERestart == false)
        }
        #expect(ours.transport?.role == .server && theirs.transport?.role == .client)
        #expect(ours.transport?.remoteUfrag == callee.transport.iceUfrag)
        #expect(theirs.transport?.remotePassword == caller.transport.icePassword)
        #expect(theirs.transport?.remoteFingerprints == caller.transport.fingerprints)
        #expect(theirs.transport?.remoteCandidates == caller.transport.candidates)
        #expect(theirs.transport?.remoteEndOfCandidates == true && ours.transport?.remoteEndOfCandidates == false)
        #expect(theirs.sections[1].remoteSources == [RemoteSource(ssrc: 102, rtxSSRC: 103, cname: "cname1")])
        #expect(ours.sections[1].remoteSources == [RemoteSource(ssrc: 202, rtxSSRC: 203, cname: "cname1")])
        #expect(theirs.sections[0].remoteStreams == [StreamIdentifier(stream: "stream", track: "track101")])
        #expect(!caller.needsNegotiation && !callee.needsNegotiation)
    }

    /// The other side may number the same codec otherwise: we send by its numbers and receive by ours.
    @Test func payloadTypesAreTheReceivers() throws {
        var caller = Samples.caller()
        let offer = try caller.createOffer()
        try caller.applyLocal(offer, .offer)
        var callee = Samples.caller(2)
        try callee.applyRemote(offer, .offer)
        var answer = try callee.createAnswer().text()
        answer = answer.replacing("UDP/TLS/RTP/SAVPF 96 97", with: "UDP/TLS/RTP/SAVPF 100 101")
            .replacing(":96 ", with: ":100 ").replacing(":97 ", with: ":101 ").replacing("apt=96", with: "apt=100")
        try caller.applyRemote(answer, .answer)
        let video = try #require(caller.session?.sections[1])
        #expect(video.sendCodecs.map(\.payloadType) == [100] && video.sendCodecs[0].rtxPayloadType == 101)
        #expect(video.receiveCodecs.map(\.payloadType) == [96] && video.receiveCodecs[0].rtxPayloadType == 97)
        // What it said holds for the next offer too: our own numbers stay.
        #expect(try caller.createOffer().media[1].formats == ["96", "97", "120"])
    }

    @Test func aReceiverWithoutTracksOnlyReceives() throws {
        var caller = Samples.caller(1)
        var callee = Negotiator(transport: Samples.transport(2), sessionID: 2)
        try negotiate(&caller, &callee)
        #expect(caller.session?.accepted.map(\.receives) == [false, false])
        #expect(callee.session?.accepted.map(\.receives) == [true, true])
        #expect(callee.session?.accepted.map(\.sends) == [false, false])
        #expect(callee.transceivers.map(\.isFromRemote) == [true, true])
        // It may send later, by an offer of its own, in the same sections and by the same numbers.
        let id = try #require(callee.session?.sections[0].transceiver)
        try callee.setDirection(.sendrecv, of: id)
        try callee.setTrack(Samples.track(9), of: id)
        #expect(callee.needsNegotiation)
        try negotiate(&callee, &caller)
        #expect(caller.session?.sections[0].receives == true && caller.session?.sections.count == 2)
        #expect(caller.session?.sections[0].remoteSources.map(\.ssrc) == [9])
    }

    /// RFC 3264 section 8: the version grows by one where something changed, and only then.
    @Test func versionsGrowWithChanges() throws {
        var (caller, callee) = (Samples.caller(1), Samples.caller(2))
        try negotiate(&caller, &callee)
        #expect(caller.localDescription?.origin.sessionVersion == 1)
        #expect(try caller.createOffer().origin.sessionVersion == 1)
        try caller.setDirection(.sendonly, of: 0)
        let second = try caller.createOffer()
        #expect(second.origin.sessionVersion == 2 && second.origin.sessionID == 1)
    }

    @Test func tracksAreAddedStoppedAndTheirPlaceRecycled() throws {
        var (caller, callee) = (Samples.caller(1), Samples.caller(2))
        try negotiate(&caller, &callee)
        let third = try caller.addTransceiver(.video, direction: .sendonly, track: Samples.track(7, rtx: 8))
        #expect(caller.needsNegotiation)
        try negotiate(&caller, &callee)
        #expect(caller.session?.accepted.map(\.mid) == ["0", "1", "2"] && caller.mid(of: third) == "2")
        #expect(caller.session?.sections[2].sendCodecs[0].payloadType == 96)
        #expect(callee.session?.sections[2].receives == true && callee.session?.sections[2].sends == false)
        #expect(
            callee.session?.transport?.isICERestart == false && callee.session?.transport?.isNewAssociation == false)

        try caller.stop(1)
        let offer = try caller.createOffer()
        #expect(offer.media[1].port == 0 && offer.groups[0].mids == ["0", "2"])
        try negotiate(&caller, &callee)
        #expect(callee.session?.sections.map(\.isRejected) == [false, true, false])
        #expect(caller.transceiver(1) == nil && callee.transceivers.count == 2)

        let fourth = try callee.addTransceiver(.audio, direction: .sendrecv, track: Samples.track(9))
        try negotiate(&callee, &caller)
        #expect(callee.session?.sections.count == 3 && callee.mid(of: fourth) == "3")
        #expect(caller.session?.sections[1].kind == .audio && caller.session?.sections[1].receives == true)
        #expect(caller.session?.accepted.map(\.mid) == ["0", "3", "2"])
        #expect(caller.session?.transport?.role == .server, "roles stay")
    }

    /// C59: an offer that meets ours is glare, and nothing changes.
    @Test func c59GlareAndRollback() throws {
        var (caller, callee) = (Samples.caller(1), Samples.caller(2))
        try caller.applyLocal(caller.createOffer(), .offer)
        let before = caller
        expectError(.glare) { try caller.applyRemote(Samples.both, .offer) }
        #expect(caller.state == .haveLocalOffer && caller.localDescription == before.localDescription)
        #expect(caller.transceivers == before.transceivers && caller.remoteDescription == nil)
        try caller.rollback()
        #expect(caller.state == .stable && caller.localDescription == nil && caller.mid(of: 0) == nil)
        #expect(caller.transceivers == before.transceivers)
        try negotiate(&callee, &caller)
        #expect(caller.session?.accepted.count == 2)

        // A pending offer of the other side is taken back with the transceivers that were made for it.
        var third = Negotiator(transport: Samples.transport(3), sessionID: 3)
        try third.applyRemote(Samples.both, .offer)
        #expect(third.transceivers.count == 2)
        try third.rollback()
        #expect(third.transceivers.isEmpty && third.remoteDescription == nil)
        expectError(.wrongState) { try third.rollback() }
    }

    @Test func wrongStates() throws {
        var negotiator = Samples.caller()
        expectError(.wrongState) { _ = try negotiator.createAnswer() }
        expectError(.wrongState) { try negotiator.applyRemote(Samples.both, .answer) }
        let offer = try negotiator.createOffer()
        var foreign = offer
        foreign.media[0].hasRTCPMux = false
        expectError(.notOurDescription) { try negotiator.applyLocal(foreign, .offer) }
        expectError(.wrongState) { try negotiator.applyLocal(offer, .answer) }
        try negotiator.applyLocal(offer, .offer)
        expectError(.wrongState) { _ = try negotiator.createOffer() }
        expectError(.wrongState) { try negotiator.applyLocal(offer, .offer) }
        expectError(.unknownTransceiver) { try negotiator.stop(99) }
    }

    /// C58: nothing that could end a line is taken from the application.
    @Test func c58NamesFromTheApplicationAreChecked() throws {
        let prints = [Samples.fingerprint(1)]
        let password = "abcdefghijklmnopqrstuvwx"
        for bad in ["a\r\nb", "a\nbcd", "ab\0cd", "a bcd", ""] {
            expectError(.badArgument) {
                _ = try LocalTrack(streamID: bad, trackID: "t", ssrc: 1, cname: "c")
            }
            expectError(.badArgument) {
                _ = try LocalTrack(streamID: "s", trackID: bad, ssrc: 1, cname: "c")
            }
            expectError(.badArgument) {
                _ = try LocalTrack(streamID: "s", trackID: "t", ssrc: 1, cname: bad)
            }
            expectError(.badArgument) {
                _ = try LocalTransport(iceUfrag: bad, icePassword: password, fingerprints: prints)
            }
            expectError(.badArgument) {
                _ = try LocalTransport(iceUfrag: "abcd", icePassword: password + bad + "\n", fingerprints: prints)
            }
            expectError(.badArgument) {
                _ = try LocalTransport(
                    iceUfrag: "abcd", icePassword: password, fingerprints: prints, iceOptions: [bad])
            }
            var transport = Samples.transport(1)
            expectError(.badArgument) {
                try transport.setCandidates(["candidate:1" + bad + "\r"], endOfCandidates: false)
            }
        }
        expectError(.badArgument) {
            _ = try LocalTransport(iceUfrag: "abcd", icePassword: password, fingerprints: [])
        }
        var negotiator = Samples.caller()
        expectError(.badArgument) {
            try negotiator.addTransceiver(.audio, direction: .sendrecv, track: Samples.track(103))
        }
        expectError(.badArgument) { try negotiator.addTransceiver(.application, direction: .sendrecv) }
    }

    @Test func sameSeedSameBytes() throws {
        func offer() throws -> String {
            var random = RandomSource(seed: 5)
            let credentials = LocalTransport.randomCredentials(using: &random)
            #expect(SDPSyntax.isUfrag(credentials.ufrag) && SDPSyntax.isPassword(credentials.password))
            let transport = try LocalTransport(
                iceUfrag: credentials.ufrag, icePassword: credentials.password, fingerprints: [Samples.fingerprint(1)],
                tlsID: LocalTransport.randomName(40, using: &random))
            var negotiator = Negotiator(
                transport: transport, sessionID: Negotiator.randomSessionID(using: &random))
            try negotiator.addTransceiver(.video, direction: .sendrecv, track: Samples.track(1, rtx: 2))
            return try negotiator.createOffer().text()
        }
        #expect(try offer() == offer())
    }
}

import PetrelCore
import Testing

@testable import PetrelSDP

/// The repair code between two Petrel peers in offer and answer.
@Suite struct RepairFormatTests {
    static func negotiator(_ seed: UInt64, _ configuration: LocalConfiguration = LocalConfiguration()) throws
        -> Negotiator
    {
        var negotiator = Negotiator(
            configuration: configuration, transport: Samples.transport(seed, tlsID: nil), sessionID: seed)
        let base = UInt32(seed) * 10
        let track = try LocalTrack(
            streamID: "s", trackID: "t", ssrc: base, rtxSSRC: base + 1, repairSSRC: base + 2, cname: "c")
        try negotiator.addTransceiver(.video, direction: .sendrecv, track: track)
        return negotiator
    }

    /// Makes the offer and the answer, the offer changed on its way, and answers both texts.
    static func negotiate(
        _ caller: inout Negotiator, _ callee: inout Negotiator, _ change: (String) -> String = { $0 }
    ) throws -> (offer: String, answer: String) {
        let offer = try caller.createOffer()
        try caller.applyLocal(offer, .offer)
        let text = change(try offer.text())
        try callee.applyRemote(SessionDescription(parsing: text), .offer)
        let answer = try callee.createAnswer()
        try callee.applyLocal(answer, .answer)
        try caller.applyRemote(SessionDescription(parsing: answer.text()), .answer)
        return (text, try answer.text())
    }

    @Test func twoPeersAgreeOnIt() throws {
        var (caller, callee) = (try Self.negotiator(1), try Self.negotiator(2))
        let (offer, answer) = try Self.negotiate(&caller, &callee)
        for (text, group) in [(offer, "10 12"), (answer, "20 22")] {
            #expect(text.contains("a=rtpmap:120 swfec/90000\r\n"))
            #expect(text.contains("a=rtcp-fb:120 x-swfb\r\n"))
            #expect(text.contains("a=ssrc-group:FEC-FR \(group)\r\n"))
        }
        for (session, ssrc) in [(caller.session, UInt32(20)), (callee.session, 10)] {
            let section = try #require(session?.sections.first)
            #expect(section.sendCodecs.map(\.repairPayloadType) == [120])
            #expect(section.receiveCodecs.map(\.repairPayloadType) == [120])
            #expect(
                section.remoteSources == [
                    RemoteSource(ssrc: ssrc, rtxSSRC: ssrc + 1, repairSSRC: ssrc + 2, cname: "c")
                ])
        }
    }

    /// Who does not offer it, or not its feedback, gets an answer without a trace of it.
    @Test(arguments: ["a=rtpmap:120 swfec/90000\r\n", "a=rtcp-fb:120 x-swfb\r\n"]) func othersSeeNothing(line: String)
        throws
    {
        var (caller, callee) = (try Self.negotiator(1), try Self.negotiator(2))
        let (_, answer) = try Self.negotiate(&caller, &callee) { $0.replacing(line, with: "") }
        #expect(!answer.contains("swf") && !answer.contains("FEC-FR") && !answer.contains("a=ssrc:22"))
        let section = try #require(callee.session?.sections.first)
        #expect(section.sendCodecs.map(\.repairPayloadType) == [nil])
        #expect(section.receiveCodecs.map(\.repairPayloadType) == [nil])
        #expect(caller.session?.sections.first?.sendCodecs.map(\.repairPayloadType) == [nil])
    }

    /// Where its number is taken by something else in the session, another one is found.
    @Test func theNumberIsTheOfferers() throws {
        var other = LocalConfiguration()
        other.videoCodecs[0].repairPayloadType = 100
        var (caller, callee) = (try Self.negotiator(1, other), try Self.negotiator(2))
        let (_, answer) = try Self.negotiate(&caller, &callee)
        #expect(answer.contains("a=rtpmap:100 swfec/90000\r\n") && !answer.contains(":120 "))
        #expect(callee.session?.sections.first?.sendCodecs.first?.repairPayloadType == 100)
    }

    @Test func switchedOffItIsNotOffered() throws {
        var without = LocalConfiguration()
        without.videoCodecs[0].repairPayloadType = nil
        var (caller, callee) = (try Self.negotiator(1, without), try Self.negotiator(2))
        let (offer, answer) = try Self.negotiate(&caller, &callee)
        #expect(!offer.contains("swf") && !answer.contains("swf") && !offer.contains("FEC-FR"))
    }

    /// Groups that name sources in circles give no source twice.
    @Test func confusedGroupsAreIgnored() throws {
        var (caller, callee) = (try Self.negotiator(1), try Self.negotiator(2))
        _ = try Self.negotiate(&caller, &callee) {
            $0.replacing(
                "a=ssrc-group:FEC-FR 10 12\r\n", with: "a=ssrc-group:FEC-FR 10 11\r\na=ssrc-group:FEC-FR 12 12\r\n")
        }
        let sources = try #require(callee.session?.sections.first?.remoteSources)
        #expect(sources.map(\.ssrc) == [10, 12] && sources.allSatisfy { $0.repairSSRC == nil })
    }

    @Test func oneSourceCannotBeTwo() {
        #expect(throws: SDPError.self) {
            try LocalTrack(streamID: "s", trackID: "t", ssrc: 1, rtxSSRC: 2, repairSSRC: 2, cname: "c")
        }
        #expect(throws: SDPError.self) {
            try LocalTrack(streamID: "s", trackID: "t", ssrc: 1, rtxSSRC: 2, repairSSRC: 1, cname: "c")
        }
    }
}

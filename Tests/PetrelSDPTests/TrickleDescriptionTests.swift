import Testing

@testable import PetrelSDP

@Suite struct TrickleDescriptionTests {
    private func offer() throws -> SessionDescription {
        var caller = Samples.caller()
        var transport = Samples.transport(7)
        try transport.setCandidates(["candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host"], endOfCandidates: true)
        caller.transport = transport
        return try caller.createOffer()
    }

    @Test func aFragmentBeginsWithCredentialsAndTheFirstSection() throws {
        let offer = try offer()
        let fragment = try #require(TrickleFragment(about: offer))
        #expect(fragment.iceUfrag == offer.media[0].transport.iceUfrag ?? offer.transport.iceUfrag)
        #expect(fragment.sections == [TrickleFragment.Section(kind: .audio, mid: offer.media[0].mid)])
        #expect(fragment.candidates.isEmpty && !fragment.endOfCandidates)
        #expect(TrickleFragment(about: SessionDescription(origin: offer.origin)) == nil)
    }

    @Test func aRestartChangesCredentialsAndCandidatesAlone() throws {
        let offer = try offer()
        var fragment = TrickleFragment()
        #expect(offer.restarted(by: fragment) == nil)
        (fragment.iceUfrag, fragment.icePassword) = ("abcd", "0123456789abcdefghijklmn")
        fragment.candidates = [
            TrickleFragment.Candidate(line: "candidate:9 1 udp 1 192.0.2.9 9 typ host", mid: offer.media[1].mid),
            TrickleFragment.Candidate(line: "candidate:8 1 udp 1 192.0.2.8 8 typ host", mid: "unknown"),
            TrickleFragment.Candidate(line: "candidate:7 1 udp 1 192.0.2.7 7 typ host", mid: nil),
        ]
        let new = try #require(offer.restarted(by: fragment))
        #expect(new.media.allSatisfy { new.effectiveTransport(of: $0).iceUfrag == "abcd" })
        #expect(new.media.allSatisfy { new.effectiveTransport(of: $0).icePassword == "0123456789abcdefghijklmn" })
        #expect(new.media[0].candidates.map { $0.contains("192.0.2.9") } == [false, false])
        #expect(new.media[1].candidates == ["candidate:9 1 udp 1 192.0.2.9 9 typ host"])
        #expect(!new.media[0].endOfCandidates && !new.endOfCandidates)
        #expect(new.origin.sessionVersion == offer.origin.sessionVersion + 1)
        // What is left is as it was, and can be read again.
        var same = new
        same.origin = offer.origin
        same.transport = offer.transport
        same.endOfCandidates = offer.endOfCandidates
        for index in same.media.indices {
            same.media[index].transport = offer.media[index].transport
            same.media[index].candidates = offer.media[index].candidates
            same.media[index].endOfCandidates = offer.media[index].endOfCandidates
        }
        #expect(same == offer)
        #expect(try SessionDescription(parsing: try new.text()) == new)
    }
}

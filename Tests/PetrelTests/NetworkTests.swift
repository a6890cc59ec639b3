internal import Petrel
internal import PetrelIO
internal import Testing

extension LiveTests {
    @Suite struct NetworkTests {
        @Test func aCallMovesToAnotherAddress() async throws {
            try await withPair { pair in
                try await pair.a.addVideo(StampedCard())
                try await pair.a.addAudio(TestSpeechSource())
                try await pair.connect()
                try await eventually("media") { pair.atB.pictures > 10 }
                #expect(try await pair.a.networkChanged() == nil, "nothing has changed")

                let paths = pair.atA.seen.withLock { $0.paths }
                let changed = try await pair.a.networkChanged(localAddresses: ["127.0.0.2"])
                let offer = try #require(changed)
                #expect(offer.contains("127.0.0.2") && !offer.contains("127.0.0.1 "))
                try await pair.a.accept(answer: try await pair.b.answer(offer))
                try await eventually("another path") { pair.atA.seen.withLock { $0.paths } > paths }
                let count = pair.atB.pictures
                try await eventually("pictures over it") { pair.atB.pictures > count + 10 }
                #expect(pair.a.callState == .connected && pair.b.callState == .connected)

                // And back, with both for a while.
                let both = try await pair.a.networkChanged(localAddresses: ["127.0.0.1", "127.0.0.2"])
                try await pair.a.accept(answer: try await pair.b.answer(try #require(both)))
                let more = pair.atB.pictures
                try await eventually("pictures still") { pair.atB.pictures > more + 10 }
                #expect(pair.a.callState == .connected)

                // What cannot be had changes nothing.
                await #expect(throws: CallError.self) {
                    try await pair.a.networkChanged(localAddresses: ["192.0.2.1"])
                }
                let last = pair.atB.pictures
                try await eventually("pictures all the same") { pair.atB.pictures > last + 10 }
            }
        }

        @Test func aRestartFindsTheSameWayAgain() async throws {
            try await withPair { pair in
                try await pair.a.addVideo(StampedCard())
                try await pair.connect()
                let answer = try await pair.b.answer(try await pair.a.restart())
                try await pair.a.accept(answer: answer)
                let count = pair.atB.pictures
                try await eventually("pictures") { pair.atB.pictures > count + 10 }
                // The other side may do it as well.
                try await pair.b.accept(answer: try await pair.a.answer(try await pair.b.restart()))
                let more = pair.atB.pictures
                try await eventually("pictures") { pair.atB.pictures > more + 10 }
                #expect(pair.a.callState == .connected && pair.b.callState == .connected)
            }
        }

        @Test func candidatesMayComeLater() async throws {
            try await withPair { pair in
                try await pair.a.addAudio(TestSpeechSource())
                func without(_ description: String) -> (String, [String]) {
                    let lines = description.split(whereSeparator: \.isNewline).map(String.init)
                    let candidates = lines.filter { $0.hasPrefix("a=candidate:") }.map { String($0.dropFirst(2)) }
                    let rest = lines.filter { !$0.hasPrefix("a=candidate:") && $0 != "a=end-of-candidates" }
                    return (rest.joined(separator: "\r\n") + "\r\n", candidates)
                }
                let (offer, ofA) = without(try await pair.a.createOffer())
                let (answer, ofB) = without(try await pair.b.answer(offer))
                try await pair.a.accept(answer: answer)
                #expect(ofA.count == 1 && ofB.count == 1)
                try await pair.b.addRemoteCandidate("candidate:1 1 udp 1 0f0f.local 5000 typ host", mid: "0")
                for candidate in ofA { try await pair.b.addRemoteCandidate(candidate, mid: "0") }
                for candidate in ofB { try await pair.a.addRemoteCandidate(candidate, mid: "0") }
                try await pair.a.addRemoteCandidate(nil)
                try await pair.connected()
            }
        }

        @Test func oneSideEnds() async throws {
            let pair = try await Pair()
            try await pair.a.addAudio(TestSpeechSource())
            try await pair.connect()
            try await eventually("sound") { pair.atB.seen.withLock { !$0.audioTracks.isEmpty } }
            await pair.a.close()
            try await eventually("the other side to hear of it", within: 2) { pair.b.callState == .failed }
            #expect(pair.b.failure?.contains("ended the call") == true)
            await #expect(throws: CallError.self) { try await pair.b.connected() }
            await pair.close()
            #expect(pair.atB.seen.withLock { $0.reasons }.contains { $0.contains("ended the call") })
        }
    }
}

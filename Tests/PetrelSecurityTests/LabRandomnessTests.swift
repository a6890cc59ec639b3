import PetrelCore
import PetrelSecurity
import Testing

@Suite("randomness: replayable in the lab, unique outside")
struct LabRandomnessTests {
    @Test("the same seed gives the same handshake, datagram for datagram; another seed another one")
    func replay() {
        func transcript(_ seed: UInt64, loss: Double) -> UInt64 {
            let pair = DTLSPair(seed: seed, link: .init(loss: loss))
            pair.connect()
            pair.client.close { pair.send($0, toServer: true) }
            pair.run(until: .seconds(1)) { _ in false }
            return pair.transcript
        }
        for loss in [0.0, 0.3] {
            var seen: Set<UInt64> = []
            for seed in UInt64(1)...10 {
                let first = transcript(seed, loss: loss)
                #expect(transcript(seed, loss: loss) == first, "seed \(seed)")
                seen.insert(first)
            }
            #expect(seen.count == 10)
        }
        // For comparison between runs of the program: it depends on the version of OpenSSL.
        print("transcript of seed 1 with 30 % loss: \(transcript(1, loss: 0.3))")
    }

    @Test("handshakes on many threads at once do not mix their seeds")
    func threads() async {
        func transcript(_ seed: UInt64) -> UInt64 {
            let pair = DTLSPair(seed: seed, link: .init(loss: 0.2))
            pair.connect()
            return pair.transcript
        }
        let alone = (UInt64(1)...16).map(transcript)
        let together = await withTaskGroup(of: (Int, UInt64).self) { group in
            for seed in UInt64(1)...16 { group.addTask { (Int(seed) - 1, transcript(seed)) } }
            var results = [UInt64](repeating: 0, count: 16)
            for await (index, value) in group { results[index] = value }
            return results
        }
        #expect(alone == together)
    }

    @Test("a seed holds only where it was asked for")
    func scope() throws {
        func random() throws -> [UInt8] { try Certificate.make(unixTime: 0).der }
        let outer = try LabRandomness.withSeed(1) { try (random(), LabRandomness.withSeed(2, random), random()) }
        let again = try LabRandomness.withSeed(1) { try (random(), LabRandomness.withSeed(2, random), random()) }
        #expect(outer.0 == again.0 && outer.1 == again.1 && outer.2 == again.2)
        #expect(try LabRandomness.withSeed(2, random) == outer.1)
        #expect(try random() != random())
    }

    @Test("C15 random values of ClientHellos do not repeat, and do not tell the time")
    func uniqueHellos() {
        var randoms: Set<[UInt8]> = []
        var beginnings: Set<[UInt8]> = []
        for _ in 0..<2000 {
            let engine = DTLSEngine(role: .client, certificate: DTLSPair.caller)
            engine.start(now: .zero) { datagram in
                // Record header 13, fragment header 12, version 2.
                randoms.insert(Array(datagram[27..<59]))
                beginnings.insert(Array(datagram[27..<31]))
            }
        }
        #expect(randoms.count == 2000)
        #expect(beginnings.count >= 1999)
    }
}

import PetrelCore
import PetrelICE
import PetrelSDP
import Testing

@Suite struct SetUpTests {
    @Test(arguments: [0, 40, 100, 200])
    func connectsWithoutLossInOneRoundTripAndAHalf(roundTrip: Int) {
        for seed in 1...50 {
            let link = VirtualLink(seed: UInt64(seed), roundTrip: .milliseconds(roundTrip))
            link.addHosts()
            link.exchangeCredentials()
            link.run(until: .zero + .seconds(5)) { link.bothCompleted }
            #expect(link.bothCompleted)
            // The first side needs one round trip, the other half a round trip more at most; then the nomination.
            let a = link.a.agent.statistics, b = link.b.agent.statistics
            #expect((a.firstValidPairAt ?? .distantFuture).milliseconds <= Double(roundTrip) + 10)
            #expect((b.firstValidPairAt ?? .distantFuture).milliseconds <= Double(roundTrip) * 1.5 + 10)
            #expect((a.completedAt ?? .distantFuture).milliseconds <= Double(roundTrip) * 2 + 20)
        }
    }

    @Test(arguments: [(0, 0.3), (40, 0.3), (100, 0.3), (200, 0.3), (0, 0.5), (40, 0.5), (100, 0.5), (200, 0.5)])
    func connectsUnderLoss(roundTrip: Int, loss: Double) {
        var first: [Double] = []
        var completed: [Double] = []
        for seed in 1...200 {
            let link = VirtualLink(seed: UInt64(seed), roundTrip: .milliseconds(roundTrip), loss: loss)
            link.addHosts()
            link.exchangeCredentials()
            link.run(until: .zero + .seconds(20)) { link.bothCompleted }
            #expect(link.bothCompleted, "seed \(seed)")
            let a = link.a.agent.statistics, b = link.b.agent.statistics
            first.append(max(a.firstValidPairAt ?? .distantFuture, b.firstValidPairAt ?? .distantFuture).milliseconds)
            completed.append(max(a.completedAt ?? .distantFuture, b.completedAt ?? .distantFuture).milliseconds)
        }
        print(
            "set-up, round trip \(roundTrip) ms, loss \(Int(loss * 100)) %: both can send P50 \(percentile(first, 0.5)) ms,",
            "P95 \(percentile(first, 0.95)) ms, worst \(percentile(first, 1)) ms;",
            "settled P50 \(percentile(completed, 0.5)) ms, P95 \(percentile(completed, 0.95)) ms")
        // A check succeeds with (1-p)^2; 25 ms apart, 95 % of the set-ups have their answer after ln(0.025)/ln(1-(1-p)^2)
        // checks for the slower side.
        let bound = Double(roundTrip) * 1.5 + (loss < 0.4 ? 250 : 500)
        #expect(percentile(first, 0.95) <= bound)
    }

    @Test func connectsOverIPv6() {
        let link = VirtualLink(seed: 5, roundTrip: .milliseconds(40))
        link.addHosts(ipv6: true)
        link.exchangeCredentials()
        link.run(until: .zero + .seconds(2)) { link.bothCompleted }
        #expect(link.bothCompleted)
        #expect(link.a.agent.sendPath?.remote == VirtualLink.address("2001:db8::b", 6000))
    }

    @Test func prefersIPv6OfBothFamiliesAndSettlesOnOnePair() {
        let link = VirtualLink(seed: 6, roundTrip: .milliseconds(40))
        link.addHosts()
        link.addHosts(ipv6: true)
        link.exchangeCredentials()
        link.run(until: .zero + .seconds(2)) { link.bothCompleted }
        #expect(link.a.agent.sendPath?.remote.family == .ipv6)
        #expect(link.b.agent.sendPath.map { ICEPath(local: $0.remote, remote: $0.local) } == link.a.agent.sendPath)
    }

    @Test func candidatesThatComeLateByTrickleAreUsed() {
        let link = VirtualLink(seed: 7, roundTrip: .milliseconds(40))
        link.signallingDelay = .milliseconds(700)
        link.exchangeCredentials()
        link.addHosts()
        link.run(until: .zero + .seconds(3)) { link.bothCompleted }
        #expect(link.bothCompleted)
        #expect((link.a.agent.statistics.firstValidPairAt ?? .distantFuture).milliseconds < 800)
    }

    @Test func checksThatComeBeforeTheRemoteCredentialsAreAnsweredAndRemembered() {
        // RFC 8445 section 7.3: b knows everything, a has not got b's description yet.
        let link = VirtualLink(seed: 8, roundTrip: .milliseconds(40))
        link.b.trickles = false
        link.addHosts()
        link.exchangeCredentials(later: .milliseconds(400))
        link.run(until: .zero + .milliseconds(390))
        #expect(link.b.agent.sendPath != nil, "b's check was answered")
        #expect(link.a.agent.sendPath == nil)
        #expect(
            link.a.agent.isValidated(
                remote: VirtualLink.address("192.0.2.2", 6000), local: VirtualLink.address("192.0.2.1", 5000)))
        link.run(until: .zero + .seconds(2)) { link.bothCompleted }
        #expect(link.bothCompleted)
        #expect((link.a.agent.statistics.firstValidPairAt ?? .distantFuture).milliseconds <= 450)
    }

    @Test func serverReflexiveCandidatesComeFromTheServer() {
        var configuration = ICEConfiguration()
        configuration.stunServers = [VirtualLink.address("198.51.100.1", 3478)]
        let link = VirtualLink(
            seed: 9, roundTrip: .milliseconds(40), configurations: (configuration, configuration))
        link.stunServer = VirtualLink.address("198.51.100.1", 3478)
        link.addBase(
            link.a, VirtualLink.address("10.0.0.1", 5000), outside: VirtualLink.address("203.0.113.1", 40000))
        link.addBase(
            link.b, VirtualLink.address("10.9.0.1", 6000), outside: VirtualLink.address("203.0.113.2", 50000))
        link.a.agent.endOfLocalCandidates(now: link.now)
        link.exchangeCredentials()
        link.run(until: .zero + .seconds(3)) { link.bothCompleted }
        #expect(link.bothCompleted)
        let reflexive = link.a.agent.localCandidates.filter { $0.kind == .serverReflexive }
        #expect(reflexive.map(\.address) == [VirtualLink.address("203.0.113.1", 40000)])
        #expect(reflexive.first?.relatedAddress == VirtualLink.address("10.0.0.1", 5000))
        #expect(link.a.count { $0 == .gatheringComplete } == 1)
        #expect(link.a.agent.sendPath?.remote == VirtualLink.address("203.0.113.2", 50000))
    }

    @Test func gatheringSurvivesLossAndASilentServer() {
        var configuration = ICEConfiguration()
        configuration.stunServers = [
            VirtualLink.address("198.51.100.1", 3478), VirtualLink.address("198.51.100.2", 3478),
        ]
        let link = VirtualLink(
            seed: 10, roundTrip: .milliseconds(40), loss: 0.3, configurations: (configuration, .init()))
        link.stunServer = VirtualLink.address("198.51.100.1", 3478)
        link.addBase(
            link.a, VirtualLink.address("10.0.0.1", 5000), outside: VirtualLink.address("203.0.113.1", 40000))
        link.a.agent.endOfLocalCandidates(now: link.now)
        link.run(for: .seconds(80))
        #expect(link.a.agent.localCandidates.count { $0.kind == .serverReflexive } == 1)
        #expect(link.a.count { $0 == .gatheringComplete } == 1)
    }

    @Test func liteAnswersOnly() {
        var lite = ICEConfiguration()
        lite.isLite = true
        let link = VirtualLink(seed: 11, roundTrip: .milliseconds(40), configurations: (.init(), lite))
        link.a.trickles = false
        link.addHosts()
        link.exchangeCredentials()
        link.run(until: .zero + .seconds(3)) { link.bothCompleted }
        #expect(link.bothCompleted)
        #expect(link.b.agent.statistics.requestsSent == 0)
        link.run(for: .seconds(60))
        #expect(link.bothCompleted, "lite lives on the checks it receives")
        link.loses = { _ in true }
        link.run(for: .seconds(40))
        #expect(link.b.agent.state == .failed)
    }

    @Test func aLitePeerMakesUsControlling() {
        var lite = ICEConfiguration()
        lite.isLite = true
        let link = VirtualLink(
            seed: 12, roundTrip: .milliseconds(40), configurations: (.init(), lite), roles: (.controlled, .controlled))
        link.addHosts()
        link.exchangeCredentials()
        link.run(until: .zero + .seconds(3)) { link.bothCompleted }
        #expect(link.a.agent.role == .controlling)
        #expect(link.bothCompleted)
    }

    @Test func setUpWithoutAnAnswerFailsAfterPatience() {
        let link = VirtualLink(seed: 13, roundTrip: .milliseconds(40), loss: 1)
        link.addHosts()
        link.exchangeCredentials()
        link.run(for: .seconds(100))
        let failed = (link.a.time(of: .failed) ?? .distantFuture).milliseconds
        #expect(failed >= 39_500 && failed < 41_000)
        #expect(link.a.agent.nextDeadline == .distantFuture)
        // 67 in the fast phase (2 s, 30 ms apart), then 60, 120, 240, 480, 960 and 1,000 ms apart up to 40 s: 38 more.
        #expect(link.a.agent.statistics.requestsSent < 115)
    }

    @Test func theSameSeedGivesTheSameBytes() {
        func trace(_ seed: UInt64) -> [[UInt8]] {
            let link = VirtualLink(seed: seed, roundTrip: .milliseconds(40), loss: 0.3)
            link.keepsLog = true
            link.addHosts()
            link.addHosts(ipv6: true)
            link.exchangeCredentials()
            link.run(for: .seconds(20))
            return link.log.map(\.bytes)
        }
        #expect(trace(1) == trace(1))
        #expect(trace(1) != trace(2))
    }
}

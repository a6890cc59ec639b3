import PetrelCore
import PetrelICE
import PetrelSDP
import Testing

@Suite struct RebindingTests {
    /// b sits behind a NAT, a does not.
    private func link(seed: UInt64, roundTrip: Int, bControls: Bool, loss: Double = 0) -> VirtualLink {
        let link = VirtualLink(
            seed: seed, roundTrip: .milliseconds(roundTrip),
            roles: bControls ? (.controlled, .controlling) : (.controlling, .controlled))
        link.addBase(link.a, VirtualLink.address("192.0.2.1", 5000))
        link.addBase(
            link.b, VirtualLink.address("10.0.0.2", 6000), outside: VirtualLink.address("203.0.113.2", 40000))
        link.exchangeCredentials()
        link.a.sendsMedia = true
        link.b.sendsMedia = true
        link.loss = loss
        link.run(until: .zero + .seconds(10)) { link.bothCompleted }
        return link
    }

    private func longestGap(_ arrivals: [Instant], after: Instant) -> TimeDelta {
        let later = arrivals.filter { $0 >= after - .milliseconds(40) }
        return zip(later.dropFirst(), later).map { $0 - $1 }.max() ?? .infinite
    }

    @Test(arguments: [0, 20, 50, 100, 150, 200, 400], [false, true])
    func c76MediaFollowsARebindingWithin250MillisecondsAndOneRoundTrip(roundTrip: Int, bControls: Bool) {
        var worst = TimeDelta.zero
        for seed in 1...15 {
            let link = link(seed: UInt64(seed), roundTrip: roundTrip, bControls: bControls)
            link.run(for: .milliseconds(3000 + 37 * seed))
            let at = link.now
            let refused = link.a.mediaRefused
            #expect(refused == 0)
            link.b.outside[VirtualLink.address("10.0.0.2", 6000)] = VirtualLink.address("203.0.113.2", 40001)
            link.run(for: .seconds(2))
            let gapA = longestGap(link.a.mediaAccepted, after: at), gapB = longestGap(link.b.mediaAccepted, after: at)
            // Nothing may be sent to the new address before it has answered a check: the silence, b's probe, a's check
            // and its answer, and the first media. From a round trip of 200 ms on these two round trips are the bound.
            let bound = TimeDelta.milliseconds(max(250 + roundTrip, 2 * roundTrip + 50))
            #expect(gapA <= bound, "seed \(seed): media to a paused \(gapA)")
            #expect(gapB <= bound, "seed \(seed): media to b paused \(gapB)")
            worst = max(worst, gapA, gapB)
            #expect(link.a.agent.sendPath?.remote == VirtualLink.address("203.0.113.2", 40001))
            #expect(link.a.mediaRefused > 0, "nothing is accepted from the new address before a check")
            #expect(link.a.agent.state == .completed && link.b.agent.state == .completed)
        }
        print(
            "rebinding, round trip \(roundTrip) ms, \(bControls ? "controlling" : "controlled") behind the NAT: worst gap \(worst)"
        )
    }

    /// What silence means depends on how regularly media comes: neither losses nor a slow film are worth a probe each.
    @Test(arguments: [0.0, 0.1, 0.5])
    func silenceProbesStayFewOnALongRoundTrip(loss: Double) {
        let link = link(seed: 7, roundTrip: 200, bControls: false)
        link.loss = loss
        let before = link.a.agent.statistics.requestsSent
        link.run(for: .seconds(60))
        let perSecond = Double(link.a.agent.statistics.requestsSent - before) / 60
        print("probes at a round trip of 200 ms and \(Int(loss * 100)) % loss: \(perSecond) a second")
        #expect(perSecond < 3, "\(perSecond) checks a second")
    }

    @Test func c76RebindingUnderLossAndAgainAndAgain() {
        for seed in 1...2 {
            let link = link(seed: UInt64(seed), roundTrip: 40, bControls: seed % 2 == 0, loss: 0.3)
            for port in 40001...40150 {
                link.run(for: .seconds(2))
                link.b.outside[VirtualLink.address("10.0.0.2", 6000)] = VirtualLink.address(
                    "203.0.113.2", UInt16(port))
            }
            link.run(for: .seconds(2))
            #expect(link.a.agent.sendPath?.remote == VirtualLink.address("203.0.113.2", 40150))
            #expect(link.a.agent.sendPath != nil && link.b.agent.sendPath != nil)
            #expect(link.a.agent.pairCount <= 116)
        }
    }

    @Test func lossAloneDoesNotMoveMedia() {
        let link = VirtualLink(seed: 3, roundTrip: .milliseconds(40))
        link.addHosts()
        link.addHosts(ipv6: true)
        link.addBase(link.a, VirtualLink.address("192.0.2.11", 5000))
        link.addBase(link.b, VirtualLink.address("192.0.2.12", 5000))
        link.exchangeCredentials()
        link.a.sendsMedia = true
        link.b.sendsMedia = true
        link.run(until: .zero + .seconds(10)) { link.bothCompleted }
        link.run(for: .seconds(2))
        let before = link.a.agent.statistics.selectedPairChanges
        link.loss = 0.5
        link.run(for: .seconds(60))
        #expect(link.a.agent.statistics.selectedPairChanges == before)
    }

    @Test func aDeadPathGivesWayToAnotherThatWorks() {
        // Two interfaces on b; the one in use goes dark without a word.
        let link = VirtualLink(seed: 4, roundTrip: .milliseconds(40))
        link.addHosts()
        link.addBase(link.b, VirtualLink.address("192.0.2.12", 6000))
        link.exchangeCredentials()
        link.a.sendsMedia = true
        link.b.sendsMedia = true
        link.run(until: .zero + .seconds(10)) { link.bothCompleted }
        link.run(for: .seconds(2))
        let used = link.a.agent.sendPath?.remote
        link.loses = { $0.source == used || $0.destination == used }
        link.run(for: .seconds(5))
        #expect(link.a.agent.sendPath != nil && link.a.agent.sendPath?.remote != used)
        #expect(link.b.agent.sendPath?.local == link.a.agent.sendPath?.remote)
        #expect(link.bothCompleted)
    }

    @Test func anInterfaceThatGoesAwayEndsItsPairsAtOnce() {
        let link = VirtualLink(seed: 5, roundTrip: .milliseconds(40))
        link.addHosts()
        link.addBase(link.a, VirtualLink.address("192.0.2.11", 5000))
        link.exchangeCredentials()
        link.run(until: .zero + .seconds(10)) { link.bothCompleted }
        guard let used = link.a.agent.sendPath?.local else { return #expect(Bool(false), "connected") }
        link.a.agent.removeLocalCandidate(used, now: link.now)
        #expect(link.a.agent.sendPath?.local != used)
        link.run(for: .seconds(5))
        #expect(link.a.agent.sendPath != nil)
        #expect(link.b.agent.sendPath?.remote == link.a.agent.sendPath?.local)
    }
}

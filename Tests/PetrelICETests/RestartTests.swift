import PetrelCore
import PetrelICE
import Testing

@Suite struct RestartTests {
    @Test(arguments: [0.0, 0.3])
    func aRestartChangesBothCredentialsAndLosesNoMedia(loss: Double) {
        for seed in 1...30 {
            let link = VirtualLink.connected(seed: UInt64(seed), media: true)
            link.loss = loss
            link.run(for: .seconds(2))
            let (oldA, oldB) = (link.a.agent.localCredentials, link.b.agent.localCredentials)
            let roles = (link.a.agent.role, link.b.agent.role)
            // b is told 300 ms later than a, as over signalling.
            link.a.agent.restart(random: &link.a.random, now: link.now)
            link.run(for: .milliseconds(300))
            link.b.agent.restart(random: &link.b.random, now: link.now)
            #expect(link.a.agent.localUfrag != oldA.ufrag && link.a.agent.localPassword != oldA.password)
            #expect(link.b.agent.localUfrag != oldB.ufrag && link.b.agent.localPassword != oldB.password)
            #expect(link.a.agent.sendPath != nil && link.b.agent.sendPath != nil, "the old pair is used until then")
            link.exchangeCredentials(later: .milliseconds(100))
            link.run(for: .seconds(6))
            #expect(link.bothCompleted)
            #expect(link.a.agent.role == roles.0 && link.b.agent.role == roles.1)
            #expect(link.a.count { $0 == .stateChanged(.disconnected) } == 0)
            if loss == 0 {
                let arrivals = link.b.mediaAccepted
                let longest = zip(arrivals.dropFirst(), arrivals).map { $0 - $1 }.max() ?? .infinite
                #expect(longest <= .milliseconds(21))
                #expect(link.b.mediaRefused == 0)
            }
            // The pairs of the old generation are gone after the grace.
            #expect(link.a.agent.pairCount == 1)
            link.run(for: .seconds(60))
            #expect(link.bothCompleted)
        }
    }

    @Test func aRestartBringsBackWhatHasFailed() {
        let link = VirtualLink.connected(media: true)
        link.loses = { _ in true }
        link.run(for: .seconds(40))
        #expect(link.a.agent.state == .failed && link.b.agent.state == .failed)
        link.loses = { _ in false }
        link.run(for: .seconds(5))
        #expect(link.a.agent.state == .failed, "the old credentials are not revived (RFC 7675 section 5.1)")
        link.a.agent.restart(random: &link.a.random, now: link.now)
        link.b.agent.restart(random: &link.b.random, now: link.now)
        link.exchangeCredentials()
        let at = link.now
        link.run(until: at + .seconds(5)) { link.bothCompleted }
        #expect(link.bothCompleted)
        #expect(link.now - at <= .milliseconds(100))
    }

    @Test func aRestartAfterANetworkChangeUsesTheNewAddress() {
        let link = VirtualLink.connected(media: true)
        link.run(for: .seconds(2))
        let gone = VirtualLink.address("192.0.2.1", 5000)
        link.loses = { $0.source == gone || $0.destination == gone }
        let at = link.now
        link.run(for: .milliseconds(200))
        link.a.agent.removeLocalCandidate(gone, now: link.now)
        link.a.agent.restart(random: &link.a.random, now: link.now)
        link.addBase(link.a, VirtualLink.address("198.51.100.7", 7000))
        link.b.agent.restart(random: &link.b.random, now: link.now)
        link.exchangeCredentials()
        link.run(until: at + .seconds(5)) { link.bothCompleted && link.a.agent.sendPath?.local.port == 7000 }
        #expect(link.b.agent.sendPath?.remote == VirtualLink.address("198.51.100.7", 7000))
        #expect(link.now - at <= .milliseconds(400))
    }

    @Test func differentCredentialsWithoutARestartAreRefused() {
        let link = VirtualLink.connected()
        let taken = link.a.agent.setRemoteCredentials(
            ufrag: "evil", password: "0123456789012345678901", now: link.now)
        let broken = link.a.agent.setRemoteCredentials(
            ufrag: "a\r\nb", password: "0123456789012345678901", now: link.now)
        #expect(!taken && !broken)
        link.run(for: .seconds(20))
        #expect(link.bothCompleted)
    }
}

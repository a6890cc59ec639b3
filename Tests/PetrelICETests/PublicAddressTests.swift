import PetrelCore
import PetrelICE
import PetrelSDP
import Testing

/// A NAT that maps addresses one to one, told and not found out.
@Suite struct PublicAddressTests {
    private let inside = VirtualLink.address("10.0.0.5", 3478)
    private let outside = VirtualLink.address("203.0.113.7", 3478)

    private func agent(_ known: [PublicAddress], hides: Bool = false) -> ICEAgent {
        var configuration = ICEConfiguration()
        configuration.publicAddresses = known
        configuration.hidesMappedHosts = hides
        var random = RandomSource(seed: 1)
        return ICEAgent(configuration: configuration, role: .controlled, random: &random, now: .zero)
    }

    @Test func itIsAHostCandidateBesideTheLocalOne() {
        var agent = agent([PublicAddress(outside)])
        agent.addLocalCandidate(inside, now: .zero)
        let told = agent.localCandidates
        #expect(told.map(\.address) == [inside, outside])
        #expect(told.allSatisfy { $0.kind == .host && $0.relatedAddress == nil })
        #expect(told[0].priority > told[1].priority, "who reaches both needs no NAT")
        #expect(Set(told.map(\.foundation)).count == 2)
        #expect(told.allSatisfy { $0.attribute.map { CandidateLine($0) != .ignored(.malformed) } ?? false })
        var emitted: [TransportAddress] = []
        while let event = agent.nextEvent() {
            if case .localCandidate(let candidate) = event { emitted.append(candidate.address) }
        }
        #expect(emitted == [inside, outside])
        agent.removeLocalCandidate(inside, now: .zero)
        #expect(agent.localCandidates.isEmpty)
    }

    @Test func theLocalOneCanBeKeptBack() {
        var agent = agent([PublicAddress(outside)], hides: true)
        agent.addLocalCandidate(inside, now: .zero)
        // Without a public address a base is told as ever.
        let six = VirtualLink.address("2001:db8::5", 3478)
        agent.addLocalCandidate(six, now: .zero)
        #expect(agent.localCandidates.map(\.address) == [outside, six])
        var random = RandomSource(seed: 2)
        agent.restart(random: &random, now: .zero)
        #expect(agent.localCandidates.map(\.address) == [outside, six])
    }

    @Test func itStandsForTheAddressThatIsNamed() {
        let other = VirtualLink.address("10.0.0.6", 3478)
        var agent = agent([PublicAddress(outside, local: VirtualLink.address("10.0.0.6", 0))])
        agent.addLocalCandidate(inside, now: .zero)
        agent.addLocalCandidate(other, now: .zero)
        #expect(agent.localCandidates.map(\.address) == [inside, other, outside])
        // For every one of its family, but not for two of one port, and not for loopback.
        var all = self.agent([PublicAddress(outside)])
        all.addLocalCandidate(inside, now: .zero)
        all.addLocalCandidate(other, now: .zero)
        all.addLocalCandidate(VirtualLink.address("10.0.0.7", 4000), now: .zero)
        all.addLocalCandidate(VirtualLink.address("127.0.0.1", 3478), now: .zero)
        let mapped = all.localCandidates.map(\.address).filter { $0.low == outside.low }
        #expect(mapped == [outside, VirtualLink.address("203.0.113.7", 4000)])
        let priorities = all.localCandidates.map(\.priority)
        #expect(Set(priorities).count == priorities.count)
    }

    @Test(arguments: [
        "0.0.0.0", "224.0.0.1", "255.255.255.255", "169.254.169.254", "169.254.1.1", "ff02::1", "fe80::1",
    ])
    func whatNobodyCanReachIsNone(_ text: String) {
        #expect(!PublicAddress(VirtualLink.address(text, 0)).isPossible)
    }

    @Test func aFamilyOfItsOwnFitsNothing() {
        #expect(!PublicAddress(outside, local: VirtualLink.address("2001:db8::1", 0)).isPossible)
        #expect(!PublicAddress(VirtualLink.address("2001:db8::7", 0)).fits(inside))
    }

    /// The client never learns the inside address, and the server finds its own public one in the answers to its checks.
    @Test(arguments: [false, true])
    func aCallThroughSuchANAT(serverControls: Bool) {
        var configuration = ICEConfiguration()
        configuration.publicAddresses = [PublicAddress(outside)]
        configuration.hidesMappedHosts = true
        let link = VirtualLink(
            seed: 1, roundTrip: .milliseconds(40), configurations: (configuration, ICEConfiguration()),
            roles: serverControls ? (.controlling, .controlled) : (.controlled, .controlling))
        link.addBase(link.a, inside, outside: outside)
        link.addBase(link.b, VirtualLink.address("198.51.100.2", 6000))
        link.exchangeCredentials()
        link.a.sendsMedia = true
        link.b.sendsMedia = true
        link.run(for: .seconds(12))
        #expect(link.bothCompleted)
        #expect(link.b.agent.sendPath?.remote == outside)
        #expect(link.a.agent.sendPath?.local == inside)
        #expect(link.b.agent.pairCount == 1 && link.a.agent.pairCount == 1)
        #expect(link.b.mediaAccepted.count > 500 && link.b.mediaRefused == 0)
    }
}

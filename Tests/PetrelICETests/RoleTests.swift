import PetrelCore
import PetrelICE
import PetrelWire
import Testing

@Suite struct RoleTests {
    @Test(arguments: [ICERole.controlling, .controlled], [0, 40, 100])
    func c08EqualRolesAreResolved(role: ICERole, roundTrip: Int) {
        for seed in 1...100 {
            let link = VirtualLink(seed: UInt64(seed), roundTrip: .milliseconds(roundTrip), roles: (role, role))
            link.addHosts()
            link.exchangeCredentials()
            link.run(until: .zero + .seconds(1)) { link.bothCompleted }
            #expect(link.bothCompleted, "seed \(seed)")
            #expect(link.a.agent.role != link.b.agent.role)
            // Exactly one side has changed, once.
            let changes = [link.a, link.b].map { $0.count { if case .roleChanged = $0 { true } else { false } } }
            #expect(changes.sorted() == [0, 1])
            #expect(link.a.agent.statistics.selectedPairChanges == 1)
        }
    }

    @Test func c08EqualRolesAreResolvedUnderLoss() {
        for seed in 1...100 {
            let link = VirtualLink(
                seed: UInt64(seed), roundTrip: .milliseconds(40), loss: 0.3, roles: (.controlling, .controlling))
            link.addHosts()
            link.exchangeCredentials()
            link.run(until: .zero + .seconds(5)) { link.bothCompleted }
            #expect(link.bothCompleted, "seed \(seed)")
            #expect(link.a.agent.role != link.b.agent.role)
        }
    }

    @Test func aLostNominationIsRepeated() {
        // Requests with USE-CANDIDATE are lost for 600 ms.
        let link = VirtualLink(seed: 3, roundTrip: .milliseconds(40))
        link.addHosts()
        link.loses = { datagram in
            guard let message = try? datagram.bytes.withUnsafeBytes({ try STUNMessage(parsing: $0.bytes) }) else {
                return false
            }
            return message.useCandidate && datagram.at < .zero + .milliseconds(600)
        }
        link.exchangeCredentials()
        link.a.sendsMedia = true
        link.b.sendsMedia = true
        link.run(until: .zero + .seconds(2)) { link.bothCompleted }
        #expect((link.a.agent.statistics.firstValidPairAt ?? .distantFuture).milliseconds <= 50)
        #expect((link.b.mediaAccepted.first ?? .distantFuture).milliseconds <= 100, "media does not wait for it")
        #expect(link.bothCompleted)
        #expect((link.b.agent.statistics.completedAt ?? .distantFuture).milliseconds <= 660)
    }
}

import PetrelCore
import PetrelICE
import Testing

@Suite struct ConsentTests {
    @Test func consentChecksComeEvery4To6Seconds() {
        let link = VirtualLink.connected(media: true)
        link.keepsLog = true
        let before = link.a.agent.statistics.consentRequestsSent
        link.run(for: .seconds(600))
        let sent = link.a.agent.statistics.consentRequestsSent - before
        #expect((110...135).contains(sent))
        // Without loss and with media flowing there is nothing to check but consent.
        let checks = link.log.filter {
            $0.source == VirtualLink.address("192.0.2.1", 5000) && $0.bytes[0] == 0 && $0.bytes[1] == 1
        }
        #expect(checks.count == sent)
        let gaps = zip(checks.dropFirst(), checks).map { ($0.at - $1.at).seconds }
        #expect(gaps.allSatisfy { $0 >= 4 && $0 <= 6.001 })
        #expect(Set(gaps.map { Int($0 * 20) }).count > 20, "random within 4...6 s")
    }

    @Test func c09MediaStops30SecondsAfterTheLastResponse() {
        for seed in 1...10 {
            let link = VirtualLink.connected(seed: UInt64(seed), media: true)
            link.run(for: .milliseconds(4000 + 137 * seed))
            // The peer stops answering but keeps sending media.
            var lastResponse = link.now
            var responses = link.a.agent.statistics.responsesReceived
            link.b.isDeaf = true
            for _ in 0..<800 {
                link.run(for: .milliseconds(50))
                if link.a.agent.statistics.responsesReceived != responses {
                    responses = link.a.agent.statistics.responsesReceived
                    lastResponse = link.now
                }
            }
            let last = link.a.mediaSent.last ?? .zero
            let disconnected = link.a.events.last { $0.event == .stateChanged(.disconnected) }?.at ?? .distantFuture
            let failed = link.a.time(of: .failed) ?? .distantFuture
            // The last response came up to 6 s before the peer went deaf; it is found from the consent checks' clock.
            #expect(link.a.agent.sendPath == nil)
            #expect(disconnected < failed)
            #expect(failed - last <= .milliseconds(21), "media goes on until then")
            #expect(failed - lastResponse <= .seconds(30))
            #expect(link.a.mediaAccepted.last.map { $0 > disconnected } ?? false, "the peer was heard all the time")
        }
    }

    @Test func aLiteAgentLivesOnMediaAlone() {
        // A peer that checks once and never again, as some publishers do: it answers none either.
        var lite = ICEConfiguration()
        lite.isLite = true
        let link = VirtualLink(seed: 21, roundTrip: .milliseconds(40), configurations: (.init(), lite))
        link.addHosts()
        link.exchangeCredentials()
        link.a.sendsMedia = true
        link.run(until: .zero + .seconds(3)) { link.bothCompleted }
        #expect(link.bothCompleted)
        // Media of a goes on without its agent: STUN of a is lost, and so it would stop sending.
        guard let path = link.a.agent.sendPath else {
            Issue.record("no path")
            return
        }
        link.a.sendsMedia = false
        link.loses = { $0.bytes[0] < 4 }
        // What is on its way still comes.
        link.run(for: .seconds(1))
        let heard = link.b.agent.statistics.requestsReceived
        func publish(for seconds: Int) {
            for _ in 0..<(seconds * 10) {
                let packet = [0x80, 111] + [UInt8](repeating: 0, count: 60)
                link.transmit(packet, from: path.local, of: link.a, to: path.remote)
                link.run(for: .milliseconds(100))
            }
        }
        publish(for: 120)
        #expect(link.b.agent.statistics.requestsReceived == heard)
        #expect(link.b.agent.state == .completed && link.b.agent.sendPath != nil, "it lives on media")
        let last = link.b.mediaAccepted.last ?? .zero
        link.run(for: .seconds(60))
        // Then the publisher vanishes.
        let failed = link.b.time(of: .failed) ?? .distantFuture
        #expect(failed - last >= .seconds(29) && failed - last <= .seconds(30), "\(failed - last)")
        #expect(link.b.agent.sendPath == nil && link.b.agent.state == .failed)
        #expect(link.b.agent.statistics.requestsSent == 0)
        let disconnected = link.b.events.last { $0.event == .stateChanged(.disconnected) }?.at ?? .distantFuture
        #expect(disconnected > last && disconnected < failed)
    }

    @Test func c09ExpiryIsExactFromTheLastResponse() {
        let link = VirtualLink.connected(media: true)
        link.run(for: .seconds(20))
        var last = Instant.zero
        // Follow each response, then stop them right after one.
        var count = link.a.agent.statistics.responsesReceived
        while link.a.agent.statistics.responsesReceived == count { link.run(for: .milliseconds(1)) }
        last = link.now
        count = link.a.agent.statistics.responsesReceived
        link.b.isDeaf = true
        link.run(for: .seconds(40))
        #expect(link.a.agent.statistics.responsesReceived == count)
        let failed = link.a.time(of: .failed) ?? .distantFuture
        #expect(failed - last >= .milliseconds(28_500) && failed - last <= .seconds(30))
        #expect(link.a.agent.state == .failed)
        let sent = link.a.agent.statistics.requestsSent
        link.run(for: .seconds(60))
        #expect(link.a.agent.statistics.requestsSent == sent, "nothing is sent after failure")
    }

    @Test func c09RevocationStopsAtOnce() {
        let link = VirtualLink.connected(media: true)
        link.run(for: .seconds(3))
        link.b.agent.close(now: link.now)
        #expect(link.b.agent.sendPath == nil)
        link.run(for: .milliseconds(400))
        // b's silence makes a check it within 150 ms; b answers 403.
        #expect(link.a.agent.state == .failed)
        #expect(link.a.agent.sendPath == nil)
        let failed = link.a.time(of: .failed) ?? .distantFuture
        #expect(link.a.mediaSent.last.map { $0 <= failed } ?? false)
    }

    @Test func aSilentPeerIsDisconnectedWithinSixSecondsAndFailedAt30() {
        for media in [true, false] {
            var worst = TimeDelta.zero
            // At every phase of the checks, and also where a check is on its way.
            for seed in 1...80 {
                let link = VirtualLink.connected(seed: UInt64(seed), media: media)
                link.run(for: .milliseconds(11_000 + 173 * seed))
                let crash = link.now
                link.loses = { _ in true }
                link.run(for: .seconds(40))
                for node in [link.a, link.b] {
                    let disconnected = node.events.last { $0.event == .stateChanged(.disconnected) }?.at
                    worst = max(worst, (disconnected ?? .distantFuture) - crash)
                    #expect(((node.time(of: .failed) ?? .distantFuture) - crash).seconds <= 30)
                }
            }
            print("a silent peer, media \(media): disconnected after \(worst) at the latest")
            #expect(worst.seconds <= 6, "media \(media): \(worst)")
        }
    }

    @Test func anOutageOf10SecondsHealsWithoutARestart() {
        let link = VirtualLink.connected(media: true)
        link.run(for: .seconds(3))
        link.loses = { _ in true }
        link.run(for: .seconds(10))
        #expect(link.a.agent.state == .disconnected)
        #expect(link.a.agent.sendPath != nil, "consent lasts 30 s")
        link.loses = { _ in false }
        let back = link.now
        link.run(for: .seconds(2))
        #expect(link.bothCompleted)
        let first = link.a.mediaAccepted.first { $0 > back } ?? .distantFuture
        #expect(first - back <= .milliseconds(41))
    }

    @Test func halfTheDatagramsAreEnoughToKeepConsent() {
        for seed in 1...8 {
            let link = VirtualLink.connected(seed: UInt64(seed), media: true)
            link.loss = 0.5
            link.run(for: .seconds(300))
            #expect(link.a.agent.sendPath != nil && link.b.agent.sendPath != nil)
            #expect(link.a.count { $0 == .stateChanged(.disconnected) } == 0)
        }
    }

    @Test func aSpareThatIsAsSilentBringsNobodyBack() {
        for media in [true, false] {
            // Two addresses on each side, as a machine with IPv4 and IPv6 has: the spare pair answered last when the
            // call was set up, or when it was tried again.
            let link = VirtualLink(seed: 7, roundTrip: .milliseconds(4))
            link.addHosts()
            link.addHosts(ipv6: true)
            link.exchangeCredentials()
            link.a.sendsMedia = media
            link.b.sendsMedia = media
            link.run(until: .zero + .seconds(10)) { link.bothCompleted }
            link.run(for: .seconds(3))
            let crash = link.now
            link.loses = { _ in true }
            link.run(for: .seconds(60))
            let states = link.a.events.filter { $0.at > crash }.compactMap { entry -> ICEState? in
                if case .stateChanged(let state) = entry.event { state } else { nil }
            }
            #expect(states == [.disconnected, .failed], "media \(media)")
        }
    }
}

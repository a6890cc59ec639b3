import PetrelCore
import PetrelICE
import PetrelLab
import PetrelPeer
import PetrelScenario
import Testing

/// Paths that go away, come back, or move.
@Suite struct PathChangeTests {
    private func time(_ states: [(at: Instant, state: String)], of state: String, after: Double = 0) -> Double? {
        states.first { $0.state.hasPrefix(state) && $0.at > .zero + .seconds(after) }?.at.milliseconds
    }

    @Test("C78: a peer that vanishes is missed within 6 s and given up within 35 s")
    func peerVanishes() throws {
        let call = try VirtualCall(.synthetic("delay=20", seconds: 45))
        call.at(.seconds(3)) { $0.network.detach(VirtualCall.calleeAddress) }
        let log = MediaLog(call.network, from: VirtualCall.callerAddress)
        let result = call.run()
        // It vanishes at 3 s.
        #expect((time(result.callerStates, of: "disconnected") ?? .infinity) <= 3000 + 6000)
        #expect((time(result.callerStates, of: "failed") ?? .infinity) <= 3000 + 35_000)
        #expect(call.callerPeer.failure == .pathLost)
        // C09: the last media leaves no later than 30 s after the last answer.
        #expect(log.count(from: 33.1, to: 45) == 0)
    }

    @Test("C09: without consent nothing is sent after 30 s, though media still comes")
    func consentLost() throws {
        let call = try VirtualCall(.synthetic("delay=20", seconds: 36))
        // The callee's STUN is lost on the way: it sends media and answers no more.
        var dropped = 0
        call.filter = { [weak call] source, _, bytes in
            guard let call, call.now > .zero + .seconds(2), source == VirtualCall.calleeAddress,
                (bytes.first ?? 255) < 4
            else {
                return true
            }
            dropped += 1
            return false
        }
        let log = MediaLog(call.network, from: VirtualCall.callerAddress)
        let result = call.run()
        #expect(dropped > 0)
        let last = (log.sent.last?.at ?? .zero).milliseconds
        #expect(last <= 32_000)
        #expect(last >= 25_000, "media went on while consent lasted")
        let disconnected = time(result.callerStates, of: "disconnected")
        let failed = time(result.callerStates, of: "failed")
        #expect(disconnected != nil && failed != nil && (disconnected ?? 0) < (failed ?? 0))
    }

    @Test("C75: after an outage media is back within a second, without a restart", arguments: [1, 10])
    func outage(seconds: Int) throws {
        let call = try VirtualCall(.synthetic("delay=25,outage=3+\(seconds)", seconds: Double(seconds) + 8))
        let result = call.run()
        let back = 3 + Double(seconds)
        for (name, direction) in result.directions {
            let first = direction.pictures(from: back, to: back + 5).first
            #expect(first.map { $0.rendered <= .zero + .seconds(back + 1) } ?? false, "\(name) \(first as Any)")
            #expect(direction.pictures(from: back + 2, to: back + 5).count >= 85, "\(name)")
            #expect(
                direction.sounds.contains {
                    $0.kind == .normal && $0.played > .zero + .seconds(back) && $0.played <= .zero + .seconds(back + 1)
                }, "\(name)")
        }
        #expect(call.callerPeer.state == .connected && call.calleePeer.state == .connected)
        #expect(!result.callerStates.contains { $0.state.hasPrefix("failed") })
    }

    @Test("C76: after a NAT rebinding media pauses for no more than 250 ms and a round trip", arguments: [20, 50, 100])
    func rebinding(oneWay: Int) throws {
        let call = try VirtualCall(.synthetic("delay=\(oneWay)", seconds: 6))
        let moved = TransportAddress(ipv4: 0x0A00_0001, port: 6001)
        var refusedBefore: UInt64 = 0
        call.at(.seconds(3)) {
            refusedBefore = $0.calleePeer.drops[.unvalidatedAddress]
            $0.network.rebind(VirtualCall.callerAddress, to: moved)
        }
        // What comes from the new address before a check from there was answered must not be taken.
        var mediaBeforeCheck = 0
        var checkAnswered = false
        call.observe = { source, destination, bytes, verdict in
            guard source == moved || destination == moved else { return }
            if destination == moved, bytes.first == 1 { checkAnswered = true }
            // The answer is written at once, and seen here only after all that arrived at the same instant.
            if source == moved, bytes.first == 0, verdict == .accept { checkAnswered = true }
            if source == moved, !checkAnswered, (128...191).contains(bytes.first ?? 0), verdict == .accept {
                mediaBeforeCheck += 1
            }
        }
        // Media that was accepted: when, and by whom.
        var accepted: [TransportAddress: [Double]] = [:]
        let check = call.observe
        call.observe = { [weak call] source, destination, bytes, verdict in
            check?(source, destination, bytes, verdict)
            guard let call, verdict == .accept, (128...191).contains(bytes.first ?? 0) else { return }
            accepted[destination, default: []].append(call.now.milliseconds)
        }
        let result = call.run()
        let limit = 250 + 2 * Double(oneWay)
        for side in [VirtualCall.callerAddress, VirtualCall.calleeAddress] {
            let times = (accepted[side] ?? []).filter { $0 > 2500 }
            let gap = zip(times, times.dropFirst()).map { $1 - $0 }.max() ?? .infinity
            #expect(gap <= limit, "at \(side)")
        }
        for (name, direction) in result.directions {
            // Pictures need what was lost again, or a key frame: a round trip more.
            #expect(direction.longestGap(from: 2.9, to: 5.5) <= limit + max(150, 2 * Double(oneWay)), "\(name)")
        }
        #expect(mediaBeforeCheck == 0)
        #expect(call.calleePeer.drops[.unvalidatedAddress] > refusedBefore, "there was media to refuse")
        #expect(call.calleeLog.paths.last?.path.remote == moved)
        #expect(call.callerPeer.state == .connected && call.calleePeer.state == .connected)
    }

    @Test("C78: a peer that closes is known to have closed within a round trip and 100 ms")
    func close() throws {
        let call = try VirtualCall(.synthetic("delay=50", seconds: 4))
        call.at(.seconds(2)) { $0.withPeer(caller: true) { peer, now, out in peer.close(now: now, into: &out) } }
        let log = MediaLog(call.network, from: VirtualCall.callerAddress)
        let result = call.run()
        #expect(result.callerStates.last?.state == "closed")
        let known = time(result.calleeStates, of: "failed") ?? .infinity
        #expect(known <= 2000 + 100 + 100)
        #expect(call.calleePeer.failure == .closedByRemote)
        #expect(call.calleeLog.tracksRemoved.count == 2, "BYE ended both tracks")
        #expect(log.count(from: 2.001, to: 4) == 0, "a closed peer is silent")
    }

    @Test func restartInMidCall() throws {
        let call = try VirtualCall(.synthetic("delay=20", seconds: 7))
        var failure: (any Error)?
        call.at(.seconds(2)) { call in
            do {
                try call.withPeer(caller: true) { peer, now, _ in
                    try peer.restartICE(now: now)
                    peer.addLocalAddress(VirtualCall.callerAddress, now: now)
                    peer.endOfLocalAddresses(now: now)
                }
                try call.negotiate(offerer: true)
            } catch { failure = error }
        }
        let result = call.run()
        #expect(failure == nil)
        for (name, direction) in result.directions {
            #expect(direction.longestGap(from: 1.9, to: 6.9) <= 150, "\(name)")
        }
        #expect(call.callerPeer.state == .connected && call.calleePeer.state == .connected)
    }

    /// The path dies for longer than consent lasts; a restart over the same addresses revives the call.
    @Test func restartAfterFailure() throws {
        let call = try VirtualCall(.synthetic("delay=20,outage=2+34", seconds: 42))
        var failure: (any Error)?
        call.at(.seconds(37)) { call in
            #expect(call.callerPeer.state == .failed && call.calleePeer.state == .failed)
            do {
                try call.withPeer(caller: true) { peer, now, _ in
                    try peer.restartICE(now: now)
                    peer.addLocalAddress(VirtualCall.callerAddress, now: now)
                    peer.endOfLocalAddresses(now: now)
                }
                try call.negotiate(offerer: true)
            } catch { failure = error }
        }
        let result = call.run()
        #expect(failure == nil)
        #expect(call.callerPeer.state == .connected && call.calleePeer.state == .connected)
        for (name, direction) in result.directions {
            #expect(direction.pictures(from: 38, to: 42).count >= 100, "\(name)")
        }
    }
}

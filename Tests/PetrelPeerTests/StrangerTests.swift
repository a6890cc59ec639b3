import PetrelCongestion
import PetrelCore
import PetrelICE
import PetrelLab
import PetrelMedia
import PetrelScenario
import PetrelSecurity
import PetrelWire
import Testing

@testable import PetrelPeer

/// What somebody can do who has no keys.
@Suite struct StrangerTests {
    enum Moment: CaseIterable { case beforeAnything, checking, handshake, connected, disconnected, closed }

    private func call(at moment: Moment) throws -> VirtualCall {
        let call = try VirtualCall.fresh()
        switch moment {
        case .beforeAnything: break
        case .checking: call.run(until: .zero + .milliseconds(10))
        case .handshake: call.run(until: .zero + .milliseconds(70))
        case .connected: call.run(until: .zero + .milliseconds(500))
        case .disconnected:
            call.run(until: .zero + .milliseconds(500))
            call.network.detach(VirtualCall.calleeAddress)
            call.run(until: .zero + .seconds(8))
            #expect(call.callerPeer.state == .disconnected)
        case .closed:
            call.run(until: .zero + .milliseconds(500))
            call.withPeer(caller: true) { peer, now, out in peer.close(now: now, into: &out) }
        }
        return call
    }

    @Test("C27: nothing but STUN is accepted from an address that no check has validated", arguments: Moment.allCases)
    func nothingButSTUN(moment: Moment) throws {
        let call = try call(at: moment)
        var answered = 0
        call.observe = { _, destination, _, verdict in
            if destination == stranger, verdict == nil { answered += 1 }
        }
        let state = call.callerPeer.state
        let received = call.callerPeer.network.mediaPacketsReceived
        var random = SeededGenerator(seed: 5)
        for first in 0...255 {
            for length in [1, 12, 13, 20, 60, 200] {
                var bytes = (0..<length).map { _ in UInt8(truncatingIfNeeded: random.next()) }
                bytes[0] = UInt8(first)
                let verdict = call.inject(bytes, from: stranger, toCaller: true)
                if moment != .closed { #expect(verdict != .accept, "first octet \(first), \(length) octets") }
            }
        }
        #expect(call.callerPeer.state == state)
        #expect(answered == 0)
        #expect(call.callerPeer.earlyMedia.entries.isEmpty, "nothing of a stranger is kept as media")
        #expect(call.callerPeer.network.mediaPacketsReceived == received)
        if moment == .beforeAnything || moment == .checking || moment == .handshake {
            call.observe = nil
            call.run(until: .zero + .seconds(1))
            call.expectGoodCall()
        }
    }

    @Test("C18: a ClientHello from a never-validated address is ignored before, during and after the handshake")
    func strangersHello() throws {
        // A true ClientHello of another call between the same kind of peers.
        var hello: [UInt8]?
        let other = try VirtualCall.fresh(seed: 99)
        other.observe = { _, _, bytes, verdict in
            if hello == nil, verdict == nil, (20...63).contains(bytes.first ?? 0) { hello = Array(bytes) }
        }
        other.run(until: .zero + .milliseconds(200))
        let bytes = try #require(hello)
        #expect(bytes[0] == 22 && bytes[13] == 1, "a handshake record with a ClientHello")
        let call = try VirtualCall.fresh()
        var answered = 0
        call.observe = { _, destination, _, verdict in
            if destination == stranger, verdict == nil { answered += 1 }
        }
        for _ in 0..<100 {
            #expect(call.inject(bytes, from: stranger, toCaller: true) == .drop(.unvalidatedAddress))
            call.run(until: call.now + .milliseconds(5))
        }
        #expect(call.callerPeer.state == .connected)
        call.expectGoodCall()
        #expect(answered == 0)
    }

    @Test("C04: 10,000 checks with a wrong password or user change nothing")
    func wrongChecks() throws {
        let call = try VirtualCall.running()
        let pairs = call.callerPeer.agent.pairCount
        let selected = call.callerPeer.agent.sendPath
        var bytesOut = 0
        call.observe = { _, destination, bytes, verdict in
            if destination == stranger, verdict == nil { bytesOut += bytes.count }
        }
        var random = RandomSource(seed: 3)
        var bytesIn = 0
        for index in 0..<10_000 {
            let user =
                index < 5000
                ? "\(call.callerPeer.agent.localUfrag):\(call.calleePeer.agent.localUfrag)" : "wrong\(index):user"
            var bytes = [UInt8](repeating: 0, count: 256)
            let length = bytes.withUnsafeMutableBytes { buffer in
                var writer = STUNWriter(
                    into: buffer, .request, transaction: STUNTransactionID(random: &random))
                writer.append(STUNAttributeType.username, Array(user.utf8))
                writer.append(STUNAttributeType.priority, UInt32(1_845_501_695))
                writer.append(STUNAttributeType.iceControlling, UInt64(7))
                writer.append(STUNAttributeType.useCandidate)
                writer.appendIntegrity { _ in (0..<20).map { _ in 0xAB } }
                writer.appendFingerprint()
                return writer.finish() ?? 0
            }
            bytesIn += length
            let verdict = call.inject(Array(bytes[..<length]), from: stranger, toCaller: true)
            #expect(verdict != .accept)
            if index % 100 == 0 { call.run(until: call.now + .milliseconds(5)) }
        }
        #expect(call.callerPeer.agent.pairCount == pairs)
        #expect(call.callerPeer.agent.sendPath == selected)
        #expect(bytesOut <= bytesIn, "no amplification")
        call.expectGoodCall()
    }

    @Test("C19: alerts and garbage in the clear end no session, wherever they come from")
    func garbageDTLS() throws {
        let call = try VirtualCall.running()
        var random = SeededGenerator(seed: 4)
        for address in [VirtualCall.calleeAddress, stranger] {
            for level in [1, 2] {
                for description in 0...120 {
                    let alert: [UInt8] = [
                        21, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, UInt8(level), UInt8(description),
                    ]
                    call.inject(alert, from: address, toCaller: true)
                }
            }
            for first in 0x14...0x3F {
                for length in [1, 13, 14, 40, 300, 1400] {
                    var bytes = (0..<length).map { _ in UInt8(truncatingIfNeeded: random.next()) }
                    bytes[0] = UInt8(first)
                    if length > 12 { (bytes[1], bytes[2], bytes[3], bytes[4]) = (0xFE, 0xFD, 0, 0) }
                    call.inject(bytes, from: address, toCaller: true)
                }
            }
        }
        call.expectGoodCall()
    }

    @Test("C30: SRTP and SRTCP of every length, with extension and contributing sources, are refused")
    func shortPackets() throws {
        let call = try VirtualCall.running()
        let video = call.calleePeer.senders.first { $0.stream.kind == .video }
        let type = try #require(video?.stream.parameters.payloadType)
        for first: UInt8 in [0x80, 0x90, 0x8F, 0x9F, 0xA0, 0xBF] {
            for second in [type, 200, 201, 205, 206] {
                for length in 0...64 {
                    var bytes = [UInt8](repeating: 0, count: length)
                    if length > 0 { bytes[0] = first }
                    if length > 1 { bytes[1] = second }
                    #expect(call.inject(bytes, from: VirtualCall.calleeAddress, toCaller: true) != .accept)
                }
            }
        }
        call.expectGoodCall()
    }

    @Test("C32, C33: 10,000 forged packets move nothing, and no byte of them is looked at")
    func forgedMedia() throws {
        let call = try VirtualCall.running()
        let sender = try #require(call.calleePeer.senders.first { $0.stream.kind == .video })
        let type = sender.stream.parameters.payloadType
        let receiver = try #require(call.callerPeer.receivers.first { $0.stream.ssrc == sender.stream.ssrc })
        let before = receiver.stream.reception
        let path = call.callerPeer.agent.sendPath
        let pictures = call.seenByCaller.pictures.count
        let highest = UInt16(truncatingIfNeeded: before.highestSequence ?? 0)
        for index in 0..<10_000 {
            let bytes = rtp(
                type: type, sequence: highest &+ 32_768 &+ UInt16(truncatingIfNeeded: index),
                timestamp: UInt32(index), ssrc: sender.stream.ssrc, marker: true,
                payload: [UInt8](repeating: 0x90, count: 60))
            let verdict = call.inject(bytes, from: VirtualCall.calleeAddress, toCaller: true)
            #expect(verdict == .drop(.srtpAuthentication) || verdict == .drop(.srtpReplay))
        }
        let after = receiver.stream.reception
        #expect(after.highestSequence == before.highestSequence)
        #expect(after.packetsReceived == before.packetsReceived)
        #expect(after.packetsLost == before.packetsLost)
        #expect(after.jitterTicks == before.jitterTicks)
        #expect(call.callerPeer.agent.sendPath == path)
        #expect(call.seenByCaller.pictures.count == pictures)
        call.expectGoodCall()
    }
}

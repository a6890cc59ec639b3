import PetrelCore
import PetrelICE
import PetrelLab
import PetrelMedia
import PetrelScenario
import PetrelSecurity
import PetrelWire
import Testing

@testable import PetrelPeer

/// Ends that the other side must hear of, and what feedback can make a peer keep.
@Suite struct ClosedPeerTests {
    @Test("RFC 7675 section 5.2: who missed the good-bye is told by 403 when it asks, and stops at once")
    func revocation() throws {
        let call = try VirtualCall.running()
        // The end of the association and the BYE are lost.
        call.filter = { source, _, bytes in
            source != VirtualCall.callerAddress || (bytes.first ?? 255) < 4
        }
        var answers: [[UInt8]] = []
        call.observe = { source, _, bytes, verdict in
            if source == VirtualCall.callerAddress, verdict == nil, (bytes.first ?? 255) < 4 {
                answers.append(Array(bytes))
            }
        }
        call.withPeer(caller: true) { peer, now, out in peer.close(now: now, into: &out) }
        let closed = call.now
        call.run(until: call.now + .seconds(1))
        #expect(call.calleePeer.state == .failed)
        let failed = call.result().calleeStates.first { $0.state.hasPrefix("failed") }?.at ?? .distantFuture
        #expect(failed - closed <= .milliseconds(250), "silence is noticed, asked about and answered")
        let codes = answers.compactMap { try? STUNMessage(parsing: $0.span.bytes).errorCode }
        #expect(!codes.isEmpty && codes.allSatisfy { $0 == 403 })
        #expect(call.callerPeer.nextDeadline == .distantFuture, "the closed peer asks for nothing")
        // Nothing more of the callee leaves, not even checks (section 5.2: consent is revoked).
        let sent = call.network.sent
        call.run(until: call.now + .seconds(30))
        #expect(call.network.sent == sent)
    }

    @Test("a closed peer answers nobody who has not its password")
    func strangers() throws {
        let call = try VirtualCall.running()
        call.withPeer(caller: true) { peer, now, out in peer.close(now: now, into: &out) }
        let drops = call.callerPeer.drops.total
        var sent = 0
        call.observe = { source, _, _, verdict in
            if source == VirtualCall.callerAddress, verdict == nil { sent += 1 }
        }
        var random = RandomSource(seed: 1)
        for index in 0..<1000 {
            var bytes = [UInt8](repeating: 0, count: 256)
            let user = "\(call.callerPeer.agent.localUfrag):\(call.calleePeer.agent.localUfrag)"
            let length = bytes.withUnsafeMutableBytes { buffer in
                var writer = STUNWriter(into: buffer, .request, transaction: STUNTransactionID(random: &random))
                writer.append(STUNAttributeType.username, Array(user.utf8))
                writer.appendIntegrity { _ in (0..<20).map { _ in UInt8(truncatingIfNeeded: index) } }
                writer.appendFingerprint()
                return writer.finish() ?? 0
            }
            call.inject(Array(bytes[..<length]), from: VirtualCall.calleeAddress, toCaller: true)
            call.inject([UInt8](repeating: 0x80, count: 60), from: VirtualCall.calleeAddress, toCaller: true)
        }
        #expect(sent == 0)
        #expect(call.callerPeer.drops.total == drops)
        #expect(call.callerPeer.state == .closed && call.callerPeer.nextDeadline == .distantFuture)
    }

    @Test("an authentic end of the association ends consent: no check leaves after it")
    func closedByRemote() throws {
        let call = try VirtualCall.running()
        call.withPeer(caller: true) { peer, now, out in peer.close(now: now, into: &out) }
        call.run(until: call.now + .milliseconds(100))
        #expect(call.calleePeer.failure == .closedByRemote)
        #expect(call.calleePeer.agent.sendPath == nil)
        let sent = call.network.sent
        call.run(until: call.now + .seconds(40))
        #expect(call.network.sent == sent)
        #expect(call.calleePeer.failure == .closedByRemote, "the reason stays")
    }

    @Test("SRTCP from sources that nobody knows is bounded: what is kept for them, and what they may say")
    func strangeReports() throws {
        let call = try VirtualCall.running()
        let own = try #require(call.callerPeer.senders.first { $0.stream.kind == .video }).stream.ssrc
        let before = call.callerPeer.drops[.rtpSourceLimit]
        let used = call.callerPeer.network.rtcpPacketsReceived
        func report(_ ssrc: UInt32) -> [UInt8] {
            rtcp(
                .receiverReport(RTCPReceiverReport(ssrc: ssrc, reports: [])),
                .pictureLoss(RTCPPictureLoss(senderSSRC: ssrc, mediaSSRC: own)))
        }
        for index in 0..<1000 as Range<UInt32> { call.sendAuthentic(rtcp: report(0x5000_0000 + index)) }
        let taken = call.callerPeer.network.rtcpPacketsReceived - used
        #expect(taken <= UInt64(ControlSources.limit) && taken >= UInt64(ControlSources.limit - 4))
        #expect(call.callerPeer.drops[.rtpSourceLimit] - before == 1000 - taken)
        // libsrtp2 has forgotten them too: the same packet again is not a replay, and is refused as before.
        let packet = try #require(call.protect(report(0x5000_0000 + 999), isRTCP: true))
        for _ in 0..<3 {
            let verdict = call.inject(packet, from: VirtualCall.calleeAddress, toCaller: true)
            #expect(verdict == .drop(.rtpSourceLimit))
        }
        // One that was taken keeps its window, also where its media is not wanted.
        let known = try #require(call.protect(report(0x5000_0000), isRTCP: true))
        #expect(call.inject(known, from: VirtualCall.calleeAddress, toCaller: true) == .accept)
        #expect(call.inject(known, from: VirtualCall.calleeAddress, toCaller: true) == .drop(.srtpReplay))
        // The call's own sources, media and reports, are as before.
        call.expectGoodCall(for: 2)
    }
}

import Foundation
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

/// Beginnings and ends.
@Suite(.serialized) struct LifeCycleTests {
    @Test("C84: closed at any moment, and twice, a peer is silent and forgets its deadlines")
    func closeAtAnyMoment() throws {
        for milliseconds in [0, 1, 15, 25, 45, 65, 85, 105, 125, 300, 1000] {
            let call = try VirtualCall.fresh()
            call.run(until: .zero + .milliseconds(milliseconds))
            for isCaller in [true, false] {
                call.withPeer(caller: isCaller) { peer, now, out in
                    peer.close(now: now, into: &out)
                    #expect(peer.nextDeadline == .distantFuture)
                    let sent = out.count
                    peer.close(now: now, into: &out)
                    peer.handleTimeout(now: now + .seconds(60), into: &out)
                    #expect(out.count == sent)
                    #expect(peer.state == .closed)
                    #expect(peer.senders.allSatisfy { !peer.canSend($0.id) })
                }
            }
            // A check that was on its way is told that its consent is revoked (RFC 7675 section 5.2). Nothing else leaves.
            var answers = 0
            call.observe = { _, _, bytes, verdict in
                guard verdict == nil else { return }
                answers += 1
                let code = try? STUNMessage(parsing: bytes.bytes).errorCode
                #expect(code == 403, "closed after \(milliseconds) ms")
            }
            call.run(until: call.now + .seconds(40))
            #expect(answers <= 8, "closed after \(milliseconds) ms")
        }
    }

    @Test("C84: a peer that fails or is closed by the other side has no work left")
    func closeByTheOther() throws {
        let call = try VirtualCall.running()
        call.withPeer(caller: true) { peer, now, out in peer.close(now: now, into: &out) }
        call.run(until: call.now + .milliseconds(100))
        #expect(call.calleePeer.failure == .closedByRemote)
        let sent = call.network.sent
        call.run(until: call.now + .seconds(2))
        #expect(call.network.sent - sent < 30, "no media, a few checks at most")
        call.withPeer(caller: false) { peer, now, out in peer.close(now: now, into: &out) }
        #expect(call.calleePeer.nextDeadline == .distantFuture)
    }

    @Test("a track whose section the other side has ended can still be taken away, and another takes its place")
    func trackOfAnEndedSection() throws {
        let call = try VirtualCall.running()
        func exchange() throws {
            var offer = ""
            try call.withPeer(caller: true) { peer, now, _ in offer = try peer.createOffer(now: now) }
            var answer = ""
            try call.withPeer(caller: false) { peer, now, out in
                answer = try peer.answer(offer: offer, now: now, into: &out)
            }
            try call.withPeer(caller: true) { peer, now, out in try peer.accept(answer: answer, now: now, into: &out) }
        }
        let caller = try #require(call.callerPeer.senders.first { $0.stream.kind == .video }?.id)
        let callee = try #require(call.calleePeer.senders.first { $0.stream.kind == .video }?.id)
        try call.callerPeer.removeTrack(caller)
        try exchange()
        try call.calleePeer.removeTrack(callee)
        let (again, other) = (
            try call.callerPeer.addTrack(.video, streamID: "again"),
            try call.calleePeer.addTrack(.video, streamID: "again")
        )
        try exchange()
        #expect(call.callerPeer.canSend(again) && call.calleePeer.canSend(other))
        #expect(!call.callerPeer.canSend(caller) && !call.calleePeer.canSend(callee))
    }
}

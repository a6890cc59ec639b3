import PetrelCore
import PetrelICE
import PetrelLab
import PetrelMedia
import PetrelPeer
import PetrelSDP
import PetrelScenario
import Testing

/// Offers and answers in the middle of a call.
@Suite struct NegotiationTests {
    @Test func aSecondTrackIsAddedAndStopped() throws {
        let call = try VirtualCall(.synthetic("delay=20", seconds: 6))
        var failure: (any Error)?
        var track: LocalTrackID?
        let frame = [UInt8](repeating: 0x10, count: 3000)
        call.at(.seconds(1)) { call in
            do {
                track = try call.callerPeer.addTrack(.video, streamID: "second")
                #expect(call.callerPeer.needsNegotiation)
                try call.negotiate(offerer: true)
                #expect(!call.callerPeer.needsNegotiation)
            } catch { failure = error }
        }
        for step in 0..<30 {
            call.at(.milliseconds(1200 + step * 40)) { call in
                call.withPeer(caller: true) { peer, now, out in
                    guard let track else { return }
                    let taken = frame.withUnsafeBytes {
                        peer.sendVideo($0, isKeyFrame: true, track: track, captured: now, now: now, into: &out)
                    }
                    #expect(taken)
                }
            }
        }
        call.at(.seconds(3)) { call in
            do {
                if let track { try call.callerPeer.removeTrack(track) }
                try call.negotiate(offerer: true)
            } catch { failure = error }
            #expect(track.map { !call.callerPeer.canSend($0) } ?? false)
        }
        let result = call.run()
        #expect(failure == nil)
        #expect(call.calleeLog.tracksAdded.count == 3)
        let second = call.calleeLog.tracksAdded.last?.track
        #expect(second.flatMap { call.calleeLog.videoFrames[$0] } == 30)
        #expect(call.calleeLog.tracksRemoved.map(\.track) == [second].compactMap { $0 })
        for (name, direction) in result.directions {
            #expect(direction.longestGap(from: 0.5, to: 5.9) <= 120, "\(name): the first track goes on")
        }
        #expect(call.callerPeer.state == .connected)
    }

    @Test func bothSidesOffer() throws {
        let call = try VirtualCall(.synthetic("delay=20", seconds: 3))
        var ran = false
        call.at(.seconds(1)) { call in
            ran = true
            do {
                _ = try call.callerPeer.addTrack(.audio, streamID: "glare")
                _ = try call.calleePeer.addTrack(.audio, streamID: "glare")
                let offer = try call.callerPeer.createOffer(now: .zero + .seconds(1001))
                let other = try call.calleePeer.createOffer(now: .zero + .seconds(1001))
                #expect(throws: SDPError.self) {
                    try call.withPeer(caller: true) { peer, now, out in
                        _ = try peer.answer(offer: other, now: now, into: &out)
                    }
                }
                // One side gives way.
                try call.calleePeer.rollback()
                var answer = ""
                try call.withPeer(caller: false) { peer, now, out in
                    answer = try peer.answer(offer: offer, now: now, into: &out)
                }
                try call.withPeer(caller: true) { peer, now, out in
                    try peer.accept(answer: answer, now: now, into: &out)
                }
                #expect(!call.callerPeer.needsNegotiation)
            } catch { Issue.record(error) }
        }
        let result = call.run()
        #expect(ran)
        for (name, direction) in result.directions {
            #expect(direction.longestGap(from: 0.5, to: 2.9) <= 120, "\(name)")
        }
    }

    @Test("C20: a side that is not who it announced is never talked to", arguments: [true, false])
    func wrongFingerprint(isCaller: Bool) throws {
        var configuration = try VirtualCallConfiguration.synthetic("delay=20", seconds: 3)
        if isCaller {
            configuration.caller.announcesWrongFingerprint = true
        } else {
            configuration.callee.announcesWrongFingerprint = true
        }
        let call = try VirtualCall(configuration)
        let logs = MediaLog(call.network, from: isCaller ? VirtualCall.calleeAddress : VirtualCall.callerAddress)
        let result = call.run()
        let deceived = isCaller ? call.calleePeer : call.callerPeer
        guard case .security = deceived.failure else {
            Issue.record("\(deceived.state) \(String(describing: deceived.failure))")
            return
        }
        #expect((isCaller ? result.calleeConnected : result.callerConnected) == nil)
        #expect(logs.sent.isEmpty, "no media to a stranger")
        #expect((isCaller ? result.callerToCallee : result.calleeToCaller).pictures.isEmpty)
        #expect(deceived.milestones.secured == nil)
    }
}

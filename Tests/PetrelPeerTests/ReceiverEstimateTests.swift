import PetrelCongestion
import PetrelCore
import PetrelMedia
import PetrelScenario
import PetrelWire
import Testing

@testable import PetrelPeer

/// REMB (draft-alvestrand-rmcat-remb-03): with stacks that know no transport-wide feedback, such as aiortc.
@Suite struct ReceiverEstimateTests {
    static func without(_ parts: [String]) -> @Sendable (String) -> String {
        { text in
            text.split(separator: "\r\n").filter { line in
                !(line.hasPrefix("a=rtcp-fb") || line.hasPrefix("a=extmap:"))
                    || !parts.contains { line.contains($0) }
            }.joined(separator: "\r\n") + "\r\n"
        }
    }

    static func call(
        _ link: String, lacking parts: [String],
        video: VirtualCallConfiguration.Video = .synthetic(
            framesPerSecond: 30, bytesPerFrame: 3000, bytesPerKeyFrame: 10_000)
    ) throws -> VirtualCall {
        var configuration = try VirtualCallConfiguration(link: link)
        configuration.video = video
        configuration.rewriteOffer = without(parts)
        let call = try VirtualCall(configuration)
        #expect(call.signallingError == nil)
        return call
    }

    /// What the callee says by RTCP, by the names of its feedback.
    final class Spoken {
        var estimates: [(at: Instant, rate: DataRate)] = []
        var transport = 0
    }

    static func listen(_ call: VirtualCall, to peer: Peer) -> Spoken {
        let spoken = Spoken()
        let own = peer === call.callerPeer ? VirtualCall.callerAddress : VirtualCall.calleeAddress
        peer.plaintextTap = { [weak call] packet, from, _ in
            guard let call, from == own, packet.count > 1, (192...223).contains(packet[1]),
                let packets = try? RTCPCompound.parse(packet.bytes)
            else { return }
            for packet in packets {
                switch packet {
                case .receiverEstimate(let estimate): spoken.estimates.append((call.now, estimate.rate))
                case .transportFeedback: spoken.transport += 1
                default: break
                }
            }
        }
        return spoken
    }

    @Test("REMB is sent once a second where it is agreed and transport-wide feedback is not, and the sender obeys it")
    func onlyREMB() throws {
        // Pictures of a real encoder, which does as it is told.
        let call = try Self.call(
            "delay=20,rate=1000,queue=200", lacking: ["transport-cc", "transport-wide-cc"],
            video: .testCard(width: 640, height: 360, framesPerSecond: 30))
        let (caller, callee) = (Self.listen(call, to: call.callerPeer), Self.listen(call, to: call.calleePeer))
        call.run(until: .zero + .seconds(20))
        for spoken in [caller, callee] {
            #expect(spoken.transport == 0)
            #expect(spoken.estimates.count >= 15)
        }
        // 1000 kbit/s are there and 2500 were begun with: the estimate finds what fits, and the sender keeps to it.
        for estimate in callee.estimates where estimate.at > .zero + .seconds(5) {
            #expect((500...1200).contains(estimate.rate.kilobitsPerSecond), "\(estimate)")
        }
        #expect(callee.estimates.suffix(2).contains { $0.rate == call.callerPeer.estimator.target })
        let shown = call.seenByCallee.pictures.filter { $0.rendered > .zero + .seconds(5) }
        #expect(shown.count >= 15 * 27, "\(shown.count)")
    }

    @Test("Where transport-wide feedback is agreed, REMB is not sent")
    func transportFeedbackIsEnough() throws {
        let call = try Self.call("delay=20", lacking: ["none"])
        let spoken = Self.listen(call, to: call.calleePeer)
        call.run(until: .zero + .seconds(5))
        #expect(spoken.transport > 20 && spoken.estimates.isEmpty)
    }

    @Test("C54: without goog-remb no estimate is sent, and one that comes moves nothing")
    func notAgreed() throws {
        let call = try Self.call("delay=20", lacking: ["transport-cc", "transport-wide-cc", "goog-remb"])
        let spoken = Self.listen(call, to: call.calleePeer)
        call.run(until: .zero + .seconds(5))
        #expect(spoken.transport == 0 && spoken.estimates.isEmpty)
        let before = call.callerPeer.estimator.target
        let ssrc = try #require(call.callerPeer.senders.last).stream.ssrc
        call.sendAuthentic(
            rtcp: rtcp(
                .receiverReport(RTCPReceiverReport(ssrc: 1, reports: [])),
                .receiverEstimate(
                    RTCPReceiverEstimate(senderSSRC: 1, rate: .kilobitsPerSecond(150), sources: [ssrc]))))
        #expect(call.callerPeer.estimator.target == before)
    }

    @Test("An estimate beside transport-wide feedback is a ceiling; absurd ones and those for others change nothing")
    func ceiling() throws {
        let call = try VirtualCall.running()
        let ssrc = try #require(call.callerPeer.senders.last).stream.ssrc
        func tell(_ rate: DataRate, about source: UInt32) {
            call.sendAuthentic(
                rtcp: rtcp(
                    .receiverReport(RTCPReceiverReport(ssrc: 1, reports: [])),
                    .receiverEstimate(RTCPReceiverEstimate(senderSSRC: 1, rate: rate, sources: [source]))))
        }
        let free = call.callerPeer.estimator.target
        tell(.kilobitsPerSecond(10), about: ssrc &+ 12345)
        #expect(call.callerPeer.estimator.target == free, "about a source that is not ours")
        tell(.kilobitsPerSecond(400), about: ssrc)
        #expect(call.callerPeer.estimator.target == .kilobitsPerSecond(400))
        call.run(until: call.now + .seconds(3))
        #expect(call.callerPeer.estimator.target <= .kilobitsPerSecond(400))
        tell(.zero, about: ssrc)
        #expect(call.callerPeer.estimator.target == call.configuration.bandwidth.minimum)
        tell(DataRate(bitsPerSecond: .max), about: ssrc)
        call.run(until: call.now + .seconds(3))
        #expect(call.callerPeer.estimator.target <= call.configuration.bandwidth.maximum)
        #expect(call.callerPeer.estimator.target > call.configuration.bandwidth.minimum)
    }
}

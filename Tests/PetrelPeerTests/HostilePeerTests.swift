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

/// What the other side can do with the right keys and bad intentions.
@Suite struct HostilePeerTests {
    private func video(_ call: VirtualCall) throws -> (type: UInt8, rtx: UInt8, ssrc: UInt32, rtxSSRC: UInt32) {
        let sender = try #require(call.calleePeer.senders.first { $0.stream.kind == .video })
        return (
            sender.stream.parameters.payloadType, try #require(sender.stream.parameters.rtxPayloadType),
            sender.stream.ssrc, try #require(sender.stream.rtxSSRC)
        )
    }

    @Test("C36, C37: malformed headers, padding and extensions are dropped alone")
    func malformedRTP() throws {
        let call = try VirtualCall.running()
        let (type, _, _, _) = try video(call)
        var random = SeededGenerator(seed: 6)
        for first in 128...191 {
            for length in [12, 13, 16, 20, 28, 60, 200] {
                var bytes = (0..<length).map { _ in UInt8(truncatingIfNeeded: random.next()) }
                bytes[0] = UInt8(first)
                bytes[1] = type
                // A source of its own, so that nothing it does can be blamed on the true stream.
                (bytes[8], bytes[9], bytes[10], bytes[11]) = (0, 0, 0, 99)
                call.sendAuthentic(rtp: bytes)
            }
        }
        for entry in try Vectors.objects("hostile-generated/hostile.jsonl") where entry["kind"] as? String == "rtp" {
            var bytes = hex(entry["hex"] as? String ?? "")
            if bytes.count > 1 { bytes[1] = type }
            call.sendAuthentic(rtp: bytes)
        }
        call.expectGoodCall()
    }

    @Test("C38: retransmissions without original, of nothing, or of themselves go nowhere")
    func badRTX() throws {
        let call = try VirtualCall.running()
        let (type, rtx, ssrc, rtxSSRC) = try video(call)
        let highest = try #require(call.callerPeer.receivers.first { $0.stream.ssrc == ssrc }).stream.reception
            .highestSequence
        for (index, payload): (Int, [UInt8]) in [[], [1], [0, 1], [0, 1, rtx], [UInt8](repeating: 7, count: 40)]
            .enumerated()
        {
            call.sendAuthentic(rtp: rtp(type: rtx, sequence: UInt16(60_000 + index), ssrc: rtxSSRC, payload: payload))
        }
        // RTX under the media source, media under the RTX source, RTX of a source nobody knows.
        #expect(call.sendAuthentic(rtp: rtp(type: type, sequence: 61_000, ssrc: rtxSSRC)) != .accept)
        call.sendAuthentic(rtp: rtp(type: rtx, sequence: 61_001, ssrc: 0x1234))
        #expect(
            call.callerPeer.receivers.first { $0.stream.ssrc == ssrc }?.stream.reception.highestSequence == highest)
        call.expectGoodCall()
        // A number far ahead under the true source disturbs the liar's own stream, so it comes last.
        #expect(call.sendAuthentic(rtp: rtp(type: rtx, sequence: 61_000, ssrc: ssrc)) != .accept)
    }

    @Test("C44: jumps of sequence and time, and a frame of 10,000 packets, stay within bounds")
    func jumps() throws {
        let call = try VirtualCall.running()
        let (type, _, _, _) = try video(call)
        let ssrc: UInt32 = 0x5050
        var sequence: UInt16 = 100
        for jump in [30_000, -30_000, 1, 16_000, -16_000, 5, 32_767] {
            sequence = UInt16(truncatingIfNeeded: Int(sequence) + jump)
            for step in 0..<20 {
                call.sendAuthentic(
                    rtp: rtp(
                        type: type, sequence: sequence &+ UInt16(step),
                        timestamp: UInt32(truncatingIfNeeded: jump << 16),
                        ssrc: ssrc, payload: [0x10, 0x10, 0, 0, 0x9D, 0x01, 0x2A, 16, 0, 16, 0]))
            }
        }
        // One frame without end.
        for index in 0..<10_000 {
            call.sendAuthentic(
                rtp: rtp(
                    type: type, sequence: 40_000 &+ UInt16(truncatingIfNeeded: index), timestamp: 1 << 31,
                    ssrc: ssrc + 1,
                    payload: [index == 0 ? 0x10 : 0x00] + [UInt8](repeating: 0x10, count: 30)))
        }
        #expect(call.callerPeer.receivers.count <= 8)
        call.expectGoodCall()
    }

    @Test("C45: packets that come twice count once")
    func duplicates() throws {
        let call = try VirtualCall.running("delay=20,dup=100")
        let before = call.seenByCaller.pictures.count
        call.run(until: call.now + .seconds(2))
        #expect((58...62).contains(call.seenByCaller.pictures.count - before))
        #expect(call.callerPeer.drops[.srtpReplay] > 100)
    }

    @Test("C46: unknown payload types and 100,000 sources leave the table small and the call alone")
    func manySources() throws {
        let call = try VirtualCall.running()
        let (type, _, ssrc, _) = try video(call)
        for other in UInt8(0)..<128 where call.callerPeer.payloads[other] == nil && !(64...95).contains(other) {
            #expect(
                call.sendAuthentic(rtp: rtp(type: other, sequence: 1, ssrc: 77)) == .drop(.rtpUnknownPayloadType))
        }
        // Each new source costs the sender a session state as well, so what counts is sent under a few and forged for
        // the rest: refused before anything is kept.
        for source in UInt32(1)...2000 {
            call.sendAuthentic(rtp: rtp(type: type, sequence: 1, ssrc: source, payload: [0x10, 0x10, 0, 0]))
        }
        for source in UInt32(2001)...100_000 {
            call.inject(rtp(type: type, sequence: 1, ssrc: source), from: VirtualCall.calleeAddress, toCaller: true)
        }
        #expect(call.callerPeer.receivers.count <= 8)
        #expect(call.callerPeer.drops[.rtpSourceLimit] > 1000)
        #expect(call.callerPeer.sources[ssrc] != nil)
        call.expectGoodCall()
    }

    @Test("C52: BYE for anybody ends only streams of this transport, and media after it opens them again")
    func byeBye() throws {
        let call = try VirtualCall.running()
        let (_, _, ssrc, _) = try video(call)
        let own = call.callerPeer.senders.map(\.stream.ssrc)
        call.sendAuthentic(rtcp: rtcp(.bye(RTCPBye(sources: own + [1, 2, 3]))))
        call.expectGoodCall()
        let receivers = call.callerPeer.receivers.count
        for _ in 0..<200 {
            call.sendAuthentic(rtcp: rtcp(.bye(RTCPBye(sources: [ssrc]))))
            call.run(until: call.now + .milliseconds(40))
        }
        #expect(call.callerPeer.receivers.count == receivers, "what a good-bye frees is used again")
        call.run(until: call.now + .milliseconds(200))
        #expect(call.callerLog.tracksRemoved.count >= 100)
        #expect(call.callerPeer.sources[ssrc] != nil, "media opened the stream again")
        #expect(call.callerPeer.state == .connected)
    }

    @Test("C48, C49, C50, C53: hostile RTCP under the right keys changes nothing")
    func hostileRTCP() throws {
        let call = try VirtualCall.running()
        let estimate = call.callerPeer.estimator.target
        let roundTrip = call.callerPeer.roundTrip
        var played = 0
        for entry in try Vectors.objects("hostile-generated/hostile.jsonl")
        where entry["kind"] as? String == "rtcp" && entry["check"] as? String != "C51" {
            call.sendAuthentic(rtcp: hex(entry["hex"] as? String ?? ""))
            played += 1
        }
        var random = SeededGenerator(seed: 8)
        for type in 192...223 {
            for count in [0, 1, 15, 31] {
                for words in [0, 1, 2, 5, 65_535] {
                    var bytes = (0..<64).map { _ in UInt8(truncatingIfNeeded: random.next()) }
                    bytes[0] = UInt8(0x80 | count)
                    bytes[1] = UInt8(type)
                    bytes[2] = UInt8(words >> 8)
                    bytes[3] = UInt8(words & 0xFF)
                    call.sendAuthentic(rtcp: bytes)
                }
            }
        }
        // C49: feedback for what was never sent; C53: reports that cannot be.
        let media = try #require(call.callerPeer.senders.first?.stream.ssrc)
        for base: UInt16 in [0, 1000, 32_768, 65_535] {
            call.sendAuthentic(
                rtcp: rtcp(
                    .transportFeedback(
                        TransportFeedback(
                            senderSSRC: 1, mediaSSRC: media,
                            baseSequenceNumber: UInt16(truncatingIfNeeded: call.callerPeer.sentPackets.nextSequence)
                                &+ 5000 &+ base / 16,
                            referenceTime: 0x7F_FFFF, feedbackPacketCount: 1,
                            statuses: Array(repeating: .notReceived, count: 50)))))
        }
        for (last, delay): (UInt32, UInt32) in [(0, 0), (.max, .max), (1, .max), (.max, 0), (0x8000_0000, 1)] {
            call.sendAuthentic(
                rtcp: rtcp(
                    .receiverReport(
                        RTCPReceiverReport(
                            ssrc: 1,
                            reports: [
                                RTCPReportBlock(
                                    ssrc: media, fractionLost: 255, cumulativeLost: -0x80_0000,
                                    extendedHighestSequenceNumber: 0, jitter: .max, lastSenderReport: last,
                                    delaySinceLastSenderReport: delay)
                            ]))))
        }
        #expect(played > 10 || Vectors.folder("hostile-generated") == nil)
        if let roundTrip, let now = call.callerPeer.roundTrip {
            #expect(now.milliseconds < roundTrip.milliseconds + 2000, "\(roundTrip) -> \(now)")
        }
        #expect(call.callerPeer.estimator.target.kilobitsPerSecond >= estimate.kilobitsPerSecond * 0.9)
        call.expectGoodCall()
    }
}

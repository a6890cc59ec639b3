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

/// Rules that hold for everything a peer sends.
@Suite struct WireRuleTests {
    @Test("C35: no two packets under one key, source and index, unless they are the same packet")
    func noIndexTwice() throws {
        let call = try VirtualCall.fresh("delay=20,loss=10", usesRepairCode: false)
        var seen: [UInt64: [UInt8]] = [:]
        var repeats = 0
        var packets = 0
        call.observe = { source, _, bytes, verdict in
            // RTP only: payload types 64...95 are RTCP on this transport (RFC 5761 section 4).
            guard verdict == nil, source == VirtualCall.callerAddress, bytes.count > 12, (128...191).contains(bytes[0]),
                !(192...223).contains(bytes[1])
            else { return }
            packets += 1
            let key = (8..<12).reduce(UInt64(bytes[2]) << 8 | UInt64(bytes[3])) { $0 << 8 | UInt64(bytes[$1]) }
            if let other = seen[key], other != Array(bytes) { repeats += 1 }
            seen[key] = Array(bytes)
        }
        call.run(until: .zero + .seconds(20))
        #expect(packets > 2000)
        #expect(call.callerPeer.senders.contains { $0.stream.statistics.retransmittedPackets > 50 })
        #expect(repeats == 0)
    }

    @Test("C35: without RTX a packet that is sent again is the same bit for bit")
    func repeatWithoutRTX() throws {
        var configuration = try VirtualCallConfiguration(link: "delay=20,loss=10")
        configuration.video = .synthetic(framesPerSecond: 30, bytesPerFrame: 3000, bytesPerKeyFrame: 10_000)
        configuration.rewriteAnswer = withoutRTX
        configuration.usesRepairCode = false
        let call = try VirtualCall(configuration)
        var seen: [UInt64: [UInt8]] = [:]
        var different = 0
        var same = 0
        call.observe = { source, _, bytes, verdict in
            guard verdict == nil, source == VirtualCall.callerAddress, bytes.count > 12, (128...191).contains(bytes[0]),
                !(192...223).contains(bytes[1])
            else { return }
            let key = (8..<12).reduce(UInt64(bytes[2]) << 8 | UInt64(bytes[3])) { $0 << 8 | UInt64(bytes[$1]) }
            if let other = seen[key] { if other == Array(bytes) { same += 1 } else { different += 1 } }
            seen[key] = Array(bytes)
        }
        call.run(until: .zero + .seconds(8))
        #expect(call.signallingError == nil)
        #expect(call.callerPeer.senders.allSatisfy { $0.stream.parameters.rtxPayloadType == nil })
        #expect(same > 20)
        #expect(different == 0)
        #expect(call.seenByCallee.pictures.count > 180)
    }

    @Test("C54: what the answer leaves out is not used on the wire")
    func onlyWhatWasAgreed() throws {
        var configuration = try VirtualCallConfiguration(link: "delay=20,loss=5")
        configuration.video = .synthetic(framesPerSecond: 30, bytesPerFrame: 3000, bytesPerKeyFrame: 10_000)
        configuration.rewriteAnswer = { answer in
            withoutRTX(answer).split(separator: "\r\n", omittingEmptySubsequences: false).filter {
                !($0.hasPrefix("a=rtcp-fb:") || $0.hasPrefix("a=extmap:") || $0 == "a=rtcp-rsize")
            }.joined(separator: "\r\n")
        }
        let call = try VirtualCall(configuration)
        call.run(until: .zero + .seconds(10))
        #expect(call.signallingError == nil)
        let caller = call.callerPeer
        #expect(!caller.usesTransportFeedback && !caller.usesReducedSizeRTCP)
        for sender in caller.senders {
            #expect(sender.stream.parameters.extensions == .none)
            #expect(sender.stream.parameters.rtxPayloadType == nil)
            // Copies of redundant sound are nobody's answer to a request.
            let isCopied = sender.stream.parameters.redPayloadType != nil
            #expect(isCopied || sender.stream.statistics.retransmittedPackets == 0)
        }
        for receiver in caller.receivers {
            #expect(receiver.stream.statistics.nacksSent == 0)
            #expect(receiver.stream.statistics.plisSent == 0)
        }
        // Without requests the first loss stops the picture for good; sound goes on.
        #expect(call.seenByCaller.sounds.count > 900)
        #expect(caller.state == .connected)
    }

    @Test("C34: any loss shorter than half the sequence space decrypts again at once, also around the wrap")
    func lossAroundTheWrap() throws {
        for gap in [1, 2, 100, 5000, 20_000, 32_000, 40_000] {
            let call = try VirtualCall.running()
            let type = try #require(call.calleePeer.senders.first { $0.stream.kind == .video }).stream.parameters
                .payloadType
            func send(_ sequence: Int, lose: Bool = false) -> Verdict? {
                let bytes = rtp(
                    type: type, sequence: UInt16(truncatingIfNeeded: sequence), ssrc: 0x7777,
                    payload: [0x10, 0x11, 0, 0])
                guard let protected = call.protect(bytes, isRTCP: false) else { return nil }
                return lose ? .accept : call.inject(protected, from: VirtualCall.calleeAddress, toCaller: true)
            }
            // The first packet is 65,530: the wrap comes at once, or in the middle of what is lost.
            #expect(send(65_530) == .accept)
            #expect(send(65_531) == .accept)
            for lost in 0..<gap { _ = send(65_532 + lost, lose: true) }
            let after = send(65_532 + gap)
            let next = send(65_533 + gap)
            if gap < 32_768 {
                // A long gap is believed with the second packet (RFC 3550 appendix A.1); both were opened.
                #expect(after == .accept || after == .drop(.rtpSequenceJump), "\(gap)")
                #expect(next == .accept, "\(gap)")
            } else {
                #expect(after == .drop(.srtpAuthentication) || after == .drop(.srtpReplay), "\(gap)")
            }
        }
    }
}

/// The answer of a stack that knows no RTX.
@Sendable private func withoutRTX(_ answer: String) -> String {
    let lines = answer.split(separator: "\r\n", omittingEmptySubsequences: false).map(String.init)
    let types = lines.compactMap { line -> String? in
        guard line.hasPrefix("a=rtpmap:"), line.lowercased().contains(" rtx/") else { return nil }
        return line.dropFirst("a=rtpmap:".count).split(separator: " ").first.map(String.init)
    }
    return lines.compactMap { line -> String? in
        if line.hasPrefix("m=video") {
            return line.split(separator: " ").filter { !types.contains(String($0)) }.joined(separator: " ")
        }
        if line.hasPrefix("a=ssrc-group:FID") { return nil }
        for type in types
        where line.hasPrefix("a=rtpmap:\(type) ") || line.hasPrefix("a=fmtp:\(type) ")
            || line.hasPrefix("a=rtcp-fb:\(type) ")
        {
            return nil
        }
        return line
    }.joined(separator: "\r\n")
}

import PetrelCore
import PetrelLab
import PetrelMedia
import PetrelSDP
import PetrelScenario
import PetrelWire
import Testing

@testable import PetrelPeer

/// C54: what was not agreed on is not on the wire: every packet of ten seconds is looked at in the clear.
@Suite struct AgreedOnlyTests {
    /// What one side put on the wire.
    final class Traffic {
        var payloadTypes: [UInt8: Int] = [:]
        var extended = 0
        var retransmissions = 0
        /// RTCP packet types; feedback as type and format.
        var control: [String: Int] = [:]
        var startsWithoutReport = 0
        /// Items of source descriptions by their types (RFC 3550 section 6.5): 1 is CNAME.
        var descriptions: [UInt8: Int] = [:]
        private var seen = Set<[UInt16]>()

        func take(_ packet: UnsafeRawBufferPointer) {
            guard packet.count > 11 else { return }
            if (192...223).contains(packet[1]) { return takeControl(packet) }
            payloadTypes[packet[1] & 0x7F, default: 0] += 1
            if packet[0] & 0x10 != 0 { extended += 1 }
            let key = [8, 10, 2].map { UInt16(packet[$0]) << 8 | UInt16(packet[$0 + 1]) }
            if !seen.insert(key).inserted { retransmissions += 1 }
        }

        private func takeControl(_ packet: UnsafeRawBufferPointer) {
            if packet[1] != 200, packet[1] != 201 { startsWithoutReport += 1 }
            var offset = 0
            while offset + 4 <= packet.count {
                let type = packet[offset + 1]
                let name = type >= 205 ? "\(type)/\(packet[offset] & 0x1F)" : "\(type)"
                control[name, default: 0] += 1
                let next = offset + 4 * (Int(packet[offset + 2]) << 8 + Int(packet[offset + 3]) + 1)
                if type == 202 { takeDescriptions(packet, chunks: Int(packet[offset] & 0x1F), offset + 4, next) }
                offset = next
            }
        }

        private func takeDescriptions(_ packet: UnsafeRawBufferPointer, chunks: Int, _ start: Int, _ end: Int) {
            var offset = start
            for _ in 0..<chunks {
                offset += 4
                while offset + 1 < end, packet[offset] != 0 {
                    descriptions[packet[offset], default: 0] += 1
                    offset += 2 + Int(packet[offset + 1])
                }
                // The end of a chunk: zeros up to a word, one at the least.
                offset = (offset / 4 + 1) * 4
            }
        }
    }

    func traffic(
        usesRepairCode: Bool = false, offer rewrite: @escaping @Sendable (String) -> String,
        answer rewriteAnswer: @escaping @Sendable (String) -> String = { $0 }
    ) throws -> (VirtualCall, caller: Traffic, callee: Traffic) {
        var configuration = try VirtualCallConfiguration(link: "delay=20,loss=5")
        configuration.video = .synthetic(framesPerSecond: 30, bytesPerFrame: 3000, bytesPerKeyFrame: 10_000)
        configuration.rewriteOffer = rewrite
        configuration.rewriteAnswer = rewriteAnswer
        configuration.usesRepairCode = usesRepairCode
        let call = try VirtualCall(configuration)
        let sides = (Traffic(), Traffic())
        call.callerPeer.plaintextTap = { bytes, from, _ in
            if from == VirtualCall.callerAddress { sides.0.take(bytes) } else { sides.1.take(bytes) }
        }
        call.run(until: .zero + .seconds(10))
        #expect(call.signallingError == nil)
        return (call, sides.0, sides.1)
    }

    @Test("C54: a bare offer is answered with bare packets: no extension, no feedback, no retransmission, whole RTCP")
    func bare() throws {
        let (call, caller, callee) = try traffic(offer: Self.bare)
        for (name, side) in [("caller", caller), ("callee", callee)] {
            #expect(Set(side.payloadTypes.keys) == [96, 111], "\(name)")
            #expect((side.payloadTypes[111] ?? 0) > 400, "\(name)")
            #expect(side.extended == 0 && side.retransmissions == 0 && side.startsWithoutReport == 0, "\(name)")
            #expect(Set(side.control.keys) == ["200", "202"], "\(name): \(side.control)")
            #expect(Set(side.descriptions.keys) == [1], "\(name): \(side.descriptions)")
        }
        #expect(call.callerPeer.state == .connected)
    }

    /// Without everything that has to be agreed on.
    static func bare(_ description: String) -> String {
        let optional = [
            "a=rtcp-fb:", "a=extmap", "a=rtcp-rsize", "a=ssrc-group:FID", "a=rtpmap:97", "a=fmtp:97", "a=rtpmap:63",
            "a=fmtp:63",
        ]
        return description.split(separator: "\r\n").filter { line in !optional.contains { line.hasPrefix($0) } }
            .map { $0.hasPrefix("m=") ? Substring($0.replacing(" 97", with: "").replacing(" 63", with: "")) : $0 }
            .joined(separator: "\r\n") + "\r\n"
    }

    @Test("C54: a bare answer to a full offer makes bare packets of the side that offered")
    func bareAnswer() throws {
        let (call, caller, callee) = try traffic(offer: { $0 }, answer: Self.bare)
        #expect(Set(caller.payloadTypes.keys) == [96, 111])
        #expect((caller.payloadTypes[111] ?? 0) > 400)
        #expect(caller.extended == 0 && caller.retransmissions == 0 && caller.startsWithoutReport == 0)
        #expect(Set(caller.control.keys) == ["200", "202"], "\(caller.control)")
        #expect(Set(caller.descriptions.keys) == [1], "\(caller.descriptions)")
        // The other side knows of all that it agreed to, and writes CNAME alone even so.
        #expect(callee.extended > 500)
        #expect(Set(callee.descriptions.keys) == [1], "\(callee.descriptions)")
        #expect(call.callerPeer.state == .connected && call.seenByCallee.pictures.count > 50)
    }

    @Test("C54, the control: with everything agreed on, everything is seen")
    func full() throws {
        let (_, caller, _) = try traffic(offer: { $0 })
        #expect(Set(caller.payloadTypes.keys) == [63, 96, 97, 111] && caller.extended > 500)
        #expect(caller.startsWithoutReport > 10)
        #expect(caller.control["205/1"] != nil && caller.control["205/15"] != nil, "\(caller.control)")
    }

    @Test("C54: the repair code takes the place of requests and retransmissions, and needs the word of both sides")
    func repairCode() throws {
        let (_, caller, callee) = try traffic(usesRepairCode: true, offer: { $0 })
        for side in [caller, callee] {
            #expect(Set(side.payloadTypes.keys) == [63, 96, 111, 120], "\(side.payloadTypes)")
            #expect(side.control["204"] != nil && side.control["205/1"] == nil, "\(side.control)")
        }
        let (_, plain, _) = try traffic(
            usesRepairCode: true, offer: { $0.replacing("a=rtcp-fb:120 x-swfb\r\n", with: "") })
        #expect(Set(plain.payloadTypes.keys) == [63, 96, 97, 111] && plain.control["204"] == nil, "\(plain.control)")
    }

    @Test("C54: an identification of the media section is written and believed only where it is agreed on")
    func midOnlyWhereAgreed() throws {
        let (call, caller, _) = try traffic(offer: { offer in
            offer.split(separator: "\r\n").filter { !$0.contains("sdes:mid") }.joined(separator: "\r\n") + "\r\n"
        })
        #expect(caller.extended > 500, "the other extensions are there")
        #expect(call.callerPeer.senders.allSatisfy { $0.stream.parameters.extensions.mid == 0 })
        #expect(call.callerPeer.remoteExtensions.mid == 0)
        #expect(call.seenByCallee.pictures.count > 200 && call.seenByCaller.pictures.count > 200)
    }

    @Test("RFC 9143 9.2: a source is bound by its MID, and one whose payload type is of another kind is nobody's")
    func midAgainstPayloadType() throws {
        let call = try VirtualCall.running()
        let peer = call.callerPeer
        let id = peer.remoteExtensions.mid
        #expect(id != 0)
        let session = try #require(peer.negotiator.session)
        let audio = try #require(session.accepted.first { $0.kind == .audio })
        let video = try #require(session.accepted.first { $0.kind == .video })
        let sound = try #require(audio.mid?.utf8.first)
        let picture = try #require(video.mid?.utf8.first)
        func packet(type: UInt8, ssrc: UInt32, mid: UInt8) -> [UInt8] {
            var bytes = rtp(type: type, sequence: 1, ssrc: ssrc, payload: [])
            bytes[0] |= 0x10
            return bytes + [0xBE, 0xDE, 0, 1, id << 4, mid, 0, 0] + [UInt8](repeating: 0, count: 20)
        }
        let before = peer.receivers.count
        #expect(call.sendAuthentic(rtp: packet(type: 96, ssrc: 7001, mid: sound)) == .drop(.rtpUnknownPayloadType))
        #expect(call.sendAuthentic(rtp: packet(type: 111, ssrc: 7002, mid: picture)) == .drop(.rtpUnknownPayloadType))
        #expect(call.sendAuthentic(rtp: packet(type: 111, ssrc: 7003, mid: 0x39)) == .drop(.rtpUnknownSource))
        #expect(peer.receivers.count == before && peer.sources[7001] == nil && peer.sources[7002] == nil)
        call.sendAuthentic(rtp: packet(type: 111, ssrc: 7004, mid: sound))
        call.sendAuthentic(rtp: packet(type: 96, ssrc: 7005, mid: picture))
        #expect(peer.receivers.suffix(2).map(\.section) == [audio.index, video.index])
        call.expectGoodCall()
    }
}

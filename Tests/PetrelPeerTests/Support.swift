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

let stranger = TransportAddress(ipv4: 0xC0A8_0001, port: 9999)

extension VirtualCall {
    /// A call of made-up pictures, connected for half a second.
    static func running(_ link: String = "delay=20", seed: UInt64 = 1) throws -> VirtualCall {
        let call = try fresh(link, seed: seed)
        call.run(until: .zero + .milliseconds(700))
        #expect(call.callerPeer.state == .connected && call.calleePeer.state == .connected)
        return call
    }

    static func fresh(
        _ link: String = "delay=20", seed: UInt64 = 1, usesRepairCode: Bool = true
    ) throws -> VirtualCall {
        var configuration = try VirtualCallConfiguration(link: link)
        configuration.usesRepairCode = usesRepairCode
        configuration.seed = seed
        configuration.video = .synthetic(framesPerSecond: 30, bytesPerFrame: 3000, bytesPerKeyFrame: 10_000)
        return try VirtualCall(configuration)
    }

    /// Goes on for `seconds` and expects that the call is as good as ever.
    func expectGoodCall(for seconds: Double = 1, sourceLocation: SourceLocation = #_sourceLocation) {
        let before = (seenByCaller.pictures.count, seenByCallee.pictures.count)
        let lost = lostPackets
        run(until: now + .seconds(seconds))
        #expect(callerPeer.state == .connected && calleePeer.state == .connected, sourceLocation: sourceLocation)
        let least = Int(seconds * 29) - 3
        #expect(seenByCaller.pictures.count - before.0 >= least, sourceLocation: sourceLocation)
        #expect(seenByCallee.pictures.count - before.1 >= least, sourceLocation: sourceLocation)
        #expect(lostPackets == lost, "no loss is seen where none is", sourceLocation: sourceLocation)
    }

    var lostPackets: Int64 {
        callerPeer.receivers.reduce(0) { $0 + $1.stream.reception.packetsLost }
    }

    /// An RTP packet from the callee under the call's own keys: what only the true other side can send.
    @discardableResult
    func sendAuthentic(rtp bytes: [UInt8]) -> Verdict? {
        guard let protected = protect(bytes, isRTCP: false) else { return nil }
        return inject(protected, from: VirtualCall.calleeAddress, toCaller: true)
    }

    /// An RTCP packet from the callee under the call's own keys.
    @discardableResult
    func sendAuthentic(rtcp bytes: [UInt8]) -> Verdict? {
        guard let protected = protect(bytes, isRTCP: true) else { return nil }
        return inject(protected, from: VirtualCall.calleeAddress, toCaller: true)
    }

    func protect(_ bytes: [UInt8], isRTCP: Bool) -> [UInt8]? {
        guard let srtp = calleePeer.srtp else { return nil }
        let memory = SlotMemory(count: 1, slotSize: bytes.count + 64)
        let slot = memory.slot(0)
        slot.copyBytes(from: bytes)
        let length =
            isRTCP
            ? try? srtp.protectRTCP(slot, length: bytes.count) : try? srtp.protectRTP(slot, length: bytes.count)
        return length.map { Array(slot[..<$0]) }
    }
}

/// An RTP packet, 12 octets of header and the payload.
func rtp(
    type: UInt8, sequence: UInt16, timestamp: UInt32 = 0, ssrc: UInt32, marker: Bool = false,
    payload: [UInt8] = [UInt8](repeating: 0, count: 20)
) -> [UInt8] {
    var bytes: [UInt8] = [0x80, type | (marker ? 0x80 : 0)]
    for shift in [8, 0] { bytes.append(UInt8(truncatingIfNeeded: sequence >> UInt16(shift))) }
    for value in [timestamp, ssrc] {
        for shift in [24, 16, 8, 0] { bytes.append(UInt8(truncatingIfNeeded: value >> UInt32(shift))) }
    }
    return bytes + payload
}

func rtcp(_ packets: RTCPPacket...) -> [UInt8] {
    var writer = RTCPWriter()
    for packet in packets { _ = writer.append(packet) }
    return writer.bytes
}

func hex(_ text: String) -> [UInt8] {
    let digits = Array(text.utf8)
    return stride(from: 0, to: digits.count - 1, by: 2).compactMap {
        UInt8(String(decoding: digits[$0...($0 + 1)], as: UTF8.self), radix: 16)
    }
}

import PetrelCongestion
import PetrelCore
import PetrelMedia
import PetrelWire

/// A sender and a receiver of one video stream, with whatever a test puts between them.
struct VideoPipe {
    let sender: SendStream
    let receiver: ReceiveStream
    let map = RTPExtensionMap(mid: 1, absSendTime: 2, transportSequenceNumber: 3, absCaptureTime: 4)

    init(repair: Bool = false, start: SendStream.Start? = nil) {
        var random = RandomSource(seed: 1)
        sender = SendStream(
            kind: .video, ssrc: 11, rtxSSRC: 12, repairSSRC: repair ? 13 : nil, random: &random, start: start)
        sender.configure(
            SendParameters(
                payloadType: 96, rtxPayloadType: 97, repairPayloadType: repair ? 120 : nil, extensions: map, mid: "1"))
        receiver = ReceiveStream(kind: .video, ssrc: 11)
        receiver.asksForMissing = true
        receiver.asksForKeyFrames = true
    }

    /// The packets of one frame as they would lie on the wire.
    func packets(_ frame: [UInt8], at now: Instant) -> [[UInt8]] {
        let range = frame.withUnsafeBytes {
            sender.packetize(vp8: $0, captured: now, captureTime: NTPTime(bits: 1 << 40))
        }
        if let range, sender.usesRepairCode {
            _ = sender.planRepair(range, isKeyFrame: frame[0] & 1 == 0, by: RepairController(), now: now)
        }
        return (range.map { Array($0) } ?? []).compactMap { release($0, now: now) }
    }

    func release(_ sequence: Int64, now: Instant, again: Bool = false) -> [UInt8]? {
        var slot = [UInt8](repeating: 0, count: 1600)
        let length = slot.withUnsafeMutableBytes {
            again
                ? sender.releaseAgain(sequence, into: $0, now: now) { _ in 5 }
                : sender.release(sequence, into: $0, now: now) { _ in 5 }
        }
        return length.map { Array(slot[..<$0]) }
    }

    /// What the repair code sees of a media packet.
    func coded(_ packet: [UInt8]) throws -> CodedPacket {
        let header = try RTPHeader(parsing: packet.span.bytes)
        return CodedPacket(
            sequence: header.sequenceNumber, marker: header.marker, payloadType: header.payloadType,
            timestamp: header.timestamp, payload: Array(packet[header.payloadRange]))
    }

    /// A repair packet for all up to `end`: its number and payload.
    func repair(_ end: Int64) -> (number: UInt16, payload: [UInt8])? {
        var slot = [UInt8](repeating: 0, count: 1600)
        let length = slot.withUnsafeMutableBytes {
            sender.releaseRepair(through: end, into: $0, now: .zero) { _ in 5 }
        }
        guard let length, let header = try? RTPHeader(parsing: Array(slot[..<length]).span.bytes) else { return nil }
        return (header.sequenceNumber, Array(slot[header.payloadRange]))
    }

    /// Gives the receiver a packet; a retransmission is unwrapped first. Answers the frames it makes whole.
    @discardableResult
    func receive(_ packet: [UInt8], now: Instant) throws -> [EncodedVideoFrame] {
        var packet = packet
        let header = try RTPHeader(parsing: packet.span.bytes)
        let isRepair = header.payloadType == 97
        if isRepair {
            var inner = [UInt8](repeating: 0, count: 1600)
            let length = try inner.withUnsafeMutableBytes {
                try RTX.unwrap(packet.span.bytes, header: header, into: $0, payloadType: 96, ssrc: 11)
            }
            packet = Array(inner[..<(length ?? 0)])
        }
        let real = try RTPHeader(parsing: packet.span.bytes)
        let extensions = RTPExtensions(reading: packet.span.bytes, header: real, map: map)
        try packet.withUnsafeBytes {
            try receiver.receiveVideo($0, header: real, extensions: extensions, isRepair: isRepair, now: now)
        }
        var frames: [EncodedVideoFrame] = []
        while let frame = receiver.nextFrame(now: now) { frames.append(frame) }
        return frames
    }

    func missing(now: Instant, roundTrip: TimeDelta = .milliseconds(40)) -> [UInt16] {
        var missing: [UInt16] = []
        receiver.collectMissing(now: now, roundTrip: roundTrip, into: &missing)
        return missing
    }
}

/// A frame whose bytes tell which it is; the lowest bit of the first says whether it is a key frame.
func frame(_ number: Int, bytes: Int, isKeyFrame: Bool) -> [UInt8] {
    var content = (0..<bytes).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ number &* 13) }
    content[0] = isKeyFrame ? 0x10 : 0x11
    return content
}

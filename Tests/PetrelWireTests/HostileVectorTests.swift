import PetrelCore
import PetrelWire
import Testing

/// The corpus hostile-generated: each entry has an id, a kind, bytes, and what is expected of a reader.
@Suite("Hostile vectors")
struct HostileVectorTests {
    /// The kinds that this room's readers answer for. The others belong to other rooms and are listed when run.
    static let kinds: Set<String> = ["rtp", "rtcp", "rtx", "vp8-payload", "opus-packet", "demux"]

    @Test("every entry of this room's kinds is judged as expected")
    func replay() throws {
        let entries = try Vectors.objects("hostile-generated/hostile.jsonl")
        guard !entries.isEmpty else { return }
        var judged: [String: Int] = [:]
        var left: Set<String> = []
        for entry in entries {
            let kind = try #require(entry["kind"] as? String)
            guard Self.kinds.contains(kind) else {
                left.insert(kind)
                continue
            }
            let id = try #require(entry["id"] as? String)
            let name = try #require(entry["case"] as? String)
            let expect = try #require(entry["expect"] as? String)
            let bytes = hex(try #require(entry["hex"] as? String))
            readEverything(bytes)
            let isAsExpected =
                switch kind {
                case "demux": Demultiplexer.classify(bytes.span.bytes) == .rtcp && (try? rtcp(bytes)) == nil
                case "rtp": judgeRTP(name, expect, bytes)
                case "rtx": judgeRTX(expect, bytes)
                case "vp8-payload": judgeVP8(name, expect, bytes)
                case "opus-packet": judgeOpus(name, expect, bytes)
                default: judgeRTCP(name, expect, bytes)
                }
            #expect(isAsExpected, "\(id) \(kind) \(name): \(expect)")
            judged[kind, default: 0] += 1
        }
        print(
            "hostile-generated: judged \(judged.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }),",
            "left to other rooms: \(left.sorted())")
        #expect(Set(judged.keys) == Self.kinds)
        #expect(judged.values.reduce(0, +) == 64)
    }

    private func judgeRTP(_ name: String, _ expect: String, _ bytes: [UInt8]) -> Bool {
        guard let header = try? rtp(bytes) else { return expect.hasPrefix("reject") }
        guard expect.hasPrefix("accept") else { return false }
        func read(_ map: RTPExtensionMap) -> RTPExtensions {
            RTPExtensions(reading: bytes.span.bytes, header: header, map: map)
        }
        switch name {
        case "good": return header.payloadLength == 30 && !header.hasExtension
        case "padding-only": return header.payloadLength == 0 && header.paddingLength == 255
        case "ext1-id0-len3", "ext-profile-unknown": return read(.init(audioLevel: 1)) == RTPExtensions()
        case "ext1-id15":
            return read(.init(audioLevel: 1)).audioLevel != nil && read(.init(audioLevel: 2)) == RTPExtensions()
        case "ext1-element-overrun": return read(.init(mid: 1)) == RTPExtensions()
        case "ext2-len0-and-overrun": return read(.init(mid: 5, rid: 6, absSendTime: 7)) == RTPExtensions()
        default: return false
        }
    }

    private func judgeRTX(_ expect: String, _ bytes: [UInt8]) -> Bool {
        guard let header = try? rtp(bytes), expect == "drop" else { return false }
        return (try? RTX.originalSequenceNumber(in: bytes.span.bytes, header: header)) == nil
    }

    private func judgeVP8(_ name: String, _ expect: String, _ bytes: [UInt8]) -> Bool {
        guard let (descriptor, length) = try? VP8PayloadDescriptor.parse(bytes.span.bytes) else {
            return expect.hasPrefix("drop")
        }
        let frame = Array(bytes[length...])
        let header = outcome { () throws(DropReason) in try VP8FrameHeader(parsing: frame.span.bytes) }
        switch name {
        case "keyframe-header-cut": return header == .failure(.truncated)
        // The reader tells the size; the limit is the decoder's.
        case "keyframe-16383x16383":
            return (try? header.get()).map { $0.width == 16_383 && $0.height == 16_383 } ?? false
        case "keyframe-0x0": return header == .failure(.payloadMalformed)
        case "reserved-bits-set": return descriptor.startsFrame && descriptor.pictureID == 5 && length == 3
        default: return false
        }
    }

    private func judgeOpus(_ name: String, _ expect: String, _ bytes: [UInt8]) -> Bool {
        let samples = OpusPacket.samples(in: bytes.span.bytes)
        if expect.hasPrefix("valid") { return samples == 960 }
        return samples == nil && (expect.hasPrefix("decoder error") || name == "empty")
    }

    private func judgeRTCP(_ name: String, _ expect: String, _ bytes: [UInt8]) -> Bool {
        guard let packets = try? rtcp(bytes) else { return expect.contains("reject") }
        switch (name, packets.first) {
        case ("good-sr-sdes", .senderReport(let report)):
            guard packets.count == 2, case .sourceDescription(let description) = packets[1] else { return false }
            return report.ssrc == 0x7C24_0D49 && description.chunks.first?.cname == "hello"
        case ("unknown-pt", .unknown(let type, _)): return type == 210 && packets.count == 1
        case ("remb-exponent-63", .receiverEstimate(let estimate)): return estimate.rate.bitsPerSecond == .max
        case ("twcc-run-longer-than-count", .transportFeedback(let feedback)): return feedback.statuses.count == 3
        case ("twcc-count-0", .transportFeedback(let feedback)): return feedback.statuses.isEmpty
        case ("nack-max", .nack(let nack)):
            return nack.sequenceNumbers.count == RTCPNack.maximumSequenceNumbers
        // Whether the source is the peer's own is not for the reader to know.
        case ("bye-foreign-ssrc", .bye(let bye)): return bye.sources == [0xE05E_2882]
        case ("rr-absurd-times", .receiverReport(let report)):
            // LSR and DLSR are all ones: 2 units before the arrival, which is now.
            guard let block = report.reports.first else { return false }
            return block.cumulativeLost == 0x7F_FFFF && block.extendedHighestSequenceNumber == .max
                && block.roundTripTime(at: NTPTime(bits: 0x0000_F000_0000_0000)) == nil
        default: return false
        }
    }
}

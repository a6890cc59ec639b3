import Foundation
import PetrelCore
import PetrelWire
import Testing

/// Inputs that broke other libraries, and captures of real streams.
@Suite("Corpora")
struct CorpusTests {
    @Test(
        "fuzzers' findings never trap and take less than 10 ms",
        arguments: [
            "libwebrtc-fuzz/rtp", "libwebrtc-fuzz/rtcp", "pion-fuzz/rtcp", "aiortc-packets", "mediasoup-fuzz-crashes",
        ])
    func findings(_ folder: String) throws {
        for (name, bytes) in try Vectors.files(folder) {
            let duration = ContinuousClock().measure { readEverything(bytes) }
            // Ten times the goal, since debug builds on busy machines run it too.
            #expect(duration < .milliseconds(100), "\(name)")
            if bytes.count <= 300 { mutations(of: bytes, readEverything) }
            if bytes.count > RTPHeader.maximumPacketLength {
                #expect(throws: DropReason.datagramTooLong, "\(name)") { try rtp(bytes) }
            }
        }
    }

    @Test("aiortc-packets: what the names say")
    func aiortc() throws {
        let files = Dictionary(uniqueKeysWithValues: try Vectors.files("aiortc-packets").map { ($0.name, $0.bytes) })
        guard !files.isEmpty else { return }
        for (name, bytes) in files where name.hasPrefix("rtcp_") {
            let isBad = name.contains("invalid") || name.contains("truncated")
            #expect(((try? rtcp(bytes)) == nil) == isBad, "\(name)")
        }
        let report = RTCPReportBlock(
            ssrc: 1_200_895_919, fractionLost: 0, cumulativeLost: 0, extendedHighestSequenceNumber: 630, jitter: 1906)
        #expect(
            try rtcp(try #require(files["rtcp_rr.bin"])) == [
                .receiverReport(RTCPReceiverReport(ssrc: 817_267_719, reports: [report]))
            ])
        #expect(
            try rtcp(try #require(files["rtcp_sdes.bin"])) == [
                .sourceDescription(
                    RTCPSourceDescription(chunks: [
                        .init(ssrc: 1_831_097_322, cname: "{63f459ea-41fe-4474-9d33-9707c9ee79d1}")
                    ]))
            ])
        #expect(
            try rtcp(try #require(files["rtcp_bye.bin"])) == [.bye(RTCPBye(sources: [0xAE52_8B43]))])
        guard case .nack(let nack) = try rtcp(try #require(files["rtcp_rtpfb.bin"])).first else {
            Issue.record("rtcp_rtpfb.bin is a NACK")
            return
        }
        #expect(nack.senderSSRC == 2_336_520_123)
        #expect(nack.mediaSSRC == 4_145_934_052)
        #expect(
            nack.sequenceNumbers == [
                12, 32, 39, 54, 76, 110, 123, 142, 183, 187, 223, 236, 271, 292,
            ])

        let tone = try rtp(try #require(files["rtp_dtmf.bin"]))
        #expect(tone.marker && tone.payloadType == 101 && tone.sequenceNumber == 24_152)
        #expect(tone.timestamp == 4_021_352_124 && tone.ssrc == 2_795_586_802 && tone.payloadLength == 4)

        let padded = try rtp(try #require(files["rtp_only_padding_with_header_extensions.bin"]))
        #expect(padded.payloadLength == 0 && padded.paddingLength == 224 && padded.extensionLength == 4)

        let bytes = try #require(files["rtp_with_sdes_mid.bin"])
        let extensions = RTPExtensions(
            reading: bytes.span.bytes, header: try rtp(bytes), map: RTPExtensionMap(mid: 9))
        #expect(extensions.mid.map { $0 == "0" } == true)
    }

    @Test("rtp-captures/vp8.pcap: every packet as the capture's own listing says")
    func capture() throws {
        guard let file = Vectors.folder("rtp-captures/vp8.pcap"), let listing = Vectors.folder("rtp-captures/vp8.txt")
        else { return }
        let packets = try Pcap.datagrams([UInt8](try Data(contentsOf: file)))
        let lines = try String(contentsOf: listing, encoding: .utf8).split(whereSeparator: \.isNewline)
        #expect(packets.count == 104)
        #expect(lines.count == packets.count)
        var keyFrames = 0
        for (bytes, line) in zip(packets, lines) {
            #expect(Demultiplexer.classify(bytes.span.bytes) == .rtp)
            let header = try rtp(bytes)
            #expect(header.payloadType == 96)
            #expect(header.ssrc == 0xEEDF_3944)
            #expect(line.contains("Seq=\(header.sequenceNumber),"), "\(line)")
            #expect(line.contains("Time=\(header.timestamp)"), "\(line)")
            #expect(line.contains(", Mark") == header.marker, "\(line)")
            let payload = Array(bytes[header.payloadRange])
            let (descriptor, length) = try VP8PayloadDescriptor.parse(payload.span.bytes)
            var written = [UInt8](repeating: 0, count: length)
            let writtenLength = written.withUnsafeMutableBytes { descriptor.write(into: $0) }
            #expect(writtenLength == length && written == Array(payload[..<length]))
            if descriptor.startsFrame {
                let frame = try VP8FrameHeader(parsing: Array(payload[length...]).span.bytes)
                #expect(line.contains("Keyframe") == frame.isKeyFrame, "\(line)")
                if frame.isKeyFrame {
                    keyFrames += 1
                    #expect(frame.width > 0 && frame.height > 0)
                }
            }
            let extensions = RTPExtensions(
                reading: bytes.span.bytes, header: header, map: RTPExtensionMap(mid: 3, absSendTime: 2))
            #expect(extensions.absSendTime != nil)
        }
        print("rtp-captures/vp8.pcap: \(packets.count) packets, \(keyFrames) key frames")
        #expect(keyFrames > 0)
    }

    @Test("libwebrtc-fuzz/rtpdump: every packet parses")
    func rtpdump() throws {
        guard let (_, bytes) = try Vectors.files("libwebrtc-fuzz/rtpdump").first else { return }
        // A line of text, 16 bytes, then packets, each behind two lengths of 16 bits and a time of 32.
        var offset = try #require(bytes.firstIndex(of: 0x0A)) + 17
        var count = 0
        while offset + 8 <= bytes.count {
            let length = (Int(bytes[offset]) << 8 | Int(bytes[offset + 1])) - 8
            let packet = Array(bytes[(offset + 8)..<min(bytes.count, offset + 8 + length)])
            if Demultiplexer.classify(packet.span.bytes) == .rtcp {
                _ = try rtcp(packet)
            } else {
                let header = try rtp(packet)
                if header.payloadLength > 0 {
                    _ = try VP8PayloadDescriptor.parse(Array(packet[header.payloadRange]).span.bytes)
                }
            }
            count += 1
            offset += 8 + length
        }
        print("libwebrtc-fuzz/rtpdump: \(count) packets")
        #expect(count > 10)
    }
}

/// UDP payloads out of a little-endian pcap file of Ethernet frames with IPv4.
enum Pcap {
    struct Unreadable: Error {}

    static func datagrams(_ file: [UInt8]) throws -> [[UInt8]] {
        func little(_ offset: Int) -> Int { (0..<4).reduce(0) { $0 | Int(file[offset + $1]) << (8 * $1) } }
        guard file.count >= 24, little(0) == 0xA1B2_C3D4 else { throw Unreadable() }
        var result: [[UInt8]] = []
        var offset = 24
        while offset + 16 <= file.count {
            let length = little(offset + 8)
            let frame = offset + 16
            let ip = frame + 14
            let udp = ip + Int(file[ip] & 15) * 4
            let udpLength = Int(file[udp + 4]) << 8 | Int(file[udp + 5])
            result.append(Array(file[(udp + 8)..<(udp + udpLength)]))
            offset = frame + length
        }
        return result
    }
}

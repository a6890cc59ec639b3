internal import Foundation
internal import Petrel
internal import PetrelIO
internal import Testing

extension LiveTests {
    /// The packet capture, read back by a reader of its own (draft-ietf-opsawg-pcapng), and by tshark where it is.
    @Suite struct CaptureTests {
        struct Datagram {
            var time: UInt64
            var source: UInt16
            var destination: UInt16
            var payload: [UInt8]
        }

        struct BadFile: Error { let why: String }

        private func little(_ bytes: ArraySlice<UInt8>) -> UInt64 {
            bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
        private func big(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }

        /// Reads all blocks; any that is not as the draft says is an error.
        private func read(_ path: String) throws -> [Datagram] {
            let file = try [UInt8](Data(contentsOf: URL(fileURLWithPath: path)))
            var rest = file[...]
            var types: [UInt64] = []
            var found: [Datagram] = []
            while !rest.isEmpty {
                guard rest.count >= 12 else { throw BadFile(why: "a block of \(rest.count) bytes") }
                let start = rest.startIndex
                let type = little(rest[start..<(start + 4)])
                let length = Int(little(rest[(start + 4)..<(start + 8)]))
                guard length % 4 == 0, length >= 12, length <= rest.count,
                    little(rest[(start + length - 4)..<(start + length)]) == UInt64(length)
                else { throw BadFile(why: "a block of type \(type) with length \(length)") }
                types.append(type)
                if type == 6 { found.append(try packet(rest[(start + 8)..<(start + length - 4)])) }
                rest = rest[(start + length)...]
            }
            guard types.starts(with: [0x0A0D_0D0A, 1]), types.dropFirst(2).allSatisfy({ $0 == 6 }) else {
                throw BadFile(why: "blocks \(types.prefix(5))")
            }
            #expect(little(file[8..<12]) == 0x1A2B_3C4D, "the byte order is told")
            return found
        }

        private func packet(_ block: ArraySlice<UInt8>) throws -> Datagram {
            let start = block.startIndex
            let time =
                little(block[(start + 4)..<(start + 8)]) << 32 | little(block[(start + 8)..<(start + 12)])
            let captured = Int(little(block[(start + 12)..<(start + 16)]))
            guard captured == Int(little(block[(start + 16)..<(start + 20)])), captured >= 28 else {
                throw BadFile(why: "a packet of \(captured) bytes")
            }
            let ip = Array(block[(start + 20)..<(start + 20 + captured)])
            guard ip[0] == 0x45, ip[9] == 17, big(ip[2..<4]) == UInt64(captured),
                big(ip[24..<26]) == UInt64(captured - 20)
            else { throw BadFile(why: "an IP header that is none") }
            var sum = stride(from: 0, to: 20, by: 2).reduce(UInt64(0)) { $0 + big(ip[$1..<($1 + 2)]) }
            while sum >> 16 != 0 { sum = sum & 0xFFFF + sum >> 16 }
            guard sum == 0xFFFF else { throw BadFile(why: "a false checksum") }
            return Datagram(
                time: time, source: UInt16(big(ip[20..<22])), destination: UInt16(big(ip[22..<24])),
                payload: Array(ip[28...]))
        }

        private func capture(decrypted: Bool) async throws -> [Datagram] {
            let path = NSTemporaryDirectory() + "petrel-\(UUID().uuidString).pcapng"
            defer { try? FileManager.default.removeItem(atPath: path) }
            let configuration = Pair.configuration {
                $0.packetCapture = PacketCaptureOptions(path: path, decrypted: decrypted)
            }
            try await withPair(configuration) { pair in
                try await pair.a.addVideo(StampedCard())
                try await pair.a.addAudio()
                try await pair.b.addAudio(TestSpeechSource())
                try await pair.connect()
                // 10 ms each: enough sound for 20 packets and more, however soon it is loud.
                try await eventually("media both ways") {
                    pair.atB.pictures > 20 && pair.atA.recentPeak > 1000
                        && pair.atA.seen.withLock { $0.blocks } > 100
                }
            }
            try readByWireshark(path)
            return try read(path)
        }

        private func readByWireshark(_ path: String) throws {
            let program = ["/usr/bin/tshark", "/usr/local/bin/tshark"].first {
                FileManager.default.isExecutableFile(atPath: $0)
            }
            guard let program else {
                print("skipped: tshark is not installed; the capture is read back by the test's own reader alone")
                return
            }
            let process = Process()
            process.executableURL = URL(fileURLWithPath: program)
            process.arguments = ["-r", path, "-T", "fields", "-e", "udp.length"]
            let output = Pipe()
            process.standardOutput = output
            try process.run()
            let lines = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            #expect(process.terminationStatus == 0)
            #expect(lines.split(separator: "\n").count > 20)
        }

        /// What a first byte says (RFC 7983).
        private func counts(_ datagrams: [Datagram]) -> (stun: Int, dtls: Int, media: Int) {
            var (stun, dtls, media) = (0, 0, 0)
            for datagram in datagrams {
                switch datagram.payload.first ?? 255 {
                case 0...3: stun += 1
                case 20...63: dtls += 1
                case 128...191: media += 1
                default: Issue.record("a datagram of no known kind")
                }
            }
            return (stun, dtls, media)
        }

        @Test func everyDatagramIsThereAsOnTheWire() async throws {
            let began = UInt64(MonotonicClock.unixNanoseconds)
            let datagrams = try await capture(decrypted: false)
            let ended = UInt64(MonotonicClock.unixNanoseconds)
            let count = counts(datagrams)
            #expect(count.stun >= 2 && count.dtls >= 4 && count.media > 40)
            #expect(datagrams.allSatisfy { (began...ended).contains($0.time) })
            #expect(Set(datagrams.flatMap { [$0.source, $0.destination] }).count == 2, "two ports talk")
            #expect(Set(datagrams.map(\.source)).count == 2, "both ways")
            // Encrypted, the first byte of a packet is anything: one in thirty looks like speech by chance.
            #expect(shareOfSpeech(datagrams) < 0.3, "media is encrypted")
        }

        @Test func aDecryptedCaptureShowsMedia() async throws {
            let datagrams = try await capture(decrypted: true)
            let count = counts(datagrams)
            #expect(count.stun >= 2 && count.dtls >= 4 && count.media > 40)
            #expect(shareOfSpeech(datagrams) > 0.9)
            // RTP of VP8: the start of a key frame holds the start code 9d 01 2a (RFC 6386 section 9.1).
            let keyFrames = datagrams.count { datagram in
                datagram.payload.count > 100
                    && (0..<100).contains { datagram.payload[$0...].starts(with: [0x9D, 0x01, 0x2A]) }
            }
            #expect(keyFrames >= 1)
            // RTCP: sender reports and receiver reports have known types.
            #expect(datagrams.contains { $0.payload.count >= 8 && [200, 201].contains($0.payload[1]) })
        }

        /// How many of the packets of sound (payload type 111, or 63 with earlier ones) begin as Opus of 20 ms, one frame, mono does (RFC 6716
        /// section 3.1): 9 of 32 configurations, 1 of 8 frame codes.
        private func shareOfSpeech(_ datagrams: [Datagram]) -> Double {
            let sound = datagrams.map(\.payload).filter { $0.count > 12 && [111, 63].contains($0[1] & 0x7F) }
            let speech = sound.count { bytes in
                var offset = 12 + 4 * Int(bytes[0] & 0x0F)
                if bytes[0] & 0x10 != 0 {
                    guard bytes.count >= offset + 4 else { return false }
                    offset += 4 + 4 * Int(big(bytes[(offset + 2)..<(offset + 4)]))
                }
                if bytes[1] & 0x7F == 63 {
                    // RFC 2198 section 3: headers of 4 octets with the lengths of the earlier packets, and one of the last.
                    var earlier = 0
                    while bytes.count > offset + 4, bytes[offset] & 0x80 != 0 {
                        earlier += Int(big(bytes[(offset + 2)..<(offset + 4)]) & 0x3FF)
                        offset += 4
                    }
                    offset += 1 + earlier
                }
                guard bytes.count > offset else { return false }
                return Self.of20ms.contains(bytes[offset] >> 3) && bytes[offset] & 0x07 == 0
            }
            #expect(sound.count > 20)
            return Double(speech) / Double(max(1, sound.count))
        }

        private static let of20ms: Set<UInt8> = [1, 5, 9, 13, 15, 19, 23, 27, 31]
    }
}

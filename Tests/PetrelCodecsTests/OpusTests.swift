import PetrelCodecs
import PetrelCore
import Testing

@Suite("Opus")
struct OpusTests {
    struct Coded {
        var packets: [[UInt8]] = []
        var results: [OpusEncodeResult] = []
        var input: [Int16] = []
    }

    static func encode(
        _ encoder: OpusEncoder, samples: Int = 960, count: Int, source: (Int64) -> Int16
    ) throws -> Coded {
        var coded = Coded()
        let buffer = FrameBuffer()
        var position: Int64 = 0
        for _ in 0..<count {
            var pcm: [Int16] = []
            for _ in 0..<samples {
                for _ in 0..<encoder.channels { pcm.append(source(position)) }
                position += 1
            }
            coded.input += pcm
            coded.results.append(try pcm.withUnsafeBufferPointer { try encoder.encode($0, into: buffer) })
            coded.packets.append(Array(buffer.bytes))
        }
        return coded
    }

    static func decode(_ decoder: OpusDecoder, _ packet: [UInt8], room: Int = 5760) throws -> [Int16] {
        var pcm = [Int16](repeating: 0, count: room * decoder.channels)
        let count = try packet.withUnsafeBytes { packet in
            try pcm.withUnsafeMutableBufferPointer { try decoder.decode(packet, into: $0) }
        }
        return Array(pcm.prefix(count * decoder.channels))
    }

    @Test("Every frame length from 2.5 to 60 ms round-trips", arguments: OpusEncoder.frameSizes, [1, 2])
    func lengths(samples: Int, channels: Int) throws {
        let encoder = try OpusEncoder(
            channels: channels, configuration: .init(bitrate: .kilobitsPerSecond(128), application: .audio))
        let decoder = try OpusDecoder(channels: channels)
        let coded = try Self.encode(encoder, samples: samples, count: 9600 / samples) { TestTone().sample($0) }
        var out: [Int16] = []
        for (packet, result) in zip(coded.packets, coded.results) {
            #expect(packet.count == result.bytes && !result.isDTX)
            #expect(packet.withUnsafeBytes { OpusDecoder.samples(in: $0) } == samples)
            out += try Self.decode(decoder, packet)
        }
        #expect(out.count == coded.input.count)
        // The second half is as loud as what went in, and as it was but for the codec's delay.
        #expect(abs(rms(out.suffix(out.count / 2)) / rms(coded.input) - 1) < 0.05)
        let delay = encoder.lookahead * channels
        let error = rms(
            (out.count / 2..<out.count).map { Int16(clamping: Int(out[$0]) - Int(coded.input[$0 - delay])) })
        #expect(error < 0.15 * rms(coded.input))
    }

    @Test("Other counts and channels are refused")
    func refused() throws {
        #expect(throws: CodecError(.createEncoder, .channelCount(3))) { try OpusEncoder(channels: 3) }
        #expect(throws: CodecError(.createDecoder, .channelCount(0))) { try OpusDecoder(channels: 0) }
        let encoder = try OpusEncoder(channels: 2)
        for count in [0, 1, 961, 1921, 2 * 961, 2 * 3840, 2 * 5760] {
            let pcm = [Int16](repeating: 0, count: count)
            #expect(throws: CodecError.self) {
                try pcm.withUnsafeBufferPointer { try encoder.encode($0, into: FrameBuffer()) }
            }
        }
    }

    @Test("The configuration changes at run time and is kept within its limits")
    func configuration() throws {
        let encoder = try OpusEncoder(channels: 1, configuration: .init(bitrate: .kilobitsPerSecond(16)))
        let source = SpeechLikeSignal(seed: 4)
        let low = try Self.encode(encoder, count: 40, source: source.sample).packets.joined().count
        var configuration = encoder.configuration
        configuration.bitrate = .kilobitsPerSecond(96)
        configuration.application = .audio
        try encoder.configure(configuration)
        #expect(encoder.configuration == configuration)
        let high = try Self.encode(encoder, count: 40, source: source.sample).packets.joined().count
        #expect(high > 3 * low)
        for rate: Int64 in [0, 1, .max] {
            configuration.bitrate = DataRate(bitsPerSecond: rate)
            configuration.complexity = Int(truncatingIfNeeded: rate)
            configuration.expectedLossPercent = Int(truncatingIfNeeded: rate)
            configuration.application = rate == 1 ? .voip : .audio
            try encoder.configure(configuration)
            for result in try Self.encode(encoder, samples: 2880, count: 5, source: source.sample).results {
                #expect(result.bytes <= OpusEncoder.maximumPacket)
            }
        }
    }

    @Test("Silence is not sent with discontinuous transmission")
    func dtx() throws {
        let encoder = try OpusEncoder(
            channels: 1, configuration: .init(bitrate: .kilobitsPerSecond(24), dtx: true))
        let coded = try Self.encode(encoder, count: 100) { $0 < 20 * 960 ? SpeechLikeSignal(seed: 1).sample($0) : 0 }
        #expect(coded.results.prefix(20).allSatisfy { !$0.isDTX })
        #expect(coded.results.count { $0.isDTX } > 50)
        #expect(coded.results.allSatisfy { $0.isDTX == ($0.bytes <= 2) })
        try encoder.configure(.init(bitrate: .kilobitsPerSecond(24), dtx: false))
        #expect(try Self.encode(encoder, count: 50) { _ in 0 }.results.allSatisfy { !$0.isDTX })
    }

    @Test("A lost packet comes back from the next one")
    func fec() throws {
        let speech = SpeechLikeSignal(seed: 9)
        let encoder = try OpusEncoder(
            channels: 1,
            configuration: .init(bitrate: .kilobitsPerSecond(32), inbandFEC: true, expectedLossPercent: 20))
        let coded = try Self.encode(encoder, count: 40, source: speech.sample)
        let flags = coded.packets.map { $0.withUnsafeBytes { OpusDecoder.hasFEC($0) } }
        #expect(flags.count { $0 } > 20)
        let complete = try OpusDecoder(channels: 1)
        let recovering = try OpusDecoder(channels: 1)
        let concealing = try OpusDecoder(channels: 1)
        var (recovered, recoveredError, concealedError, energy) = (0, 0.0, 0.0, 0.0)
        var pcm = [Int16](repeating: 0, count: 5760)
        for index in 0..<39 {
            let truth = try Self.decode(complete, coded.packets[index])
            guard index % 4 == 2 else {
                _ = try Self.decode(recovering, coded.packets[index])
                _ = try Self.decode(concealing, coded.packets[index])
                continue
            }
            let repair = coded.packets[index + 1].withUnsafeBytes { next in
                pcm.withUnsafeMutableBufferPointer { recovering.decodeFEC(fromNext: next, samples: 960, into: $0) }
            }
            #expect(repair.samples == 960 && repair.isRecovered == flags[index + 1])
            let repaired = Array(pcm.prefix(960))
            #expect(pcm.withUnsafeMutableBufferPointer { concealing.conceal(samples: 960, into: $0) } == 960)
            guard flags[index + 1], rms(truth) > 500 else { continue }
            recovered += 1
            energy += rms(truth)
            recoveredError += abs(rms(repaired) - rms(truth))
            concealedError += abs(rms(pcm.prefix(960)) - rms(truth))
        }
        print(
            "recovered \(recovered): level off by \(recoveredError / energy), concealed by \(concealedError / energy)")
        #expect(recovered >= 5)
        #expect(recoveredError < concealedError)
        #expect(recoveredError < 0.25 * energy)
    }

    @Test("Without forward error correction there is none to see")
    func noFEC() throws {
        let encoder = try OpusEncoder(channels: 1, configuration: .init(inbandFEC: false, expectedLossPercent: 20))
        for packet in try Self.encode(encoder, count: 40, source: SpeechLikeSignal(seed: 9).sample).packets {
            #expect(!packet.withUnsafeBytes { OpusDecoder.hasFEC($0) })
        }
    }

    @Test("Concealment and repair give exactly what was asked for", arguments: [1, 2])
    func counts(channels: Int) throws {
        let encoder = try OpusEncoder(
            channels: channels, configuration: .init(inbandFEC: true, expectedLossPercent: 20))
        let coded = try Self.encode(encoder, count: 20, source: SpeechLikeSignal(seed: 2).sample)
        let decoder = try OpusDecoder(channels: channels)
        let empty: [UInt8] = []
        for asked in [0, 1, 60, 119, 120, 121, 480, 500, 960, 961, 2880, 5759, 5760] {
            for payload in [coded.packets[11], empty, [0x78], [0x7B, 0x00], [0xFF]] {
                _ = try Self.decode(decoder, coded.packets[10])
                var pcm = [Int16](repeating: 12_345, count: 6000 * channels)
                let repair = payload.withUnsafeBytes { payload in
                    pcm.withUnsafeMutableBufferPointer {
                        decoder.decodeFEC(fromNext: payload, samples: asked, into: $0)
                    }
                }
                #expect(repair.samples == asked)
                #expect(pcm[(asked * channels)...].allSatisfy { $0 == 12_345 })
                let concealed = pcm.withUnsafeMutableBufferPointer { decoder.conceal(samples: asked, into: $0) }
                #expect(concealed == asked)
                #expect(pcm[(asked * channels)...].allSatisfy { $0 == 12_345 })
            }
        }
        var pcm = [Int16](repeating: 0, count: 6000 * channels)
        #expect(pcm.withUnsafeMutableBufferPointer { decoder.conceal(samples: 100_000, into: $0) } == 5760)
        #expect(pcm.withUnsafeMutableBufferPointer { decoder.conceal(samples: -5, into: $0) } == 0)
        var small = [Int16](repeating: 0, count: 10 * channels)
        #expect(small.withUnsafeMutableBufferPointer { decoder.conceal(samples: 960, into: $0) } == 10)
    }

    @Test("Concealment goes on from the sound before, and fades")
    func concealment() throws {
        let encoder = try OpusEncoder(channels: 1, configuration: .init(application: .audio))
        let decoder = try OpusDecoder(channels: 1)
        for packet in try Self.encode(encoder, count: 10, source: TestTone().sample).packets {
            _ = try Self.decode(decoder, packet)
        }
        var levels: [Double] = []
        var pcm = [Int16](repeating: 0, count: 960)
        for _ in 0..<50 {
            pcm.withUnsafeMutableBufferPointer { _ = decoder.conceal(samples: 960, into: $0) }
            levels.append(rms(pcm))
        }
        #expect(levels[0] > 4000)
        #expect(levels[49] < 500)
    }

    @Test("Every first byte, with 0 to 8 bytes behind it, gives sound or an error (C41)")
    func everyTOC() throws {
        let decoder = try OpusDecoder(channels: 2)
        var random = SeededGenerator(seed: 41)
        var decoded = 0
        for toc in 0..<256 {
            for length in 0...8 {
                let packet = [UInt8(toc)] + (0..<length).map { _ in UInt8(random.next() & 255) }
                let claimed = packet.withUnsafeBytes { OpusDecoder.samples(in: $0) }
                #expect((claimed ?? 0) <= PCM.maximumSamples)
                _ = packet.withUnsafeBytes { OpusDecoder.hasFEC($0) }
                guard let pcm = try? Self.decode(decoder, packet) else { continue }
                #expect(pcm.count == 2 * (claimed ?? -1))
                decoded += 1
            }
        }
        #expect(decoded > 500)
    }

    @Test("Counts and padding of code 3 (RFC 6716 section 3.2.5)")
    func codeThree() throws {
        let decoder = try OpusDecoder(channels: 1)
        func fails(_ packet: [UInt8]) -> Bool { (try? Self.decode(decoder, packet)) == nil }
        // 20 ms CELT: 6 frames are 120 ms, 7 are too long; no frames and 49 or 63 frames never are allowed.
        #expect(!fails([0xFB, 6] + [UInt8](repeating: 0, count: 60)))
        #expect(fails([0xFB, 7] + [UInt8](repeating: 0, count: 70)))
        #expect(fails([0xFB, 0]))
        // 2.5 ms CELT: 48 frames are 120 ms, 49 and 63 are too many.
        #expect(!fails([0xE3, 48] + [UInt8](repeating: 0, count: 48)))
        #expect(fails([0xE3, 49] + [UInt8](repeating: 0, count: 49)))
        #expect(fails([0xE3, 63] + [UInt8](repeating: 0, count: 63)))
        // A chain of padding lengths without an end.
        #expect(fails([0xFB, 0x41] + [UInt8](repeating: 255, count: 400)))
        // Padding of 255 (254 bytes and a further length) plus 10.
        #expect(!fails([0xFB, 0x41, 255, 10] + [UInt8](repeating: 0, count: 40 + 264)))
    }

    @Test("Room too small is said before anything is decoded")
    func room() throws {
        let encoder = try OpusEncoder(channels: 2)
        let decoder = try OpusDecoder(channels: 2)
        let packet = try Self.encode(encoder, count: 1, source: TestTone().sample).packets[0]
        #expect(throws: CodecError(.decode, .bufferTooSmall(needed: 960))) {
            _ = try Self.decode(decoder, packet, room: 959)
        }
        #expect(try Self.decode(decoder, packet, room: 960).count == 1920)
    }

    @Test("After a reset a decoder is as new")
    func reset() throws {
        let encoder = try OpusEncoder(channels: 1)
        let packets = try Self.encode(encoder, count: 10, source: SpeechLikeSignal().sample).packets
        let decoder = try OpusDecoder(channels: 1)
        let first = try packets.map { try Self.decode(decoder, $0) }
        decoder.reset()
        #expect(try packets.map { try Self.decode(decoder, $0) } == first)
    }

    @Test("Errors say what happened")
    func errors() {
        let error = CodecError(.encode, .opus(-1))
        #expect(error.code == -1 && error.text == "invalid argument")
        #expect(error.description == "encode: invalid argument (-1)")
        #expect(CodecError(.decode, .vpx(7)).code == 7)
        #expect(!CodecError(.decode, .vpx(7)).text.isEmpty && !CodecError(.decode, .vpx(9999)).text.isEmpty)
        #expect(CodecError(.decode, .keyFrameNeeded).code == 0)
        #expect(CodecLibraries.opus.contains("opus") && CodecLibraries.vpx.hasPrefix("libvpx v"))
    }
}

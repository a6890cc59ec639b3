import PetrelCodecs
import PetrelCore
import Testing

@testable import PetrelPlayout

/// What the listener hears, with real Opus: no clicks where time is stretched, nothing changed where it is not.
@Suite struct AudioReceiverSoundTests {
    /// The largest second difference: a click is a bend of the waveform that the sound itself does not have.
    static func bend(_ samples: ArraySlice<Int16>, stride step: Int = 1) -> Int {
        let values = Array(samples)
        var worst = 0
        for index in (2 * step)..<max(2 * step, values.count) {
            let bend = Int(values[index]) - 2 * Int(values[index - step]) + Int(values[index - 2 * step])
            worst = max(worst, abs(bend))
        }
        return worst
    }

    static func level(_ samples: ArraySlice<Int16>) -> Double {
        (samples.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(max(1, samples.count))).squareRoot()
    }

    /// What the decoder alone makes of the packets.
    static func reference(_ packets: [FrameBuffer?], channels: Int = 1) throws -> [Int16] {
        let decoder = try OpusDecoder(channels: channels)
        var all: [Int16] = []
        var pcm = [Int16](repeating: 0, count: 5760 * channels)
        for packet in packets {
            guard let packet else { continue }
            let count = try pcm.withUnsafeMutableBufferPointer { try decoder.decode(packet.bytes, into: $0) }
            all += pcm[..<(count * channels)]
        }
        return all
    }

    /// 200 Hz to 2 kHz and back every 10 s; the phase is the integral of the frequency.
    static func sweep(_ position: Int64) -> Int16 {
        let time = Double(position) / 48_000
        let phase = 2 * Double.pi * (1100 * time - 9000 / (2 * Double.pi) * .sine(2 * .pi * time / 10))
        return Int16(12_000 * Double.sine(phase))
    }

    static let music = OpusEncoder.Configuration(
        bitrate: .kilobitsPerSecond(64), complexity: 3, inbandFEC: false, application: .audio)

    enum Sound: CaseIterable { case tone, sweep, speech }

    static func packets(_ sound: Sound, seconds: Int, channels: Int = 1) throws -> [FrameBuffer?] {
        let speech = SpeechLikeSignal(seed: 4)
        let tone = TestTone()
        return try OpusSource.packets(seconds: seconds, channels: channels, configuration: music) {
            switch sound {
            case .tone: tone.sample($0)
            case .sweep: sweep($0)
            case .speech: speech.sample($0)
            }
        }
    }

    @Test(arguments: Sound.allCases)
    func `without jitter the sound is what the decoder made, bit for bit`(sound: Sound) throws {
        let packets = try Self.packets(sound, seconds: 10)
        let direct = try Self.reference(packets)
        var simulation = AudioSimulation(seconds: 10, keepsOutput: true)
        simulation.firstTimestamp = 0
        let result = simulation.run(try AudioReceiver(), packets: packets)
        var compared = 0
        for (index, sample) in result.pulls.enumerated() where sample.seconds > 3 {
            guard let timestamp = sample.pull.timestamp else { continue }
            let start = Int(timestamp)
            guard start + 480 <= direct.count else { continue }
            #expect(result.output[(index * 480)..<(index * 480 + 480)] == direct[start..<(start + 480)])
            compared += 1
        }
        #expect(compared > 650)
    }

    @Test(arguments: Sound.allCases)
    func `stretching makes no click and changes no level`(sound: Sound) throws {
        let packets = try Self.packets(sound, seconds: 30)
        let direct = try Self.reference(packets)
        var simulation = AudioSimulation(seconds: 30, keepsOutput: true)
        var number = 0
        simulation.onPull = { receiver, _ in
            // 80 ms up and down every three seconds.
            number += 1
            if number % 300 == 0 { receiver.setMinimumDelay(.milliseconds(number % 600 == 0 ? 0 : 80)) }
        }
        let result = simulation.run(try AudioReceiver(), packets: packets)
        #expect(result.statistics.insertedSamplesForDeceleration > 10_000)
        #expect(result.statistics.removedSamplesForAcceleration > 10_000)
        #expect(result.statistics.concealedSamples == 0)
        // A cut at any place of these sounds would bend by some thousands.
        let worst = Double(Self.bend(result.output[9600...]))
        #expect(worst <= 1.25 * Double(Self.bend(direct[4800...])))
        let ratio = Self.level(result.output[48_000...]) / Self.level(direct[48_000...])
        #expect(ratio > 0.97 && ratio < 1.03)
    }

    @Test func `both channels are stretched alike`() throws {
        let packets = try Self.packets(.sweep, seconds: 10, channels: 2)
        var simulation = AudioSimulation(seconds: 10, keepsOutput: true)
        var number = 0
        simulation.onPull = { receiver, _ in
            number += 1
            if number % 150 == 0 { receiver.setMinimumDelay(.milliseconds(number % 300 == 0 ? 0 : 60)) }
        }
        let result = simulation.run(try AudioReceiver(configuration: .init(channels: 2)), packets: packets)
        #expect(result.statistics.insertedSamplesForDeceleration > 2000)
        let left = stride(from: 0, to: result.output.count, by: 2).map { result.output[$0] }
        let right = stride(from: 1, to: result.output.count, by: 2).map { result.output[$0] }
        let direct = try Self.reference(packets, channels: 2)
        let one = stride(from: 0, to: direct.count, by: 2).map { direct[$0] }
        #expect(Double(Self.bend(left[9600...])) <= 1.25 * Double(Self.bend(one[4800...])))
        let differences = zip(left, right).map { abs(Int($0) - Int($1)) }
        #expect((differences.max() ?? 0) < 600)
    }

    @Test func `in-band FEC brings lost speech back`() throws {
        let speech = SpeechLikeSignal(seed: 9)
        let configuration = OpusEncoder.Configuration(
            bitrate: .kilobitsPerSecond(32), complexity: 5, inbandFEC: true, expectedLossPercent: 10, application: .voip
        )
        let packets = try OpusSource.packets(seconds: 60, configuration: configuration) { speech.sample($0) }
        let result = AudioSimulation(
            seconds: 60, network: { _, _, random in random.unit() < 0.05 ? nil : 20 + random.unit() }
        ).run(try AudioReceiver(), packets: packets)
        let statistics = result.statistics
        let total = Double(statistics.totalSamplesReceived)
        print(
            "loss 5 %, Opus FEC: recovered", Double(statistics.recoveredSamples) / total, "concealed",
            Double(statistics.concealedSamples) / total, "latency P50", result.latency(0.5, from: 5))
        // Pauses of the signal carry no FEC (two syllables of ten): what is lost there is concealed silence.
        #expect(Double(statistics.recoveredSamples) / total > 0.03)
        #expect(Double(statistics.concealedSamples) / total < 0.02)
        #expect(statistics.interruptions == 0)
    }

    @Test func `DTX of Opus is silence`() throws {
        let speech = SpeechLikeSignal(seed: 5)
        let configuration = OpusEncoder.Configuration(
            bitrate: .kilobitsPerSecond(24), complexity: 5, inbandFEC: false, dtx: true, application: .voip)
        // Two seconds of speech, four of nothing. The encoder's own DTX packets are sent once, as senders do.
        let encoder = try OpusEncoder(channels: 1, configuration: configuration)
        var packets: [FrameBuffer?] = []
        var wasPaused = false
        for index in 0..<1500 {
            let pcm = (0..<960).map { sample -> Int16 in
                index % 300 < 100 ? speech.sample(Int64(index * 960 + sample)) : 0
            }
            let buffer = FrameBuffer()
            let encoded = try pcm.withUnsafeBufferPointer { try encoder.encode($0, into: buffer) }
            packets.append(encoded.isDTX && wasPaused ? nil : buffer)
            wasPaused = encoded.isDTX
        }
        #expect(packets.count { $0 == nil } > 500)
        let result = AudioSimulation(seconds: 30, network: { _, _, random in 20 + random.unit() })
            .run(try AudioReceiver(), packets: packets)
        #expect(Double(result.statistics.concealedSamples) / Double(result.statistics.totalSamplesReceived) < 0.005)
        #expect(result.count(.silence) > 1000)
    }

    @Test func `random bytes as Opus are played or concealed, and the receiver comes back`() throws {
        let speech = try Self.packets(.speech, seconds: 10)
        var random = SeededGenerator(seed: 77)
        let packets = speech.enumerated().map { index, packet -> FrameBuffer? in
            guard index > 100, index < 300 else { return packet }
            return FrameBuffer((0..<Int(random.next() % 200)).map { _ in UInt8(truncatingIfNeeded: random.next()) })
        }
        let result = AudioSimulation(seconds: 10).run(try AudioReceiver(), packets: packets)
        #expect(result.count(.normal, from: 7.2) >= 275)
        #expect(result.latency(0.5, from: 8.5) < 46.5 + 30)
    }
}

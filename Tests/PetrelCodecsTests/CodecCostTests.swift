import Foundation
import PetrelCodecs
import PetrelCore
import Testing

/// What the codecs cost on this machine: prints, does not judge. Run with
/// `PETREL_MEASURE=1 swift test -c release --filter CodecCost`.
@Suite("Codec cost", .serialized, .enabled(if: ProcessInfo.processInfo.environment["PETREL_MEASURE"] != nil))
struct CodecCostTests {
    private static func report(_ name: String, _ times: [Double]) {
        let sorted = times.sorted()
        func at(_ share: Double) -> String { String(format: "%.3f", sorted[Int(Double(sorted.count - 1) * share)]) }
        print("\(name): median \(at(0.5)) ms, p95 \(at(0.95)) ms, most \(at(1)) ms, n = \(sorted.count)")
    }

    private static func time<Result>(_ times: inout [Double], _ body: () throws -> Result) rethrows -> Result {
        let clock = ContinuousClock()
        let start = clock.now
        let result = try body()
        times.append(Double((clock.now - start).components.attoseconds) / 1e15)
        return result
    }

    @Test("VP8, 720p, 1.5 Mbit/s")
    func vp8() throws {
        var sequence = TestCardSequence(width: 1280, height: 720, count: 250)
        let encoder = VP8Encoder(configuration: .init(bitrate: .kilobitsPerSecond(1500), framesPerSecond: 25))
        let decoder = try VP8Decoder()
        var pool = I420BufferPool()
        let frame = FrameBuffer()
        var (draw, encode, decode, copy, scale, psnr, ssim, read):
            ([Double], [Double], [Double], [Double], [Double], [Double], [Double], [Double]) = (
                [], [], [], [], [], [], [], []
            )
        for index in 0..<sequence.count {
            let picture = Self.time(&draw) { sequence.picture(index) }
            _ = try Self.time(&encode) { try encoder.encode(picture, timestamp90k: Int64(index) * 3600, into: frame) }
            _ = try Self.time(&decode) { try decoder.decode(frame.bytes) }
            let decoded = try #require(Self.time(&copy) { decoder.copy(from: &pool) })
            _ = Self.time(&read) { PictureStamp.read(decoded) }
            if index % 10 == 0 {
                _ = Self.time(&scale) { decoded.scaled(width: 320, height: 180) }
                _ = Self.time(&psnr) { PictureQuality.psnrY(picture, decoded) }
                _ = Self.time(&ssim) { PictureQuality.ssim(picture, decoded) }
            }
        }
        Self.report("test card with stamp", draw)
        Self.report("VP8 encode", encode)
        Self.report("VP8 decode", decode)
        Self.report("copy of the picture", copy)
        Self.report("read the stamp", read)
        Self.report("scale to 320x180", scale)
        Self.report("PSNR", psnr)
        Self.report("SSIM", ssim)
    }

    @Test("Opus, 20 ms mono at 32 kbit/s with FEC")
    func opus() throws {
        let encoder = try OpusEncoder(channels: 1, configuration: .init(inbandFEC: true, expectedLossPercent: 10))
        let decoder = try OpusDecoder(channels: 1)
        let speech = SpeechLikeSignal(seed: 1)
        let packet = FrameBuffer()
        var pcm = [Int16](repeating: 0, count: 960)
        var (make, encode, decode, conceal): ([Double], [Double], [Double], [Double]) = ([], [], [], [])
        for index in 0..<1000 {
            try pcm.withUnsafeMutableBufferPointer { pcm in
                Self.time(&make) { speech.fill(pcm, channels: 1, from: Int64(index) * 960) }
                _ = try Self.time(&encode) { try encoder.encode(UnsafeBufferPointer(pcm), into: packet) }
                _ = try Self.time(&decode) { try decoder.decode(packet.bytes, into: pcm) }
                if index % 10 == 9 { _ = Self.time(&conceal) { decoder.conceal(samples: 960, into: pcm) } }
            }
        }
        Self.report("speech-like signal", make)
        Self.report("Opus encode", encode)
        Self.report("Opus decode", decode)
        Self.report("Opus conceal", conceal)
    }
}

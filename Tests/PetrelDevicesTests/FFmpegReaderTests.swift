import Foundation
import PetrelCodecs
import Testing

@testable import PetrelDevices

@Suite(.enabled(if: FFmpeg.isThere), .serialized) struct FFmpegReaderTests {
    /// A lossless clip whose pictures have a grey that says which one it is: picture n has luma 40 + 8 n.
    static func clip(_ folder: TestFolder, pictures: Int, rate: String, size: String = "64x48") throws -> String {
        let path = folder.file("clip with spaces: \(pictures).mkv")
        let result = try run(
            "ffmpeg",
            [
                "-nostdin", "-v", "error", "-f", "lavfi", "-i", "color=black:s=\(size):r=\(rate):d=100,format=yuv420p",
                "-vf", "geq=lum='40+8*N':cb=128:cr=128", "-frames:v", "\(pictures)", "-c:v", "ffv1", "file:" + path,
            ])
        #expect(result.code == 0, "\(result.errors)")
        return path
    }

    static func grey(_ picture: I420Buffer) -> Int {
        (Int(picture.y[picture.height / 2 * picture.strideY + picture.width / 2]) - 40 + 4) / 8
    }

    @Test(arguments: ["25", "30", "30000/1001", "7"]) func everyPictureOnceAndInOrderWhateverTheRate(rate: String)
        throws
    {
        let folder = try TestFolder()
        let path = try Self.clip(folder, pictures: 12, rate: rate)
        let reader = try FFmpegVideoReader(.file(path), width: 64, height: 48, framesPerSecond: 30, looping: false)
        var greys: [Int] = []
        while let picture = reader.next() { greys.append(Self.grey(picture)) }
        #expect(greys == Array(0..<12))
        #expect(reader.error == nil)
    }

    @Test func loopsWithoutLosingOrRepeatingAPicture() throws {
        let folder = try TestFolder()
        let path = try Self.clip(folder, pictures: 7, rate: "25")
        let reader = try FFmpegVideoReader(.file(path), width: 64, height: 48)
        var greys: [Int] = []
        for _ in 0..<40 { greys.append(reader.next().map(Self.grey) ?? -1) }
        #expect(greys == (0..<40).map { $0 % 7 })
        reader.close()
        #expect(reader.next() == nil)
    }

    @Test func scalesAndKeepsTheShape() throws {
        let folder = try TestFolder()
        let path = try Self.clip(folder, pictures: 2, rate: "25", size: "64x64")
        // 4:4 into 98x48: bars at the sides; rows with gaps (98 is no multiple of 32).
        let reader = try FFmpegVideoReader(.file(path), width: 98, height: 48, looping: false)
        let picture = try #require(reader.next())
        #expect(picture.width == 98 && picture.height == 48)
        let row = 24 * picture.strideY
        #expect(picture.y[row + 2] == 16 && picture.y[row + 95] == 16)
        #expect(abs(Int(picture.y[row + 49]) - 40) <= 1)
    }

    @Test func backpressureKeepsPicturesForLater() throws {
        let folder = try TestFolder()
        let path = try Self.clip(folder, pictures: 12, rate: "25")
        let reader = try FFmpegVideoReader(.file(path), width: 64, height: 48)
        _ = reader.next()
        usleep(300_000)
        #expect(reader.next().map(Self.grey) == 1)
    }

    @Test func whatCannotBeReadIsOneSentence() throws {
        let folder = try TestFolder()
        let noise = folder.file("noise.mp4")
        try Data((0..<5000).map { UInt8(truncatingIfNeeded: $0 &* 131 >> 3) }).write(to: URL(fileURLWithPath: noise))
        func message(_ body: () throws -> Void) -> String? {
            do {
                try body()
                return nil
            } catch { return (error as? ToolError)?.message }
        }
        let missing = folder.file("missing.mp4")
        #expect(
            message { _ = try FFmpegVideoReader(.file(missing), width: 64, height: 48) }
                == "\(missing) cannot be read: No such file or directory")
        let noiseMessage = try #require(message { _ = try FFmpegVideoReader(.file(noise), width: 64, height: 48) })
        #expect(noiseMessage.hasPrefix("\(noise) cannot be read: ") && !noiseMessage.contains("["))
        #expect(
            message { _ = try FFmpegAudioReader(.file(missing)) }
                == "\(missing) cannot be read: No such file or directory")
        let silent = try Self.clip(folder, pictures: 2, rate: "25")
        #expect(
            message { _ = try FFmpegAudioReader(.file(silent)) } == "\(silent) cannot be used: there is no sound in it")
        #expect(message { _ = try FFmpegVideoReader(.file(noise), width: 63, height: 48) } != nil)
        #expect(message { _ = try FFmpegVideoReader(.camera("/dev/video99"), width: 64, height: 48) } != nil)
    }

    @Test func childrenEndWithTheReader() throws {
        let folder = try TestFolder()
        let path = try Self.clip(folder, pictures: 12, rate: "25")
        let before = ProcessUsage.current().endedChildrenCPUSeconds
        var reader: FFmpegVideoReader? = try FFmpegVideoReader(.file(path), width: 64, height: 48)
        _ = reader?.next()
        let needle = path
        func children() throws -> Int {
            try FileManager.default.contentsOfDirectory(atPath: "/proc").filter { entry in
                guard let line = FileManager.default.contents(atPath: "/proc/\(entry)/cmdline") else { return false }
                let text = String(decoding: line, as: UTF8.self)
                return text.hasPrefix("ffmpeg") && text.contains(needle)
            }.count
        }
        #if os(Linux)
            #expect(try children() == 1)
        #endif
        reader = nil
        #if os(Linux)
            #expect(try children() == 0)
        #endif
        #expect(ProcessUsage.current().endedChildrenCPUSeconds > before)
    }

    @Test func soundIsResampledAndLoops() throws {
        let folder = try TestFolder()
        let path = folder.file("tone.wav")
        let made = try run(
            "ffmpeg",
            [
                "-nostdin", "-v", "error", "-f", "lavfi", "-i", "sine=frequency=1000:sample_rate=16000:duration=0.5",
                path,
            ])
        #expect(made.code == 0)
        let reader = try FFmpegAudioReader(.file(path), channels: 2)
        var samples = [Int16](repeating: 0, count: 2 * 48_000)
        let count = samples.withUnsafeMutableBufferPointer { reader.read(into: $0) }
        #expect(count == samples.count)  // two rounds of the half second
        // 1 kHz: 1,000 rising zero crossings a second, in both channels.
        var crossings = 0
        for index in stride(from: 2, to: count, by: 2) where samples[index - 2] < 0 && samples[index] >= 0 {
            crossings += 1
        }
        #expect(abs(crossings - 1000) < 20)
        #expect((0..<48_000).allSatisfy { samples[2 * $0] == samples[2 * $0 + 1] })
        reader.close()
    }
}

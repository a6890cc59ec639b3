import Foundation
import PetrelCodecs
import Testing

@testable import PetrelDevices

@Suite(.enabled(if: FFmpeg.isThere), .serialized) struct MediaProbeTests {
    /// A film of `seconds` with pictures at this rate and, where asked for, sound that is longer.
    private func film(_ folder: TestFolder, rate: String, sound: String?) throws -> String {
        let path = folder.file("film: a.mkv")
        var arguments = ["-nostdin", "-y", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=64x48:r=\(rate):d=1"]
        if let sound { arguments += ["-f", "lavfi", "-i", sound] }
        arguments += ["-c:v", "ffv1", "-c:a", "pcm_s16le", "file:" + path]
        let result = try run("ffmpeg", arguments)
        try #require(result.code == 0, "\(result.errors)")
        return path
    }

    @Test func tellsPictureAndSound() throws {
        let folder = try TestFolder()
        let path = try film(folder, rate: "30000/1001", sound: "sine=d=1:r=44100,aformat=channel_layouts=stereo")
        let probe = try MediaProbe(file: path)
        #expect(probe.size?.width == 64 && probe.size?.height == 48)
        #expect(abs((probe.framesPerSecond ?? 0) - 29.97) < 0.01)
        #expect(probe.audioChannels == 2)
        let silent = try MediaProbe(file: try film(folder, rate: "12", sound: nil))
        #expect(silent.audioChannels == nil && silent.framesPerSecond == 12)
    }

    @Test func saysWhatCannotBeRead() throws {
        let folder = try TestFolder()
        #expect(throws: ToolError("\(folder.file("no.mp4")) cannot be read: No such file or directory")) {
            try MediaProbe(file: folder.file("no.mp4"))
        }
        try Data("hello\n".utf8).write(to: URL(fileURLWithPath: folder.file("text.mp4")))
        #expect(throws: ToolError.self) { try MediaProbe(file: folder.file("text.mp4")) }
    }

    @Test(arguments: [("25/1", 25.0), ("30000/1001", 30000.0 / 1001)])
    func rates(_ text: String, _ rate: Double) { #expect(MediaProbe.rate(text) == rate) }

    @Test(arguments: ["0/0", "25", "", "a/b", "1/0", "-1/2"]) func noRates(_ text: String) {
        #expect(MediaProbe.rate(text) == nil)
    }

    /// A second of film is a second of pictures whatever rate is asked for, and of sound.
    @Test(arguments: ["10", "25", "50"]) func timeIsKept(_ rate: String) throws {
        let folder = try TestFolder()
        // The sound begins half a second late: silence takes its place.
        let path = try film(folder, rate: rate, sound: "aevalsrc='if(gte(t,0.5),0.5*sin(2000*t),0)':d=1.2:s=48000")
        let video = try FFmpegVideoReader(
            .file(path), width: 64, height: 48, framesPerSecond: 25, looping: false, keepsTime: true)
        var pictures = 0
        while video.next() != nil { pictures += 1 }
        #expect((24...26).contains(pictures))
        let audio = try FFmpegAudioReader(.file(path), looping: false, keepsTime: true)
        var samples = [Int16](repeating: 0, count: 96_000)
        let count = samples.withUnsafeMutableBufferPointer { audio.read(into: $0) }
        #expect((57_000...58_200).contains(count))
        #expect(samples.prefix(23_000).allSatisfy { $0.magnitude < 200 })
        #expect(samples[24_000..<48_000].contains { $0.magnitude > 10_000 })
    }
}

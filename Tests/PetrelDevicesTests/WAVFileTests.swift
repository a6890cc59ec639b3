import Foundation
import PetrelDevices
import Testing

@Suite struct WAVFileTests {
    @Test func readsWhatItWrites() throws {
        let folder = try TestFolder()
        let samples = (0..<2000).map { Int16(truncatingIfNeeded: $0 * 31 - 9000) }
        let writer = try WAVWriter(path: folder.file("a.wav"), channels: 2)
        try samples.withUnsafeBufferPointer { try writer.write(UnsafeBufferPointer(rebasing: $0[..<700])) }
        try samples.withUnsafeBufferPointer { try writer.write(UnsafeBufferPointer(rebasing: $0[700...])) }
        writer.close()
        let file = try WAVFile(path: folder.file("a.wav"))
        #expect(file.sampleRate == 48_000 && file.channels == 2 && file.count == 1000)
        var read = [Int16](repeating: 0, count: 2000)
        let count = read.withUnsafeMutableBufferPointer { file.read(into: $0, from: 0) }
        #expect(count == 2000 && read == samples)
    }

    @Test func readerLoops() throws {
        let folder = try TestFolder()
        let samples = (0..<100).map { Int16($0) }
        let writer = try WAVWriter(path: folder.file("a.wav"), channels: 1)
        try samples.withUnsafeBufferPointer { try writer.write($0) }
        writer.close()
        let reader = try WAVReader(path: folder.file("a.wav"))
        var read = [Int16](repeating: 0, count: 250)
        let count = read.withUnsafeMutableBufferPointer { reader.read(into: $0) }
        #expect(count == 250 && read == (0..<250).map { Int16($0 % 100) })
        reader.close()
        let afterwards = read.withUnsafeMutableBufferPointer { reader.read(into: $0) }
        #expect(afterwards == 0)
    }

    @Test func brokenFilesAreErrorsAndNoTraps() throws {
        let folder = try TestFolder()
        let writer = try WAVWriter(path: folder.file("a.wav"), channels: 1)
        try [Int16](repeating: 1, count: 50).withUnsafeBufferPointer { try writer.write($0) }
        writer.close()
        let whole = try #require(FileManager.default.contents(atPath: folder.file("a.wav")))
        let path = folder.file("b.wav")
        for length in 0..<whole.count {
            try whole.prefix(length).write(to: URL(fileURLWithPath: path))
            _ = try? WAVFile(path: path)
        }
        for position in 0..<44 {
            var damaged = whole
            for value in [UInt8(0), 0x7F, 0xFF] {
                damaged[position] = value
                try damaged.write(to: URL(fileURLWithPath: path))
                _ = try? WAVFile(path: path)
            }
        }
        #expect(throws: ToolError.self) { try WAVFile(path: folder.file("missing.wav")) }
    }

    @Test func readsWhatFFmpegWrites() throws {
        guard FFmpeg.isThere else { return }
        let folder = try TestFolder()
        let path = folder.file("sine.wav")
        _ = try run(
            "ffmpeg", ["-nostdin", "-v", "error", "-f", "lavfi", "-i", "sine=sample_rate=48000:duration=0.25", path])
        let file = try WAVFile(path: path)
        #expect(file.sampleRate == 48_000 && file.channels == 1 && file.count == 12_000)
    }
}

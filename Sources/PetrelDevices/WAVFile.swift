internal import Foundation
internal import Synchronization

/// A WAV file of 16-bit samples, mapped into memory: for 48 kHz files the reader that needs no other program.
public struct WAVFile: Sendable {
    public let sampleRate: Int
    public let channels: Int
    /// Samples per channel.
    public let count: Int
    private let data: Data
    private let start: Int

    /// - Throws: ``ToolError`` where the file cannot be read or is no WAV of 16-bit samples with one or two channels.
    public init(path: String) throws(ToolError) {
        let data: Data
        do {
            data = try Data(contentsOf: URL(fileURLWithPath: path), options: .alwaysMapped)
        } catch {
            throw ToolError("\(path) cannot be read: \(readable(error))")
        }
        guard let layout = Self.layout(data) else {
            throw ToolError("\(path) is no WAV file of 16-bit samples with one or two channels")
        }
        (sampleRate, channels, start) = (layout.rate, layout.channels, layout.start)
        count = layout.bytes / (2 * channels)
        self.data = data
    }

    /// Copies samples (interleaved) from `position` (per channel) on; answers how many were written in all.
    public func read(into samples: UnsafeMutableBufferPointer<Int16>, from position: Int) -> Int {
        guard position >= 0, position < count else { return 0 }
        let available = min(samples.count / channels, count - position) * channels
        let offset = start + position * channels * 2
        // WAV is little-endian, as is every system this is built for.
        data.copyBytes(to: UnsafeMutableRawBufferPointer(samples), from: offset..<(offset + available * 2))
        return available
    }

    private static func layout(_ data: Data) -> (rate: Int, channels: Int, start: Int, bytes: Int)? {
        func integer(_ offset: Int, _ size: Int) -> Int {
            (0..<size).reduce(0) { $0 | Int(data[data.startIndex + offset + $1]) << (8 * $1) }
        }
        func tag(_ offset: Int) -> String { String(decoding: data.dropFirst(offset).prefix(4), as: UTF8.self) }
        guard data.count >= 12, tag(0) == "RIFF", tag(8) == "WAVE" else { return nil }
        var offset = 12
        var format: (rate: Int, channels: Int)?
        while offset + 8 <= data.count {
            let size = integer(offset + 4, 4)
            let body = offset + 8
            if tag(offset) == "fmt ", size >= 16, body + 16 <= data.count {
                // 1 is PCM; 0xFFFE says it in an extension, whose sub-format begins with the same number.
                let kind = integer(body, 2)
                let extended = kind == 0xFFFE && size >= 26 && body + 26 <= data.count ? integer(body + 24, 2) : kind
                let channels = integer(body + 2, 2)
                guard extended == 1, integer(body + 14, 2) == 16, (1...2).contains(channels) else { return nil }
                format = (integer(body + 4, 4), channels)
            } else if tag(offset) == "data", let format {
                // A size too large is that of a file that was being written; what is there counts.
                let bytes = min(size, data.count - body)
                return (format.rate, format.channels, body, bytes - bytes % (2 * format.channels))
            }
            offset = body + size + size % 2
        }
        return nil
    }
}

/// Writes a WAV file of 16-bit samples as they come; the sizes in its head are set by ``close()``.
public final class WAVWriter {
    private let handle: FileHandle
    private let channels: Int
    private let sampleRate: Int
    private var bytes = 0

    public init(path: String, channels: Int, sampleRate: Int = 48_000) throws(ToolError) {
        guard FileManager.default.createFile(atPath: path, contents: nil),
            let handle = FileHandle(forWritingAtPath: path)
        else { throw ToolError("The file \(path) cannot be written") }
        (self.handle, self.channels, self.sampleRate) = (handle, channels, sampleRate)
        try? handle.write(contentsOf: head())
    }

    public func write(_ samples: UnsafeBufferPointer<Int16>) throws(ToolError) {
        do {
            try handle.write(contentsOf: Data(buffer: samples))
        } catch { throw ToolError("The WAV file cannot be written: \(readable(error))") }
        bytes += samples.count * 2
    }

    public func close() {
        try? handle.seek(toOffset: 0)
        try? handle.write(contentsOf: head())
        try? handle.close()
    }

    private func head() -> Data {
        var head = Data()
        func put(_ value: Int, _ size: Int) {
            for byte in 0..<size { head.append(UInt8(truncatingIfNeeded: value >> (8 * byte))) }
        }
        head.append(contentsOf: Array("RIFF".utf8))
        put(36 + bytes, 4)
        head.append(contentsOf: Array("WAVEfmt ".utf8))
        put(16, 4)
        put(1, 2)
        put(channels, 2)
        put(sampleRate, 4)
        put(sampleRate * channels * 2, 4)
        put(channels * 2, 2)
        put(16, 2)
        head.append(contentsOf: Array("data".utf8))
        put(bytes, 4)
        return head
    }
}

/// The sound of a 48 kHz WAV file, over and over.
public final class WAVReader: SoundReader {
    public let name: String
    public let channels: Int
    public var isLive: Bool { false }
    private let file: WAVFile
    private let looping: Bool
    // The next sample per channel; -1 once closed.
    private let position = Mutex(0)

    /// - Throws: ``ToolError`` where the file is none of 48 kHz, or holds nothing.
    public init(path: String, looping: Bool = true) throws(ToolError) {
        file = try WAVFile(path: path)
        guard file.sampleRate == 48_000 else { throw ToolError("\(path) is no WAV file of 48 kHz") }
        guard file.count > 0 else { throw ToolError("\(path) holds no sound") }
        (name, channels, self.looping) = (path, file.channels, looping)
    }

    public func read(into samples: UnsafeMutableBufferPointer<Int16>) -> Int {
        position.withLock { position in
            var written = 0
            while written < samples.count, position >= 0 {
                let got = file.read(
                    into: UnsafeMutableBufferPointer(rebasing: samples[written...]), from: position)
                written += got
                position += got / channels
                if position >= file.count {
                    guard looping else { break }
                    position = 0
                } else if got == 0 {
                    break
                }
            }
            return written
        }
    }

    public func close() { position.withLock { $0 = -1 } }
}

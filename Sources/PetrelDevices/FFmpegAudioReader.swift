internal import Foundation
internal import Synchronization

/// Sound from any file that the `ffmpeg` program reads, or from a microphone through it: 48 kHz, 16 bit.
///
/// The pipe holds some seconds of a file ahead; ffmpeg waits when nobody reads.
public final class FFmpegAudioReader: SoundReader, @unchecked Sendable {
    // @unchecked: what changes lies behind the mutex or belongs to the reading thread.
    public enum Source: Equatable, Sendable {
        case file(String)
        /// A microphone by the name of its ALSA device, for example `default` or `hw:1` (Linux).
        case microphone(String)
    }

    public let name: String
    public let channels: Int
    public var isLive: Bool { if case .microphone = source { true } else { false } }

    private struct State {
        var process: ChildProcess?
        var isClosed = false
        var endedCPUSeconds = 0.0
    }

    private let source: Source
    private let looping: Bool
    private let keepsTime: Bool
    private let state: Mutex<State>
    // The first samples, read to see whether there are any. For the reading thread only.
    private var first: [UInt8] = []
    private var givenSinceStart = true

    /// Starts reading and waits for the first sound.
    /// - Parameter keepsTime: sound comes at the times of the file's own clock, silence where it has a gap, so that it
    ///   stays in step with its pictures.
    /// - Throws: ``ToolError`` with ffmpeg's reason where there is none to be had.
    public init(
        _ source: Source, channels: Int = 1, looping: Bool = true, keepsTime: Bool = false
    ) throws(ToolError) {
        self.source = source
        self.keepsTime = keepsTime
        self.channels = channels == 2 ? 2 : 1
        var plainName: String
        switch source {
        case .file(let path):
            (name, plainName) = (path, path)
            self.looping = looping
        case .microphone(let device):
            (name, plainName) = ("microphone \(device)", device)
            self.looping = false
        }
        let process = try Self.start(
            source, channels: self.channels, looping: self.looping, keepsTime: keepsTime)
        state = Mutex(State(process: process))
        first = [UInt8](repeating: 0, count: 2 * self.channels)
        let count = first.withUnsafeMutableBytes { process.read(into: $0) }
        guard count == first.count else {
            _ = process.waitForEnd()
            throw FFmpegProgram.sentence(about: plainName, kind: "sound", complaint: process.complaint)
        }
    }

    deinit { close() }

    private static func start(
        _ source: Source, channels: Int, looping: Bool, keepsTime: Bool
    ) throws(ToolError) -> ChildProcess {
        var arguments = FFmpegProgram.quiet
        switch source {
        case .file(let path): arguments += FFmpegProgram.input(file: path, looping: looping)
        case .microphone(let device): arguments += ["-f", "alsa", "-i", device]
        }
        if keepsTime { arguments += ["-af", "aresample=async=1:first_pts=0"] }
        arguments += ["-map", "0:a:0", "-vn", "-sn", "-ac", "\(channels)", "-ar", "48000", "-f", "s16le", "pipe:1"]
        return try ChildProcess(program: FFmpegProgram.name, arguments: arguments)
    }

    public func read(into samples: UnsafeMutableBufferPointer<Int16>) -> Int {
        let bytes = UnsafeMutableRawBufferPointer(samples)
        var count = min(first.count, bytes.count)
        if count > 0 {
            bytes.copyBytes(from: first.prefix(count))
            first.removeFirst(count)
        }
        while count < bytes.count, let process = state.withLock({ $0.isClosed ? nil : $0.process }) {
            let got = process.read(into: UnsafeMutableRawBufferPointer(rebasing: bytes[count...]))
            count += got
            if got > 0 { givenSinceStart = true }
            if count < bytes.count && !beginAnew(after: process) { break }
        }
        return count / 2
    }

    /// ffmpeg loops files it can seek in by itself; others are opened anew, as long as they give anything.
    private func beginAnew(after process: ChildProcess) -> Bool {
        let cpu = process.runningCPUSeconds ?? 0
        _ = process.waitForEnd()
        return state.withLock { state in
            guard !state.isClosed else { return false }
            state.endedCPUSeconds += cpu
            state.process = nil
            guard looping, givenSinceStart else { return false }
            givenSinceStart = false
            state.process = try? Self.start(source, channels: channels, looping: looping, keepsTime: keepsTime)
            return state.process != nil
        }
    }

    public var childCPUSeconds: Double {
        state.withLock { $0.endedCPUSeconds + ($0.process?.runningCPUSeconds ?? 0) }
    }

    public func close() {
        let process = state.withLock { state in
            state.isClosed = true
            state.endedCPUSeconds += state.process?.runningCPUSeconds ?? 0
            defer { state.process = nil }
            return state.process
        }
        process?.close()
    }
}

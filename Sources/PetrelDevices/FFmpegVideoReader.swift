internal import Foundation
public import PetrelCodecs

/// Pictures from any file that the `ffmpeg` program reads, or from a camera through it.
///
/// Every picture of a file comes once and in order, whatever its rate; at the end the file begins anew where that is
/// asked. A thread of its own reads a few pictures ahead: of a file it waits when nobody takes them, of a camera it
/// keeps only the newest.
public final class FFmpegVideoReader: PictureReader {
    public enum Source: Equatable, Sendable {
        case file(String)
        /// A camera by the name of its device, for example `/dev/video0` (Linux, v4l2).
        case camera(String)
    }

    public let name: String
    public let width: Int
    public let height: Int
    public let isLive: Bool

    private let engine: PictureEngine

    /// Starts reading and waits for the first picture.
    /// - Parameters:
    ///   - framesPerSecond: the pace asked of a camera; a file is read as fast as its pictures are taken.
    ///   - looping: a file begins anew at its end.
    ///   - keepsTime: pictures come at the pace of the file's own clock, some of them twice or not at all where its rate
    ///     is another one, so that they stay in step with its sound; otherwise each comes once.
    /// - Throws: ``ToolError`` with ffmpeg's reason where there is no picture to be had.
    public init(
        _ source: Source, width: Int, height: Int, framesPerSecond: Int = 30, looping: Bool = true,
        keepsTime: Bool = false
    ) throws(ToolError) {
        guard (16...I420Buffer.maximumSide).contains(width), (16...I420Buffer.maximumSide).contains(height),
            width % 2 == 0, height % 2 == 0
        else {
            throw ToolError(
                "A picture of \(width)x\(height) cannot be made: both sides have to be even, and 16 or more")
        }
        (self.width, self.height) = (width, height)
        var loops = looping
        switch source {
        case .file(let path): name = path
        case .camera(let device):
            name = "camera \(device)"
            loops = false
        }
        isLive = source.isLive
        engine = PictureEngine(
            source, width: width, height: height, framesPerSecond: framesPerSecond, looping: loops,
            keepsTime: keepsTime)
        try engine.begin()
    }

    deinit { engine.close() }

    public func next() -> I420Buffer? { engine.next() }
    /// Why the source ended before its time, if it did.
    public var error: ToolError? { engine.error }
    public var childCPUSeconds: Double { engine.childCPUSeconds }
    public func close() { engine.close() }
}

extension FFmpegVideoReader.Source {
    var isLive: Bool { if case .camera = self { true } else { false } }
}

/// What the reading thread and the reader share. The thread holds on to this and not to the reader, so that dropping
/// the reader ends the thread.
private final class PictureEngine: @unchecked Sendable {
    // @unchecked: what changes is touched only under the condition's lock.
    /// Pictures read ahead: at 720p 1.4 MB each. More of them cover longer waits for the disk and cost memory.
    static let ahead = 4
    /// A file that has given no picture after this long never will, as far as a caller is concerned.
    static let firstPictureSeconds = 20.0

    let source: FFmpegVideoReader.Source
    let width: Int
    let height: Int
    private let framesPerSecond: Int
    private let looping: Bool
    private let keepsTime: Bool
    // Guards everything below; signalled on every change.
    private let condition = NSCondition()
    private var process: ChildProcess?
    private var ready: [I420Buffer] = []
    private var isClosed = false
    private var isAtEnd = false
    private var failure: ToolError?
    private var endedCPUSeconds = 0.0

    init(
        _ source: FFmpegVideoReader.Source, width: Int, height: Int, framesPerSecond: Int, looping: Bool,
        keepsTime: Bool
    ) {
        self.source = source
        (self.width, self.height) = (width, height)
        (self.framesPerSecond, self.looping, self.keepsTime) = (framesPerSecond, looping, keepsTime)
    }

    func begin() throws(ToolError) {
        process = try start()
        let thread = Thread { self.run() }
        thread.name = "petrel.pictures"
        thread.start()
        if let error = waitForFirst() {
            close()
            throw error
        }
    }

    func next() -> I420Buffer? {
        condition.lock()
        defer { condition.unlock() }
        while ready.isEmpty && !isAtEnd && !isClosed { condition.wait() }
        guard !ready.isEmpty, !isClosed else { return nil }
        let picture = ready.removeFirst()
        condition.broadcast()
        return picture
    }

    var error: ToolError? {
        condition.lock()
        defer { condition.unlock() }
        return failure
    }

    var childCPUSeconds: Double {
        condition.lock()
        defer { condition.unlock() }
        return endedCPUSeconds + (process?.runningCPUSeconds ?? 0)
    }

    func close() {
        condition.lock()
        let process = process
        endedCPUSeconds += process?.runningCPUSeconds ?? 0
        self.process = nil
        isClosed = true
        ready.removeAll()
        condition.broadcast()
        condition.unlock()
        process?.close()
    }

    private func start() throws(ToolError) -> ChildProcess {
        let size = "\(width):\(height)"
        var arguments = FFmpegProgram.quiet
        switch source {
        case .file(let path):
            // Two threads decode 1080p in real time; more would only fight with the call for the processor.
            arguments += ["-threads", "2"] + FFmpegProgram.input(file: path, looping: looping)
        case .camera(let device):
            arguments += ["-f", "v4l2", "-framerate", "\(framesPerSecond)", "-video_size", "\(width)x\(height)"]
            arguments += ["-i", device]
        }
        // Numbering the pictures anew makes their rate constant, so that ffmpeg neither drops nor repeats any.
        let filters = [
            "scale=\(size):force_original_aspect_ratio=decrease:flags=bicubic", "pad=\(size):(ow-iw)/2:(oh-ih)/2",
            "format=yuv420p",
            keepsTime ? "fps=\(framesPerSecond):start_time=0" : "setpts=N/(\(framesPerSecond)*TB)",
        ]
        arguments += ["-map", "0:v:0", "-an", "-sn", "-vf", filters.joined(separator: ","), "-r", "\(framesPerSecond)"]
        arguments += ["-f", "rawvideo", "-pix_fmt", "yuv420p", "pipe:1"]
        return try ChildProcess(program: FFmpegProgram.name, arguments: arguments)
    }

    private func waitForFirst() -> ToolError? {
        condition.lock()
        defer { condition.unlock() }
        let deadline = Date().addingTimeInterval(Self.firstPictureSeconds)
        while ready.isEmpty && !isAtEnd {
            if !condition.wait(until: deadline) {
                return ToolError("\(plainName) gave no picture in \(Int(Self.firstPictureSeconds)) s")
            }
        }
        return ready.isEmpty ? failure ?? ToolError("\(plainName) holds no picture") : nil
    }

    /// The reading thread.
    private func run() {
        var pool = I420BufferPool(limit: Self.ahead + 4)
        var scratch: [UInt8] = []
        var pictures = 0
        while let process = currentProcess() {
            let picture = pool.take(width: width, height: height)
            if process.readPicture(into: picture, scratch: &scratch) {
                pictures += 1
                deliver(picture)
            } else {
                guard begin(after: process, gave: pictures) else { return }
                pictures = 0
            }
        }
    }

    private func currentProcess() -> ChildProcess? {
        condition.lock()
        defer { condition.unlock() }
        return isClosed ? nil : process
    }

    private func deliver(_ picture: I420Buffer) {
        condition.lock()
        defer { condition.unlock() }
        if source.isLive {
            ready.removeAll()
        } else {
            while ready.count >= Self.ahead && !isClosed { condition.wait() }
        }
        guard !isClosed else { return }
        ready.append(picture)
        condition.broadcast()
    }

    /// At the end of a process's output: starts the next one where the file loops and did give pictures (ffmpeg does
    /// the looping itself for files it can seek in). Answers whether there is more to read.
    private func begin(after process: ChildProcess, gave pictures: Int) -> Bool {
        let cpu = process.runningCPUSeconds ?? 0
        let code = process.waitForEnd()
        condition.lock()
        defer { condition.unlock() }
        guard !isClosed else { return false }
        endedCPUSeconds += cpu
        if looping && pictures > 0 {
            do throws(ToolError) {
                self.process = try start()
                return true
            } catch { failure = error }
        } else if pictures == 0 || code != 0 {
            failure = FFmpegProgram.sentence(about: plainName, kind: "video", complaint: process.complaint)
        }
        isAtEnd = true
        condition.broadcast()
        return false
    }

    private var plainName: String {
        switch source {
        case .file(let path): path
        case .camera(let device): device
        }
    }
}

extension ChildProcess {
    /// Reads one picture; false at the end of the output.
    fileprivate func readPicture(into picture: I420Buffer, scratch: inout [UInt8]) -> Bool {
        let planes = [
            (picture.y, picture.strideY, picture.width, picture.height),
            (picture.u, picture.strideUV, picture.chromaWidth, picture.chromaHeight),
            (picture.v, picture.strideUV, picture.chromaWidth, picture.chromaHeight),
        ]
        for (memory, stride, width, height) in planes {
            if stride == width {
                guard read(into: UnsafeMutableRawBufferPointer(memory)) == memory.count else { return false }
                continue
            }
            if scratch.count < width * height { scratch = [UInt8](repeating: 0, count: width * height) }
            let count = scratch.withUnsafeMutableBytes {
                read(into: UnsafeMutableRawBufferPointer(rebasing: $0[..<(width * height)]))
            }
            guard count == width * height else { return false }
            scratch.withUnsafeBufferPointer { bytes in
                for row in 0..<height {
                    let line = UnsafeBufferPointer(rebasing: bytes[(row * width)..<((row + 1) * width)])
                    _ = UnsafeMutableBufferPointer(rebasing: memory[(row * stride)...]).update(fromContentsOf: line)
                }
            }
        }
        return true
    }
}

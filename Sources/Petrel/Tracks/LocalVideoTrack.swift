internal import Logging
public import PetrelCodecs
internal import PetrelCongestion
internal import PetrelCore
internal import PetrelIO
internal import PetrelPeer

/// A picture that this endpoint sends.
///
/// Pictures come from a ``VideoSource`` at its pace, or from the application with ``send(_:)``. They are encoded on a
/// thread of the track's own. While the call is not connected, or the track is muted, pictures are let go.
public final class LocalVideoTrack: Sendable {
    struct Settings: Sendable {
        var rate: DataRate
        var isLive = false
        var isMuted = false
        var wantsKeyFrame = true
        var maximumSize: VideoSize?
        var framesPerSecond = 30.0
        var pending: VideoFrame?
        var isClosed = false
        var droppedFrames = 0
        var encodedFrames = 0
        var encodeTime = TimeDelta.zero
        var size = VideoSize(width: 0, height: 0)
        var onEncode: (@Sendable (I420Buffer, _ captureUnixNanoseconds: Int64) -> Void)?
    }

    let id: LocalTrackID
    let name: String
    let settings: Lock<Settings>
    private let engine: CallEngine
    private let encoderThread: WorkerThread
    private let captureThread = Lock<WorkerThread?>(nil)

    init(id: LocalTrackID, name: String, engine: CallEngine, configuration: CallConfiguration) {
        self.id = id
        self.name = name
        self.engine = engine
        let rate = DataRate.kilobitsPerSecond(
            min(configuration.startVideoKilobitsPerSecond, configuration.maximumVideoKilobitsPerSecond))
        let settings = Lock(Settings(rate: rate, maximumSize: configuration.maximumVideoSize))
        self.settings = settings
        encoderThread = WorkerThread { thread in
            VideoEncoding(id: id, settings: settings, engine: engine).run(thread)
        }
    }

    /// Hands over one picture. It is sent as captured now; while the encoder is busy a newer picture takes its place.
    public func send(_ picture: I420Buffer) {
        let frame = VideoFrame(buffer: picture, captureTime: MonotonicClock.now)
        settings.signal { settings in
            guard !settings.isClosed else { return }
            if settings.pending != nil, settings.isLive { settings.droppedFrames += 1 }
            settings.pending = frame
        }
    }

    /// Takes pictures from `source` from now on, in place of the source before. Nil: from the application only.
    public func replaceSource(_ source: (any VideoSource)?) {
        let previous = captureThread.withLock { thread in
            let previous = thread
            thread = source.map { source in
                WorkerThread { [weak self] thread in
                    Pacing.run(thread, rate: source.framesPerSecond) {
                        guard let self, let picture = try source.nextPicture() else { return false }
                        self.send(picture)
                        return true
                    } failed: { error in
                        self?.engine.log(.warning, "a video source ended", ["reason": "\(error)"])
                    }
                }
            }
            return previous
        }
        if let source { settings.withLock { $0.framesPerSecond = source.framesPerSecond } }
        previous?.stop()
    }

    /// Calls `body` with each picture that the encoder takes, and when it was captured (nanoseconds since 1970), on the
    /// encoder's thread.
    public func onEncode(_ body: @escaping @Sendable (I420Buffer, _ captureUnixNanoseconds: Int64) -> Void) {
        settings.withLock { $0.onEncode = body }
    }

    /// While muted nothing is sent; the other side keeps the last picture.
    public var isMuted: Bool {
        get { settings.withLock { $0.isMuted } }
        set {
            settings.withLock { settings in
                // What follows a pause leans on nothing the other side still has.
                if settings.isMuted, !newValue { settings.wantsKeyFrame = true }
                settings.isMuted = newValue
            }
        }
    }

    /// Makes the next picture one that can be decoded alone.
    public func requestKeyFrame() { settings.withLock { $0.wantsKeyFrame = true } }

    /// The largest picture that is sent; larger ones are scaled down, keeping their shape.
    public func limit(to size: VideoSize?) { settings.withLock { $0.maximumSize = size } }

    func setLive(_ live: Bool) {
        settings.signal { settings in
            if live, !settings.isLive { settings.wantsKeyFrame = true }
            settings.isLive = live
        }
    }

    func setRate(_ rate: DataRate) { settings.withLock { $0.rate = rate } }

    func close() {
        settings.signal { $0.isClosed = true }
        captureThread.withLock { $0 }?.join()
        encoderThread.join()
    }
}

/// The encoder and its thread.
private struct VideoEncoding {
    let id: LocalTrackID
    let settings: Lock<LocalVideoTrack.Settings>
    let engine: CallEngine

    private struct Work {
        var frame: VideoFrame
        var rate: DataRate
        var framesPerSecond: Double
        var forceKeyFrame: Bool
        var maximumSize: VideoSize?
        var onEncode: (@Sendable (I420Buffer, Int64) -> Void)?
    }

    func run(_ thread: WorkerThread) {
        let encoder = VP8Encoder()
        var pool = FrameBufferPool(limit: 8)
        while let work = next() {
            work.onEncode?(work.frame.buffer, engine.wallClock.unixNanoseconds(at: work.frame.captureTime))
            let picture = work.maximumSize.map { fit(work.frame.buffer, into: $0) } ?? work.frame.buffer
            let output = pool.take(capacity: 128 * 1024)
            let began = MonotonicClock.now
            do {
                try encoder.setRate(work.rate, framesPerSecond: work.framesPerSecond)
                let ticks = MediaTime(delta: work.frame.captureTime - .zero, clockRate: 90_000).ticks
                guard
                    let result = try encoder.encode(
                        picture, timestamp90k: ticks, forceKeyFrame: work.forceKeyFrame, into: output)
                else { continue }
                settings.withLock { settings in
                    settings.encodedFrames += 1
                    settings.encodeTime += MonotonicClock.now - began
                    settings.size = VideoSize(width: picture.width, height: picture.height)
                }
                engine.sendVideo(output, isKeyFrame: result.isKeyFrame, track: id, captured: work.frame.captureTime)
            } catch {
                engine.log(.error, "a picture could not be encoded", ["reason": "\(error)"])
                settings.withLock { $0.wantsKeyFrame = true }
            }
        }
    }

    private func next() -> Work? {
        let work: Work?? = settings.wait { settings in
            if settings.isClosed { return .some(nil) }
            guard settings.isLive, !settings.isMuted, let frame = settings.pending else { return nil }
            settings.pending = nil
            defer { settings.wantsKeyFrame = false }
            return Work(
                frame: frame, rate: settings.rate, framesPerSecond: settings.framesPerSecond,
                forceKeyFrame: settings.wantsKeyFrame, maximumSize: settings.maximumSize, onEncode: settings.onEncode)
        }
        return work ?? nil
    }

    private func fit(_ picture: I420Buffer, into size: VideoSize) -> I420Buffer {
        guard picture.width > size.width || picture.height > size.height else { return picture }
        let scale = min(
            Double(size.width) / Double(picture.width), Double(size.height) / Double(picture.height))
        let width = max(2, Int(Double(picture.width) * scale) / 2 * 2)
        let height = max(2, Int(Double(picture.height) * scale) / 2 * 2)
        return picture.scaled(width: width, height: height)
    }
}

/// Calls something at a steady pace: the deadlines lie on a grid, so that lateness does not add up.
enum Pacing {
    static func run(
        _ thread: WorkerThread, rate: Double, _ body: () throws -> Bool, failed: (any Error) -> Void
    ) {
        let interval = TimeDelta.seconds(1 / max(0.1, rate))
        var start = MonotonicClock.now
        var step = 0
        while thread.sleep(until: start + interval * step) {
            do {
                guard try body() else { return }
            } catch {
                failed(error)
                return
            }
            step += 1
            // A source that blocked for long is not caught up with in a burst.
            if MonotonicClock.now - (start + interval * step) > .milliseconds(500) {
                start = MonotonicClock.now
                step = 0
            }
        }
    }
}

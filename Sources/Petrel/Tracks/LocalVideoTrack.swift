internal import Logging
public import PetrelCodecs
internal import PetrelCongestion
internal import PetrelCore
internal import PetrelIO
internal import PetrelPeer
internal import PetrelWire

/// A picture that this endpoint sends.
///
/// Pictures come from a ``VideoSource`` at its pace, or from the application with ``send(_:)``. They are encoded on a
/// thread of the track's own. While the track cannot be sent or is muted, pictures are let go.
public final class LocalVideoTrack: Sendable {
    struct Settings: Sendable {
        /// The share of the path that this track has.
        var rate: DataRate
        /// The application's own limit for it.
        var maximumRate: DataRate?
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
        /// Whether the other side tells which frames it has, and what follows from it.
        var usesFrameReferences = false
        var keeper = ReferenceKeeper()
        var frameNumber: Int64 = 0
        var roundTrip = TimeDelta.milliseconds(100)
        var patience = TimeDelta.milliseconds(300)

        var target: DataRate { maximumRate.map { min($0, rate) } ?? rate }
    }

    /// A picture that waited for longer until the track could be sent is not sent as if it were new.
    static let longestWait = TimeDelta.milliseconds(200)

    let id: LocalTrackID
    /// The number of the track within the call, as in ``CallStatistics/Outbound/trackNumber``.
    public var number: Int { id.number }
    let settings: Lock<Settings>
    private let engine: CallEngine
    private let encoderThread: WorkerThread
    private let source = SourceThread()

    init(id: LocalTrackID, engine: CallEngine, rate: DataRate, maximumSize: VideoSize?) throws(ThreadError) {
        self.id = id
        self.engine = engine
        let settings = Lock(Settings(rate: rate, maximumSize: maximumSize))
        self.settings = settings
        encoderThread = try WorkerThread { _ in VideoEncoding(id: id, settings: settings, engine: engine).run() }
    }

    /// Hands over one picture. It is sent as captured now; while the encoder is busy a newer picture takes its place.
    public func send(_ picture: I420Buffer) {
        let frame = VideoFrame(buffer: picture, captureTime: MonotonicClock.now)
        settings.signal { settings in
            guard !settings.isClosed, !settings.isMuted else { return }
            if settings.pending != nil, settings.isLive { settings.droppedFrames += 1 }
            settings.pending = frame
        }
    }

    /// Takes pictures from `source` from now on, in place of the source before. Nil: from the application only.
    ///
    /// The source is asked at its pace as long as the call lasts, connected or not, like a camera.
    public func replaceSource(_ source: (any VideoSource)?) {
        if let source { settings.withLock { $0.framesPerSecond = source.framesPerSecond } }
        let body = source.map { source in
            { @Sendable [weak self] (thread: WorkerThread) in
                Pacing.run(thread, rate: source.framesPerSecond) {
                    guard let picture = try source.nextPicture(), let self else { return false }
                    // Another source took its place while it was asked.
                    guard !thread.isStopped else { return false }
                    self.send(picture)
                    return true
                } failed: { error in
                    self?.engine.log(.warning, "a video source ended", ["reason": "\(error)"])
                }
            }
        }
        do { try self.source.replace(body) } catch {
            engine.log(.error, "a video source cannot be asked", ["reason": "\(error)"])
        }
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
            settings.signal { settings in
                // What follows a pause leans on nothing the other side still has.
                if settings.isMuted, !newValue { settings.wantsKeyFrame = true }
                settings.isMuted = newValue
                settings.pending = nil
            }
        }
    }

    /// Makes the next picture one that can be decoded alone.
    public func requestKeyFrame() { settings.withLock { $0.wantsKeyFrame = true } }

    /// The largest picture that is sent from now on; larger ones are scaled down, keeping their shape. Nil: no limit.
    public func limit(to size: VideoSize?) { settings.withLock { $0.maximumSize = size } }

    /// The most that this track takes from now on, in kbit/s, beside the limits of the call. Nil: those alone.
    public func limit(kilobitsPerSecond: Int?) {
        settings.withLock { $0.maximumRate = kilobitsPerSecond.map { .kilobitsPerSecond(max(10, $0)) } }
    }

    /// Notes what the other side has decoded.
    func acknowledge(_ frames: AcknowledgedFrames) {
        settings.withLock { settings in
            (settings.roundTrip, settings.patience) = (frames.roundTrip, frames.patience)
            settings.keeper.acknowledge(
                newest: frames.newest, earlier: frames.earlier, count: frames.count, now: MonotonicClock.now)
        }
    }

    func setLive(_ live: Bool, usesFrameReferences: Bool = false) {
        settings.signal { settings in
            if usesFrameReferences != settings.usesFrameReferences {
                settings.usesFrameReferences = usesFrameReferences
                settings.wantsKeyFrame = true
            }
            if live, !settings.isLive {
                settings.wantsKeyFrame = true
                let isStale = settings.pending.map { MonotonicClock.now - $0.captureTime > Self.longestWait }
                if isStale == true { settings.pending = nil }
            }
            settings.isLive = live
        }
    }

    func setRate(_ rate: DataRate) { settings.withLock { $0.rate = rate } }

    /// Stops the threads and waits for them.
    func close() async {
        settings.signal { settings in
            settings.isClosed = true
            settings.pending = nil
        }
        await source.close()
        await encoderThread.ended()
        settings.withLock { $0.onEncode = nil }
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

    func run() {
        let encoder = VP8Encoder()
        var pool = FrameBufferPool(limit: 8)
        while let work = next() {
            work.onEncode?(work.frame.buffer, engine.wallClock.unixNanoseconds(at: work.frame.captureTime))
            let picture = work.maximumSize.map { fit(work.frame.buffer, into: $0) } ?? work.frame.buffer
            let output = pool.take(capacity: 128 * 1024)
            let began = MonotonicClock.now
            do {
                let plan = self.plan(isKeyFrameWanted: work.forceKeyFrame)
                try encoder.setRate(work.rate, framesPerSecond: work.framesPerSecond)
                let ticks = MediaTime(delta: work.frame.captureTime - .zero, clockRate: 90_000).ticks
                guard
                    let result = try encoder.encode(
                        picture, timestamp90k: ticks, forceKeyFrame: plan?.isKeyFrame ?? work.forceKeyFrame,
                        references: plan?.references, into: output)
                else { continue }
                let dependency = settings.withLock { settings -> FrameDependency? in
                    settings.encodedFrames += 1
                    settings.encodeTime += MonotonicClock.now - began
                    settings.size = VideoSize(width: picture.width, height: picture.height)
                    guard let plan else { return nil }
                    settings.frameNumber += 1
                    settings.keeper.encoded(
                        settings.frameNumber, plan: plan, isKeyFrame: result.isKeyFrame, now: MonotonicClock.now)
                    return plan.dependency(number: settings.frameNumber, isKeyFrame: result.isKeyFrame)
                }
                engine.sendVideo(
                    output, isKeyFrame: result.isKeyFrame, track: id, captured: work.frame.captureTime,
                    dependency: dependency,
                    onDrop: { [settings] number in settings.withLock { $0.keeper.lost(number) } })
            } catch {
                engine.log(.error, "a picture could not be encoded", ["reason": "\(error)"])
                settings.withLock { $0.wantsKeyFrame = true }
            }
        }
    }

    /// What the next frame leans on, where the other side tells which frames it has.
    private func plan(isKeyFrameWanted: Bool) -> ReferenceKeeper.Plan? {
        settings.withLock { settings in
            guard settings.usesFrameReferences else { return nil }
            if isKeyFrameWanted { settings.keeper.requireKeyFrame() }
            return settings.keeper.plan(
                now: MonotonicClock.now, roundTrip: settings.roundTrip, patience: settings.patience)
        }
    }

    private func next() -> Work? {
        let work: Work?? = settings.wait { settings in
            if settings.isClosed { return .some(nil) }
            guard settings.isLive, !settings.isMuted, let frame = settings.pending else { return nil }
            settings.pending = nil
            defer { settings.wantsKeyFrame = false }
            return Work(
                frame: frame, rate: settings.target, framesPerSecond: settings.framesPerSecond,
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

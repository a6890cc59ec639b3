internal import Logging
public import PetrelCodecs
public import PetrelCore
internal import PetrelIO
internal import PetrelMedia
internal import PetrelPeer
internal import PetrelPlayout

/// A picture as it is to be shown now.
public struct RenderedVideoFrame: Sendable {
    /// The picture.
    public var picture: I420Buffer
    /// When it was captured, on the wall clock of the sender, in nanoseconds since 1970; nil while not known.
    public var captureUnixNanoseconds: Int64?
    /// RTP timestamp, extended to 64 bits; 90 kHz.
    public var timestamp: Int64
    /// When it was handed over, on `Instant`'s monotonic clock.
    public var renderedAt: Instant
}

/// An encoded picture as it was received, for recording: handed over when it was decoded.
public struct ReceivedVideoFrame: Sendable {
    /// The VP8 frame. Its bytes may be used again once the call that brought it has returned.
    public var payload: FrameBuffer
    public var isKeyFrame: Bool
    public var timestamp: Int64
    public var arrivedAt: Instant
}

/// A picture that the other side sends. It is decoded on a thread of the track's own and handed over when it is due.
public final class RemoteVideoTrack: Sendable {
    struct Counters: Sendable {
        var playout = VideoReceiver.Statistics()
        var freezes = FreezeDetector()
        var size = VideoSize(width: 0, height: 0)
        var decoderErrors = 0
    }

    let id: RemoteTrackID
    /// The number of the track within the call.
    public var number: Int { id.number }
    /// The name of the stream it belongs to, if the other side gave one.
    public let stream: String?
    private let frames = Mailbox<EncodedVideoFrame>(limit: VideoReceiver.maximumFrames)
    /// On the driver's thread only: frames were thrown away, and what leans on them must not reach the decoder.
    private let awaitsKeyFrame = Lock(false)
    private let rendered = SinkList<RenderedVideoFrame>()
    private let encoded = SinkList<ReceivedVideoFrame>()
    let counters = Lock(Counters())
    private let engine: CallEngine
    private let thread: WorkerThread

    init(
        id: RemoteTrackID, stream: String?, engine: CallEngine, sync: SyncGroup, clock: WallClock
    ) throws(ThreadError) {
        self.id = id
        self.stream = stream
        self.engine = engine
        let (frames, rendered, encoded, counters) = (frames, rendered, encoded, counters)
        thread = try WorkerThread { thread in
            VideoDecoding(
                id: id, frames: frames, rendered: rendered, encoded: encoded, counters: counters, engine: engine,
                sync: sync, clock: clock
            ).run(thread)
            rendered.end()
            encoded.end()
            // Nobody takes them any more.
            frames.close()
            frames.removeAll()
        }
    }

    /// Calls `body` with each picture when it is due, on the track's thread. It should return within a few
    /// milliseconds: the next picture waits for it.
    public func onFrame(_ body: @escaping @Sendable (RenderedVideoFrame) -> Void) { rendered.add(body) }

    /// Calls `body` with each encoded picture as it came, on the track's thread, before it is decoded.
    public func onEncodedFrame(_ body: @escaping @Sendable (ReceivedVideoFrame) -> Void) { encoded.add(body) }

    /// The pictures from now on as a sequence, the newest two at the most where the reader is slow. It ends with the
    /// track or the call.
    public var pictures: AsyncStream<RenderedVideoFrame> { rendered.stream(newest: 2) }

    /// Takes a frame for the decoder. On the driver's thread.
    func post(_ frame: EncodedVideoFrame) {
        let isUsable = awaitsKeyFrame.withLock { awaits in
            if frame.isKeyFrame { awaits = false }
            return !awaits
        }
        guard isUsable, !frames.post(frame), !frames.isClosed else { return }
        // The decoder's thread has been held up for seconds (by a sink that does not return): its backlog is stale, and
        // without the frame that went every later one would be decoded from wrong pictures.
        frames.removeAll()
        awaitsKeyFrame.withLock { $0 = true }
        engine.requireKeyFrame(id)
    }

    /// Asks the other side for a picture that can be decoded alone.
    public func requestKeyFrame() { engine.requireKeyFrame(id) }

    /// Whether the other side, or this one, has ended it.
    var hasEnded: Bool { thread.isStopped }

    /// Asks the thread to end.
    func stop() {
        thread.stop()
        frames.close()
    }

    /// Ends the thread and waits for it.
    func close() async {
        stop()
        await thread.ended()
    }
}

/// The decoder and its thread.
private struct VideoDecoding {
    let id: RemoteTrackID
    let frames: Mailbox<EncodedVideoFrame>
    let rendered: SinkList<RenderedVideoFrame>
    let encoded: SinkList<ReceivedVideoFrame>
    let counters: Lock<RemoteVideoTrack.Counters>
    let engine: CallEngine
    let sync: SyncGroup
    let clock: WallClock

    func run(_ thread: WorkerThread) {
        var playout = VideoReceiver()
        var waiting: [(id: Int64, frame: EncodedVideoFrame)] = []
        var pictures: [(id: Int64, picture: I420Buffer)] = []
        var pool = I420BufferPool()
        var next: Int64 = 0
        guard let decoder = try? VP8Decoder() else {
            engine.log(.error, "no VP8 decoder", [:])
            return
        }
        while !thread.isStopped {
            let arrived = frames.take(until: playout.nextDeadline ?? .distantFuture)
            if arrived == nil, frames.isClosed { return }
            if let frame = arrived {
                next += 1
                let note = VideoReceiver.Frame(
                    id: next, timestamp: frame.timestamp, captureTime: frame.captureTime.map { clock.instant(of: $0) },
                    size: frame.payload.count, isKeyFrame: frame.isKeyFrame, repairDelay: frame.repairDelay)
                encoded.yield(
                    ReceivedVideoFrame(
                        payload: frame.payload, isKeyFrame: frame.isKeyFrame, timestamp: frame.timestamp,
                        arrivedAt: frame.completed))
                if case .accept = playout.insert(note, arrival: frame.completed) { waiting.append((next, frame)) }
            }
            decode(&playout, decoder, &waiting, &pictures, &pool)
            render(&playout, &pictures)
            if playout.needsKeyFrame { engine.requireKeyFrame(id) }
            let (statistics, freezes) = (playout.statistics, playout.freezes)
            counters.withLock { ($0.playout, $0.freezes) = (statistics, freezes) }
        }
    }

    private func decode(
        _ playout: inout VideoReceiver, _ decoder: VP8Decoder, _ waiting: inout [(id: Int64, frame: EncodedVideoFrame)],
        _ pictures: inout [(id: Int64, picture: I420Buffer)], _ pool: inout I420BufferPool
    ) {
        guard let order = playout.nextDecode(at: MonotonicClock.now) else { return }
        waiting.removeAll { $0.id < order.id }
        guard let index = waiting.firstIndex(where: { $0.id == order.id }) else {
            playout.decoded(order.id, took: .zero, hasPicture: false, failed: true)
            return
        }
        let frame = waiting.remove(at: index).frame
        let began = MonotonicClock.now
        do {
            let shown = try decoder.decode(frame.payload.bytes)
            let picture = shown && !order.isReferenceOnly ? decoder.copy(from: &pool) : nil
            playout.decoded(order.id, took: MonotonicClock.now - began, hasPicture: picture != nil)
            if let picture { pictures.append((order.id, picture)) }
        } catch {
            playout.decoded(order.id, took: MonotonicClock.now - began, hasPicture: false, failed: true)
            counters.withLock { $0.decoderErrors += 1 }
            engine.requireKeyFrame(id)
        }
    }

    private func render(_ playout: inout VideoReceiver, _ pictures: inout [(id: Int64, picture: I420Buffer)]) {
        let now = MonotonicClock.now
        guard let order = playout.nextRender(at: now) else { return }
        let picture = pictures.first { $0.id == order.id }?.picture
        pictures.removeAll { $0.id <= order.id }
        guard let picture else { return }
        if let captured = order.captureTime {
            let delay = AVSync.StreamDelay(
                captureToRender: now - captured, buffer: playout.timeline.currentDelay, own: playout.timeline.ownDelay)
            playout.setMinimumDelay(sync.video(delay, now: now))
        }
        counters.withLock { $0.size = VideoSize(width: picture.width, height: picture.height) }
        rendered.yield(
            RenderedVideoFrame(
                picture: picture, captureUnixNanoseconds: order.captureTime.map { clock.unixNanoseconds(at: $0) },
                timestamp: order.timestamp, renderedAt: now))
    }
}

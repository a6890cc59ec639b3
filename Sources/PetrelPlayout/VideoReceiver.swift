public import PetrelCore

/// Orders the decoding and rendering of complete frames that come in decode order: which frame next, when, and which
/// to leave out when behind. It holds numbers only, not frames or pictures.
///
/// Use: `insert` each frame; while `nextDecode` names one, decode it and say `decoded`; when `nextRender` names one,
/// show it and release every picture with a lower id. Ask again at ``nextDeadline``.
public struct VideoReceiver: Sendable {
    /// A complete frame as it came.
    public struct Frame: Sendable, Hashable {
        /// Increases in decode order.
        public var id: Int64
        /// Extended RTP timestamp, 90 kHz.
        public var timestamp: Int64
        /// On the local clock, where known (``CaptureClockMapping``).
        public var captureTime: Instant?
        /// In bytes.
        public var size: Int
        public var isKeyFrame: Bool
        /// What frames should wait for repair beyond the fastest arrival.
        public var repairDelay: TimeDelta

        public init(
            id: Int64, timestamp: Int64, captureTime: Instant? = nil, size: Int, isKeyFrame: Bool,
            repairDelay: TimeDelta = .zero
        ) {
            self.repairDelay = repairDelay
            self.id = id
            self.timestamp = timestamp
            self.captureTime = captureTime
            self.size = size
            self.isKeyFrame = isKeyFrame
        }
    }

    /// A frame to decode now.
    public struct DecodeOrder: Sendable, Hashable {
        /// The caller's number of the frame.
        public var id: Int64
        public var renderTime: Instant
        /// The frame comes too late to be shown, a newer one is due already: decode it for reference only.
        public var isReferenceOnly: Bool
    }

    /// A picture to show now.
    public struct RenderOrder: Sendable, Hashable {
        /// The caller's number of the frame, its extended timestamp, and when it was captured.
        public var id: Int64
        public var timestamp: Int64
        public var captureTime: Instant?
        /// When it should have been shown; in the past where it was late.
        public var renderTime: Instant
        /// Decoded pictures that were left out because this one was due as well.
        public var skipped: Int
    }

    /// Counters named as in W3C webrtc-stats where it has a name.
    public struct Statistics: Sendable, Hashable {
        /// Frames that came in, key frames of them, and frames decoded and rendered.
        public var framesReceived: UInt64 = 0
        public var keyFramesReceived: UInt64 = 0
        public var framesDecoded: UInt64 = 0
        public var framesRendered: UInt64 = 0
        /// Frames that were never shown: skipped, refused by the decoder, or beyond the backlog.
        public var framesDropped: UInt64 = 0
        /// Shown after their render time by more than 5 ms.
        public var framesLate: UInt64 = 0
        public var totalDecodeTime = 0.0
        /// Sum over decoded frames of the time from arrival to decoding, in seconds.
        public var jitterBufferDelay = 0.0
        public var jitterBufferTargetDelay = 0.0
        public var jitterBufferMinimumDelay = 0.0
        public var jitterBufferEmittedCount: UInt64 = 0

        public init() {}
    }

    /// Frames held at most, decoded or not: 4 s at 30 fps. If it grows, so does the memory a stalled decoder costs.
    public static let maximumFrames = 120
    /// Decoded pictures that wait at most; decoding pauses beyond. Each is 1.4 MB at 720p.
    public static let maximumPictures = 6

    /// For no longer than this, late frames are decoded without being shown to catch up: 80 ms.
    public static let longestSkip: TimeDelta = .milliseconds(80)

    /// When frames are due.
    public private(set) var timeline: VideoTimeline
    public private(set) var statistics = Statistics()
    public private(set) var freezes = FreezeDetector()
    /// True while frames are refused until the next key frame: the backlog was full, or the decoder lost its
    /// reference. Ask the sender for one.
    public private(set) var needsKeyFrame = false

    private enum State { case waiting, decoding, decoded }
    private struct Entry {
        var frame: Frame
        var arrival: Instant
        var renderTime: Instant
        var state: State
    }
    private var entries: [Entry] = []
    private var lastID: Int64?
    private var lastRender: Instant?

    /// Creates a receiver that has seen nothing yet.
    public init(configuration: VideoTimeline.Configuration = .init()) {
        timeline = VideoTimeline(configuration: configuration)
        entries.reserveCapacity(Self.maximumFrames)
    }

    /// See ``VideoTimeline/setMinimumDelay(_:)``.
    public mutating func setMinimumDelay(_ delay: TimeDelta) { timeline.setMinimumDelay(delay) }

    /// The number of frames held.
    public var frameCount: Int { entries.count }

    /// Takes a complete frame, in decode order.
    /// - Returns: `accept`; or `rtpTooOld` where its id does not follow, `bufferFull` where the backlog has no room
    ///   or a key frame is awaited.
    public mutating func insert(_ frame: Frame, arrival: Instant) -> Verdict {
        if let lastID, frame.id <= lastID { return .drop(.rtpTooOld) }
        statistics.framesReceived += 1
        if frame.isKeyFrame {
            statistics.keyFramesReceived += 1
            // Behind, and a fresh start is here: nothing older is worth decoding.
            if needsKeyFrame || isBehind(at: arrival) { dropWaiting() }
            needsKeyFrame = false
        }
        if entries.count >= Self.maximumFrames { needsKeyFrame = true }
        guard !needsKeyFrame else {
            statistics.framesDropped += 1
            return .drop(.bufferFull)
        }
        lastID = frame.id
        timeline.setRepairDelay(frame.repairDelay)
        let render = timeline.insert(timestamp: frame.timestamp, size: frame.size, arrival: arrival)
        entries.append(Entry(frame: frame, arrival: arrival, renderTime: render, state: .waiting))
        return .accept
    }

    /// The frame to decode at `now`, if any. One at a time: say ``decoded(_:at:took:hasPicture:)`` before the next.
    public mutating func nextDecode(at now: Instant) -> DecodeOrder? {
        guard let index = decodable, now >= decodeTime(index) else { return nil }
        entries[index].state = .decoding
        let entry = entries[index]
        statistics.jitterBufferDelay += max(0, (now - entry.arrival).seconds)
        statistics.jitterBufferTargetDelay += timeline.targetDelay.seconds
        statistics.jitterBufferMinimumDelay += timeline.jitterDelay.seconds
        statistics.jitterBufferEmittedCount += 1
        let newerIsDue = index + 1 < entries.count && entries[index + 1].renderTime <= now
        // A decoder that is always behind must show something now and then.
        let starves = lastRender.map { now - $0 > Self.longestSkip } ?? true
        return DecodeOrder(id: entry.frame.id, renderTime: entry.renderTime, isReferenceOnly: newerIsDue && !starves)
    }

    /// Notes the end of decoding.
    /// - Parameters:
    ///   - took: how long the decoder worked on it.
    ///   - hasPicture: whether there is a picture to show; false for an order that was for reference only.
    ///   - failed: the decoder refused the frame: what follows needs a key frame.
    public mutating func decoded(_ id: Int64, took: TimeDelta, hasPicture: Bool, failed: Bool = false) {
        guard let index = entries.firstIndex(where: { $0.frame.id == id && $0.state == .decoding }) else { return }
        timeline.decoded(took: took)
        statistics.totalDecodeTime += max(0, took.seconds)
        if failed {
            statistics.framesDropped += 1
            entries.remove(at: index)
            dropWaiting()
            needsKeyFrame = true
            return
        }
        statistics.framesDecoded += 1
        if hasPicture {
            entries[index].state = .decoded
        } else {
            statistics.framesDropped += 1
            entries.remove(at: index)
        }
    }

    /// The picture to show at `now`, if one is due: the newest due one. Pictures with lower ids are never asked for
    /// again.
    public mutating func nextRender(at now: Instant) -> RenderOrder? {
        var due: Int?
        for index in entries.indices {
            guard entries[index].state == .decoded, entries[index].renderTime <= now else { break }
            due = index
        }
        guard let due else { return nil }
        let entry = entries[due]
        entries.removeSubrange(...due)
        statistics.framesDropped += UInt64(due)
        statistics.framesRendered += 1
        if now - entry.renderTime > .milliseconds(5) { statistics.framesLate += 1 }
        freezes.rendered(at: now)
        lastRender = now
        return RenderOrder(
            id: entry.frame.id, timestamp: entry.frame.timestamp, captureTime: entry.frame.captureTime,
            renderTime: entry.renderTime, skipped: due)
    }

    /// When there will be something to decode or to render; nil where only a new frame or the end of a decoding
    /// can change that.
    public var nextDeadline: Instant? {
        var deadline: Instant?
        if let index = decodable { deadline = decodeTime(index) }
        if let first = entries.first, first.state == .decoded {
            deadline = min(deadline ?? .distantFuture, first.renderTime)
        }
        return deadline
    }

    /// Notes an intended pause (muted, hidden): the gap over it is no freeze.
    public mutating func pause() { freezes.pause() }

    private var decodable: Int? {
        var pictures = 0
        for index in entries.indices {
            switch entries[index].state {
            case .decoded: pictures += 1
            case .decoding: return nil
            case .waiting: return pictures < Self.maximumPictures ? index : nil
            }
        }
        return nil
    }

    /// Early enough to be ready, and at once while hardly any picture waits: an idle decoder is lost time.
    private func decodeTime(_ index: Int) -> Instant {
        let entry = entries[index]
        if index < 2 { return entry.arrival }
        return max(entry.arrival, entry.renderTime - timeline.decodeAllowance * 2 - .milliseconds(10))
    }

    private func isBehind(at now: Instant) -> Bool {
        guard let waiting = entries.first(where: { $0.state == .waiting }) else { return false }
        return now - waiting.renderTime > .milliseconds(200)
    }

    private mutating func dropWaiting() {
        let before = entries.count
        entries.removeAll { $0.state == .waiting }
        statistics.framesDropped += UInt64(before - entries.count)
    }
}

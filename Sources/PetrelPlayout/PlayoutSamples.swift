/// Decoded sound on its way to the listener: what has just been played (for pitch search), what waits, and where
/// each stretch of it came from. One allocation at creation; samples are interleaved.
final class PlayoutSamples {
    /// Samples of one origin that follow each other.
    struct Segment {
        var count: Int
        var kind: AudioPull.Kind
        /// RTP timestamp of the first sample; `Int64.min` where there is none.
        var timestamp: Int64
        /// Capture time of the first sample in nanoseconds; `Int64.min` where it is not known.
        var capture: Int64
    }

    /// Played samples kept per channel: the longest pitch lag and the window compared with it.
    static let historyLength = 1440
    /// Waiting samples per channel at most: two of the longest packets and a few blocks. If it shrank below that,
    /// a packet could find no room.
    static let capacity = 2 * AudioTicks.longestPacket + 8 * AudioTicks.block
    /// Segments at most; beyond it, the newest two become one.
    static let segmentLimit = 48

    let channels: Int
    private let storage: UnsafeMutableBufferPointer<Int16>
    /// Index of the first waiting sample, per channel.
    private var head = PlayoutSamples.historyLength
    /// Waiting samples per channel.
    private(set) var count = 0
    private(set) var segments: [Segment] = []

    init(channels: Int) {
        self.channels = channels
        storage = .allocate(capacity: (Self.historyLength + 2 * Self.capacity) * channels)
        storage.initialize(repeating: 0)
        segments.reserveCapacity(Self.segmentLimit + 1)
    }

    deinit { storage.deallocate() }

    /// The memory behind the waiting samples, with room for `room` samples per channel.
    /// - Precondition: `room` does not exceed ``capacity`` less ``count``: the receiver decodes only when little waits.
    func tail(room: Int) -> UnsafeMutableBufferPointer<Int16> {
        precondition(room >= 0 && count + room <= Self.capacity, "playout samples out of room")
        if head + count + room > Self.historyLength + 2 * Self.capacity { compact() }
        let start = (head + count) * channels
        return UnsafeMutableBufferPointer(rebasing: storage[start..<(start + room * channels)])
    }

    /// Counts samples that were written to ``tail(room:)``.
    func append(_ segment: Segment) {
        guard segment.count > 0 else { return }
        count += segment.count
        if let last = segments.indices.last {
            let previous = segments[last]
            // Decoded segments stay apart: each has its own capture time, and clocks drift.
            let merge =
                previous.kind == segment.kind && previous.timestamp == .min && segment.timestamp == .min
                && previous.capture == .min && segment.capture == .min
            if merge || segments.count >= Self.segmentLimit {
                segments[last].count += segment.count
                return
            }
        }
        segments.append(segment)
    }

    /// The first waiting sample; history lies before it, ``historyLength`` samples long.
    var front: UnsafeMutablePointer<Int16> {
        // The storage is never empty: it is allocated once with a positive size.
        storage.baseAddress.unsafelyUnwrapped + head * channels
    }

    /// The segment of the first waiting sample.
    var first: Segment? { segments.first }

    /// Whether the first `samples` waiting samples were all decoded from packets.
    func isDecoded(first samples: Int) -> Bool {
        var rest = samples
        for segment in segments {
            guard segment.kind == .normal || segment.kind == .silence else { return false }
            rest -= segment.count
            if rest <= 0 { return true }
        }
        return false
    }

    /// Moves `samples` waiting samples into the history.
    func consume(_ samples: Int) {
        head += samples
        count -= samples
        advanceSegments(samples)
    }

    /// Removes `samples` samples right after the first `keep`, which the caller has already blended into what follows.
    func remove(_ samples: Int, after keep: Int) {
        let base = front
        let from = (keep + samples) * channels
        (base + keep * channels).update(from: base + from, count: (count - keep - samples) * channels)
        count -= samples
        advanceSegments(samples)
    }

    /// Moves the waiting samples from `keep` on back by `samples`; the caller then fills the hole.
    func open(_ samples: Int, after keep: Int) {
        _ = tail(room: samples)
        let base = front
        (base + (keep + samples) * channels).update(from: base + keep * channels, count: (count - keep) * channels)
        count += samples
        if !segments.isEmpty {
            segments[0].count += samples
            if segments[0].timestamp != .min { segments[0].timestamp -= Int64(samples) }
            if segments[0].capture != .min { segments[0].capture -= Self.nanoseconds(samples) }
        }
    }

    /// Forgets what waits.
    func drop() {
        count = 0
        segments.removeAll(keepingCapacity: true)
    }

    static func nanoseconds(_ samples: Int) -> Int64 { Int64(samples) * 62_500 / 3 }

    private func advanceSegments(_ samples: Int) {
        var rest = samples
        while rest > 0, !segments.isEmpty {
            let part = min(rest, segments[0].count)
            segments[0].count -= part
            if segments[0].timestamp != .min { segments[0].timestamp += Int64(part) }
            if segments[0].capture != .min { segments[0].capture += Self.nanoseconds(part) }
            rest -= part
            if segments[0].count == 0 { segments.removeFirst() }
        }
    }

    private func compact() {
        guard let base = storage.baseAddress else { return }
        let from = head - Self.historyLength
        base.update(from: base + from * channels, count: (Self.historyLength + count) * channels)
        head = Self.historyLength
    }
}

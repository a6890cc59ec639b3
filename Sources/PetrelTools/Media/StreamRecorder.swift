internal import PetrelCodecs
public import Petrel
internal import PetrelCore
public import PetrelDevices
internal import PetrelIO

/// Writes what the other side of a call sends into a WebM file, with the times at which it was shown and played, not
/// encoded again.
///
/// The file begins when it is known what is in it: with the first picture, and once it is clear when sound is played.
public final class StreamRecorder: Sendable {
    /// What was written so far.
    public struct Count: Equatable, Sendable {
        /// Pictures that were shown, and packets of sound.
        public var pictures = 0
        public var packets = 0
    }

    private struct Block: Sendable {
        var isVideo: Bool
        var bytes: [UInt8]
        /// On the wall clock.
        var milliseconds: Double
        var isKeyFrame = true
        var isShown = true
    }

    private struct State: Sendable {
        var writer: WebMWriter?
        var failure: ToolError?
        var isOver = false
        var expectsVideo = false
        var audioChannels: Int?
        /// When the first thing came that is to be written, and what is held until the file begins.
        var began: Double?
        var held: [Block] = []
        var start = 0.0
        var size: (width: Int, height: Int)?
        /// Frames between arrival and display.
        var waiting: [(timestamp: Int64, isKeyFrame: Bool, bytes: [UInt8])] = []
        /// Sound of which it is not known yet when it is played.
        var unplaced: [(timestamp: Int64, bytes: [UInt8])] = []
        /// An RTP timestamp, and when its sample is played.
        var anchor: (timestamp: Int64, milliseconds: Double)?
        var playoutDelay: Double?
        var firstPlayed: Double?
        var count = Count()
    }

    /// Frames between arrival and display: more than a receiver keeps.
    static let waitingLimit = 256
    /// Packets of sound that wait for a place: ten seconds.
    static let unplacedLimit = 500
    /// How long the file waits for the sender's clocks (they come with the first reports) before it does without.
    static let clockMs = 2500.0
    /// How long sound waits for a first picture.
    static let pictureMs = 10_000.0

    private let open:
        @Sendable (_ video: (width: Int, height: Int)?, _ audioChannels: Int?) throws(ToolError) -> WebMWriter
    private let state = Lock(State())
    private let clock = MonotonicClock.wallClock()

    /// - Parameter open: makes the file, once, when it is known what is in it.
    public init(
        open:
            @escaping @Sendable (_ video: (width: Int, height: Int)?, _ audioChannels: Int?) throws(ToolError) ->
            WebMWriter
    ) { self.open = open }

    /// Records a track from now on.
    public func watch(_ track: RemoteVideoTrack) {
        state.withLock { $0.expectsVideo = true }
        track.onEncodedFrame { [self] frame in
            let bytes = Array(frame.payload.bytes)
            state.withLock { state in
                state.waiting.append((frame.timestamp, frame.isKeyFrame, bytes))
                if state.waiting.count > Self.waitingLimit { state.waiting.removeFirst() }
            }
        }
        track.onFrame { [self] frame in shown(frame) }
    }

    /// Records a track from now on.
    public func watch(_ track: RemoteAudioTrack) {
        state.withLock { $0.audioChannels = max($0.audioChannels ?? 1, track.channels) }
        track.onEncodedPacket { [self] packet in arrived(packet) }
        track.onAudio { [self] audio in played(audio) }
    }

    /// What was written, the held included.
    public var count: Count { state.withLock { $0.count } }
    /// Why nothing more can be written, if so.
    public var failure: ToolError? { state.withLock { $0.failure ?? $0.writer?.error } }

    /// Writes what is held and completes the file.
    /// - Returns: whether there is one: not where nothing was seen or heard.
    public func finish() throws(ToolError) -> Bool {
        let writer = state.withLock { state in
            if !state.isOver { begin(&state, isLast: true) }
            state.isOver = true
            return state.writer
        }
        writer?.close()
        if let failure { throw failure }
        return writer != nil
    }

    // MARK: Pictures

    private func shown(_ frame: RenderedVideoFrame) {
        let now = Double(clock.unixNanoseconds(at: frame.renderedAt)) / 1e6
        state.withLock { state in
            let ready = state.waiting.filter { $0.timestamp <= frame.timestamp }
            state.waiting.removeAll { $0.timestamp <= frame.timestamp }
            for entry in ready {
                // Nothing can be seen of a film that begins in the middle of pictures that lean on each other.
                guard state.size != nil || entry.isKeyFrame else { continue }
                state.size = state.size ?? (frame.picture.width, frame.picture.height)
                let isShown = entry.timestamp == frame.timestamp
                if isShown { state.count.pictures += 1 }
                put(
                    Block(
                        isVideo: true, bytes: entry.bytes, milliseconds: now, isKeyFrame: entry.isKeyFrame,
                        isShown: isShown), &state)
            }
        }
    }

    // MARK: Sound

    private func arrived(_ packet: ReceivedAudioPacket) {
        let bytes = Array(packet.payload.bytes)
        state.withLock { state in
            if let captured = packet.captureUnixNanoseconds, let delay = state.playoutDelay {
                state.anchor = (packet.timestamp, Double(captured) / 1e6 + delay)
            }
            state.unplaced.append((packet.timestamp, bytes))
            if state.unplaced.count > Self.unplacedLimit { state.unplaced.removeFirst() }
            place(&state)
        }
    }

    private func played(_ audio: PlayedAudio) {
        let now = Double(clock.unixNanoseconds(at: audio.playedAt)) / 1e6
        state.withLock { state in
            if audio.origin != .nothingYet { state.firstPlayed = state.firstPlayed ?? now }
            if let captured = audio.captureUnixNanoseconds {
                state.playoutDelay = now - Double(captured) / 1e6
            } else if state.anchor == nil, let first = state.firstPlayed, now - first > Self.clockMs,
                let oldest = state.unplaced.first
            {
                // A sender without reports: its first packet was the first that was played.
                state.anchor = (oldest.timestamp, first)
            }
            place(&state)
            begin(&state, isLast: false)
        }
    }

    private func place(_ state: inout State) {
        guard let anchor = state.anchor else { return }
        for packet in state.unplaced {
            // 48 ticks a millisecond, whatever the sender's rate (RFC 7587 section 4.1).
            let time = anchor.milliseconds + Double(packet.timestamp &- anchor.timestamp) / 48
            state.count.packets += 1
            put(Block(isVideo: false, bytes: packet.bytes, milliseconds: time), &state)
        }
        state.unplaced.removeAll(keepingCapacity: true)
    }

    // MARK: The file

    private func put(_ block: Block, _ state: inout State) {
        guard !state.isOver, state.failure == nil else { return }
        guard state.writer == nil else { return write(block, state) }
        state.began = state.began ?? wallNow
        state.held.append(block)
        begin(&state, isLast: false)
    }

    private var wallNow: Double { Double(MonotonicClock.unixNanoseconds) / 1e6 }

    private func begin(_ state: inout State, isLast: Bool) {
        guard state.writer == nil, state.failure == nil, !state.held.isEmpty, let began = state.began else { return }
        let waited = wallNow - began
        let knowsVideo = !state.expectsVideo || state.size != nil || waited > Self.pictureMs
        let knowsAudio = state.audioChannels == nil || state.anchor != nil || waited > Self.clockMs * 2
        guard isLast || knowsVideo && knowsAudio else { return }
        // Players take the size from the pictures; the head has to name one before any was seen.
        let size = state.size ?? (state.expectsVideo && !isLast ? (1280, 720) : nil)
        do throws(ToolError) {
            state.writer = try open(size, state.audioChannels)
        } catch {
            state.failure = error
            return
        }
        state.start = state.held.map(\.milliseconds).min() ?? began
        for block in state.held.sorted(by: { $0.milliseconds < $1.milliseconds }) { write(block, state) }
        state.held = []
    }

    private func write(_ block: Block, _ state: State) {
        let time = block.milliseconds - state.start
        block.bytes.withUnsafeBytes { bytes in
            if block.isVideo {
                state.writer?.writeVideo(
                    bytes, milliseconds: time, isKeyFrame: block.isKeyFrame, isShown: block.isShown)
            } else if time >= 0 {
                state.writer?.writeAudio(bytes, milliseconds: time)
            }
        }
    }
}

internal import Foundation
internal import Petrel
internal import PetrelCodecs
internal import PetrelCore
internal import PetrelDevices
internal import PetrelIO
internal import PetrelTools

/// Writes down what one peer sends, sees and hears: the event log of a call report, a playable recording, and the files
/// of the scriptable peer, each where it was asked for.
final class PeerRecorder: Sendable {
    private struct State: Sendable {
        var sentCounter = StampUnwrapper()
        var sentSamples = 0
        var recordedIndex: [(timestamp: Int64, index: Int)] = []
        var waiting: [ReceivedVideoFrame] = []
        var began: Double?
        var playoutDelay: Int64?
        var latencies: [Double] = []
        var firstAudio = false
        var firstVideo = false
    }

    /// Frames between arrival and display: more than the screen holds.
    static let waitingLimit = 256

    private let log: EventLogWriter?
    private let folder: PeerFolder?
    private let recording: String?
    private let size: VideoSize
    private let ivf: Lock<IVFWriter?>
    private let webm: WebMWriter?
    private let state = Lock(State())
    private let clock: WallClock

    init(log: String?, folder: String?, recording: String?, size: VideoSize) throws(ToolError) {
        self.log = if let log { try EventLogWriter(path: log) } else { nil }
        self.folder = if let folder { try PeerFolder(path: folder) } else { nil }
        self.recording = recording
        self.size = size
        clock = MonotonicClock.wallClock()
        if let recording {
            ivf = Lock(try IVFWriter(path: recording + "/seen.ivf", width: size.width, height: size.height))
            webm = try WebMWriter(path: recording + "/seen.webm", width: size.width, height: size.height)
        } else {
            ivf = Lock(nil)
            webm = nil
        }
    }

    // MARK: What is sent

    func watch(_ track: LocalVideoTrack) {
        track.onEncode { [self] picture, captured in
            let counter =
                PictureStamp.read(picture).map { stamp in state.withLock { $0.sentCounter.unwrap(stamp) } } ?? -1
            let milliseconds = Double(captured) / 1e6
            log?.write(
                .videoSent(counter: counter, captureMs: milliseconds, width: picture.width, height: picture.height))
            folder?.videoSent(counter: counter, width: picture.width, height: picture.height, wallMs: milliseconds)
        }
    }

    func audioSent(_ samples: UnsafeBufferPointer<Int16>) {
        let now = wallMilliseconds()
        let index = state.withLock { state in
            defer { state.sentSamples += samples.count }
            return state.sentSamples
        }
        if index % 4800 == 0 { log?.write(.audioSent(sampleIndex: index, captureMs: now - 20)) }
        folder?.audioSent(samples, wallMs: now)
    }

    // MARK: What is received

    func watch(_ track: RemoteVideoTrack) {
        track.onEncodedFrame { [self] frame in record(frame) }
        track.onFrame { [self] frame in shown(frame) }
    }

    func watch(_ track: RemoteAudioTrack) {
        track.onEncodedPacket { [self] packet in record(packet) }
        track.onAudio { [self] audio in played(audio) }
    }

    private func record(_ frame: ReceivedVideoFrame) {
        let milliseconds = Int(Double(clock.unixNanoseconds(at: frame.arrivedAt)) / 1e6 - begin())
        let index = ivf.withLock { file in try? file?.write(frame.payload.bytes, milliseconds: max(0, milliseconds)) }
        state.withLock { state in
            if let index {
                state.recordedIndex.append((frame.timestamp, index))
                if state.recordedIndex.count > Self.waitingLimit { state.recordedIndex.removeFirst() }
            }
            state.waiting.append(frame)
            if state.waiting.count > Self.waitingLimit { state.waiting.removeFirst() }
        }
    }

    private func shown(_ frame: RenderedVideoFrame) {
        let now = Double(clock.unixNanoseconds(at: frame.renderedAt)) / 1e6
        let stamp = PictureStamp.read(frame.picture)
        let (recorded, ready, isFirst) = state.withLock { state in
            let recorded = state.recordedIndex.last { $0.timestamp == frame.timestamp }?.index
            let ready = state.waiting.filter { $0.timestamp <= frame.timestamp }
            state.waiting.removeAll { $0.timestamp <= frame.timestamp }
            if let captured = frame.captureUnixNanoseconds { state.latencies.append(now - Double(captured) / 1e6) }
            defer { state.firstVideo = true }
            return (recorded, ready, !state.firstVideo)
        }
        if isFirst { log?.write(.milestone(.firstFrame, wallMs: now)) }
        log?.write(
            .videoRendered(
                stamp: stamp, renderMs: now, width: frame.picture.width, height: frame.picture.height,
                recorded: recorded))
        folder?.videoReceived(frame.picture, wallMs: now)
        guard let webm else { return }
        let start = begin()
        for frame in ready {
            webm.writeVideo(frame.payload.bytes, milliseconds: now - start, isKeyFrame: frame.isKeyFrame)
        }
    }

    private func record(_ packet: ReceivedAudioPacket) {
        guard let webm else { return }
        let delay = state.withLock { $0.playoutDelay }
        guard let captured = packet.captureUnixNanoseconds, let delay else { return }
        webm.writeAudio(packet.payload.bytes, milliseconds: Double(captured + delay) / 1e6 - begin())
    }

    private func played(_ audio: PlayedAudio) {
        let now = clock.unixNanoseconds(at: audio.playedAt)
        let isFirst = state.withLock { state in
            if let captured = audio.captureUnixNanoseconds { state.playoutDelay = now - captured }
            defer { state.firstAudio = true }
            return !state.firstAudio
        }
        if isFirst { log?.write(.milestone(.firstAudio, wallMs: Double(now) / 1e6)) }
        if let captured = audio.captureUnixNanoseconds {
            log?.write(.audioRendered(captureMs: Double(captured) / 1e6, renderMs: Double(now) / 1e6))
        }
        audio.samples.withUnsafeBufferPointer { folder?.audioReceived($0, wallMs: Double(now) / 1e6) }
    }

    /// The wall time at which the recording begins: that of the first thing in it.
    private func begin() -> Double {
        let now = wallMilliseconds()
        return state.withLock { state in
            let began = state.began ?? now
            state.began = began
            return began
        }
    }

    // MARK: Milestones and counts

    func milestone(_ milestone: PetrelTools.CallEvent.Milestone, wallMs: Double) {
        log?.write(.milestone(milestone, wallMs: wallMs))
    }

    func reached(_ step: PeerFolder.Step, wallMs: Double) { folder?.reached(step, wallMs: wallMs) }

    func write(_ counters: PeerCounters) { log?.write(.counters(counters, wallMs: wallMilliseconds())) }

    func write(_ statistics: [JSONText]) { folder?.statistics(statistics, wallMs: wallMilliseconds()) }

    /// The median capture-to-render time of the pictures since the last call, in milliseconds.
    func takeLatency() -> Double? {
        let latencies = state.withLock { state in
            defer { state.latencies.removeAll(keepingCapacity: true) }
            return state.latencies
        }
        return latencies.sorted()[safe: latencies.count / 2]
    }

    func finish() throws(ToolError) {
        log?.close()
        ivf.withLock { $0?.close() }
        webm?.close()
        try folder?.finish()
    }
}

extension Array {
    subscript(safe index: Int) -> Element? { indices.contains(index) ? self[index] : nil }
}

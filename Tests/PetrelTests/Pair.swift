internal import Logging
internal import Petrel
internal import PetrelCodecs
internal import PetrelCore
internal import PetrelIO
internal import Testing

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// Calls over the loopback interface, on the real clock, one after the other. Bounds are generous: other tests, and
/// other programs, use the machine too.
@Suite(.serialized) enum LiveTests {}

/// What a test waited for did not come.
struct NotInTime: Error, CustomStringConvertible {
    let description: String
}

/// The factor for all times that a test waits: sanitizers make everything ten times slower.
let patience = Int(environment("PETREL_PATIENCE") ?? "") ?? 1

func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

/// Waits until `condition` holds.
func eventually(
    _ what: String, within seconds: Int = 20, _ condition: @Sendable () async throws -> Bool
) async throws {
    let end = MonotonicClock.now + .seconds(Double(seconds * patience))
    while MonotonicClock.now < end {
        if try await condition() { return }
        try await Task.sleep(for: .milliseconds(20))
    }
    throw NotInTime(description: "not within \(seconds * patience) s: \(what)")
}

/// A small test card that carries stamps, and remembers when it was asked last.
final class StampedCard: VideoSource {
    let framesPerSecond: Double
    private let card: Lock<TestCard>
    let count: Lock<Int>

    init(width: Int = 320, height: Int = 240, framesPerSecond: Double = 20, first: Int = 0) {
        card = Lock(TestCard(width: width, height: height))
        self.framesPerSecond = framesPerSecond
        count = Lock(first)
    }

    func nextPicture() -> I420Buffer? {
        let index = count.withLock { count in
            defer { count += 1 }
            return count
        }
        let picture = card.withLock { $0.frame(index) }
        PictureStamp.write(counter: index % PictureStamp.modulus, into: picture)
        return picture
    }
}

/// What one end has seen and heard.
final class Witness: Sendable {
    struct Seen: Sendable {
        var stamps: [Int] = []
        var unreadable = 0
        var sizes: Set<VideoSize> = []
        var videoLatency: [Double] = []
        var loudest = 0
        var blocks = 0
        var recentPeaks: [Int] = []
        var lastAudioLatency: Double?
        var videoTracks: [RemoteVideoTrack] = []
        var audioTracks: [RemoteAudioTrack] = []
        var ended: [Int] = []
        var states: [CallState] = []
        var reasons: [String] = []
        var paths = 0
        var candidates = 0
        var endOfCandidates = 0
        var streamHasEnded = false
        var keyFrames = 0
    }
    let seen = Lock(Seen())

    func follow(_ call: Call) -> Task<Void, Never> {
        let events = call.events
        return Task { [self] in
            for await event in events { note(event) }
            seen.withLock { $0.streamHasEnded = true }
        }
    }

    private func note(_ event: CallEvent) {
        switch event {
        case .videoTrack(let track):
            seen.withLock { $0.videoTracks.append(track) }
            track.onFrame { [self] frame in note(frame) }
            track.onEncodedFrame { [self] frame in if frame.isKeyFrame { seen.withLock { $0.keyFrames += 1 } } }
        case .audioTrack(let track):
            seen.withLock { $0.audioTracks.append(track) }
            track.onAudio { [self] sound in note(sound) }
        case .state(let state, let reason):
            seen.withLock { seen in
                seen.states.append(state)
                if let reason { seen.reasons.append(reason) }
            }
        case .trackEnded(let id): seen.withLock { $0.ended.append(id) }
        case .pathChanged: seen.withLock { $0.paths += 1 }
        case .localCandidate(let line, _):
            seen.withLock { seen in
                if line == nil { seen.endOfCandidates += 1 } else { seen.candidates += 1 }
            }
        }
    }

    private func note(_ frame: RenderedVideoFrame) {
        let stamp = PictureStamp.read(frame.picture)
        let now = MonotonicClock.unixNanoseconds
        seen.withLock { seen in
            if let stamp { seen.stamps.append(stamp) } else { seen.unreadable += 1 }
            seen.sizes.insert(VideoSize(width: frame.picture.width, height: frame.picture.height))
            if let captured = frame.captureUnixNanoseconds { seen.videoLatency.append(Double(now - captured) / 1e6) }
        }
    }

    private func note(_ sound: PlayedAudio) {
        let peak = sound.samples.reduce(0) { max($0, abs(Int($1))) }
        let now = MonotonicClock.unixNanoseconds
        seen.withLock { seen in
            seen.blocks += 1
            seen.loudest = max(seen.loudest, peak)
            seen.recentPeaks.append(peak)
            // 1.5 seconds: longer than the pauses of the speech-like sound.
            if seen.recentPeaks.count > 150 { seen.recentPeaks.removeFirst() }
            if let captured = sound.captureUnixNanoseconds { seen.lastAudioLatency = Double(now - captured) / 1e6 }
        }
    }

    var stamps: [Int] { seen.withLock { $0.stamps } }
    var pictures: Int { seen.withLock { $0.stamps.count + $0.unreadable } }
    var recentPeak: Int { seen.withLock { $0.recentPeaks.max() ?? 0 } }
    var hasFullWindow: Bool { seen.withLock { $0.recentPeaks.count >= 150 } }
    func forgetSound() { seen.withLock { $0.recentPeaks = [] } }
}

/// Two endpoints in this process.
struct Pair {
    let a: Call
    let b: Call
    let atA = Witness()
    let atB = Witness()
    private let tasks: [Task<Void, Never>]

    static func configuration(_ change: (inout CallConfiguration) -> Void = { _ in }) -> CallConfiguration {
        var configuration = CallConfiguration()
        configuration.addressProfile = .lab
        configuration.localAddresses = ["127.0.0.1"]
        configuration.maximumVideoKilobitsPerSecond = 1000
        configuration.startVideoKilobitsPerSecond = 600
        configuration.logger.logLevel = .critical
        change(&configuration)
        return configuration
    }

    init(
        _ first: CallConfiguration = Pair.configuration(), _ second: CallConfiguration = Pair.configuration()
    ) async throws {
        a = try await Call(first)
        do { b = try await Call(second) } catch {
            await a.close()
            throw error
        }
        tasks = [atA.follow(a), atB.follow(b)]
    }

    /// A offers, B answers.
    func negotiate() async throws {
        let answer = try await b.answer(try await a.createOffer())
        try await a.accept(answer: answer)
    }

    func connect() async throws {
        try await negotiate()
        try await connected()
    }

    func connected() async throws {
        let end = MonotonicClock.now + .seconds(Double(30 * patience))
        for call in [a, b] {
            while call.callState != .connected {
                guard call.callState != .failed, MonotonicClock.now < end else {
                    throw NotInTime(description: "not connected: \(call.callState), \(call.failure ?? "no reason")")
                }
                try await Task.sleep(for: .milliseconds(5))
            }
        }
    }

    func close() async {
        await a.close()
        await b.close()
        for task in tasks { await task.value }
    }
}

/// Makes a pair, runs `body`, and closes the pair whatever happens.
func withPair(
    _ first: CallConfiguration = Pair.configuration(), _ second: CallConfiguration = Pair.configuration(),
    _ body: (Pair) async throws -> Void
) async throws {
    let pair = try await Pair(first, second)
    do { try await body(pair) } catch {
        await pair.close()
        throw error
    }
    await pair.close()
}

internal import PetrelCodecs
internal import PetrelCongestion
internal import PetrelCore
internal import PetrelICE
internal import PetrelLab
internal import PetrelMedia
internal import PetrelPeer
internal import PetrelPlayout
internal import PetrelSDP
internal import PetrelSecurity
internal import PetrelWire

/// One side of a rehearsed call: a peer with a camera, a microphone, a screen and a loudspeaker, all of them told the
/// time.
///
/// Every time in here is this side's own clock, but for what goes into the result.
final class VirtualEndpoint {
    let name: String
    let address: TransportAddress
    let clock: VirtualClock
    let wallClock: WallClock
    let peer: Peer
    let configuration: VirtualCallConfiguration
    var batch = EgressBatch(capacity: 512)
    /// What this side sent, with the other side's part filled in by the other side.
    var sent = VirtualCallResult.Direction()
    /// What this side saw and heard.
    var seen = VirtualCallResult.Direction()
    var states: [(at: Instant, state: String)] = []
    var connected: Instant?
    var candidates: [(at: Instant, line: String?, mid: String?)] = []
    var log = VirtualCallLog()
    var screenTrack: RemoteTrackID?
    var speakerTrack: RemoteTrackID?

    // Camera and encoder
    let videoTrack: LocalTrackID?
    let audioTrack: LocalTrackID?
    var card: TestCard?
    var film: VirtualFilm?
    var encoder: VP8Encoder?
    var nextCapture: Instant
    var pictureIndex = 0
    var latest: (index: Int, captured: Instant)?
    var wantsKeyFrame = true
    var videoRate: DataRate
    var encoderFreeAt: Instant
    var encoded:
        [(
            due: Instant, payload: FrameBuffer, isKeyFrame: Bool, index: Int, captured: Instant,
            dependency: FrameDependency?
        )] = []
    var stamped = I420BufferPool(limit: 4)
    var keeper = ReferenceKeeper()
    var frameNumber: Int64 = 0
    var roundTrip = TimeDelta.milliseconds(100)
    var patience = TimeDelta.milliseconds(300)
    var frames = FrameBufferPool(limit: 32)
    // Microphone
    var voice: SpeechLikeSignal
    var microphone: OpusEncoder?
    var nextBlock: Instant
    var ticks: Int64 = 0
    let block = UnsafeMutableBufferPointer<Int16>.allocate(capacity: 960)
    var packets = FrameBufferPool(limit: 16)
    // Screen
    var screen = VideoReceiver()
    var syntheticFreezes = FreezeDetector()
    var decoder: VP8Decoder?
    var waiting: [(id: Int64, frame: EncodedVideoFrame)] = []
    var pictures: [(id: Int64, stamp: Int?, buffer: I420Buffer?)] = []
    var shownPictures = I420BufferPool(limit: 32)
    /// Looks at what this side's screen shows.
    var judge: PictureJudge?
    var decoding: (id: Int64, done: Instant, hasPicture: Bool, failed: Bool)?
    var nextFrameID: Int64 = 0
    // Loudspeaker
    var speaker: AudioReceiver?
    var nextPull: Instant = .distantFuture
    let pulled = UnsafeMutableBufferPointer<Int16>.allocate(capacity: 480)
    // Both
    var sync = AVSync()
    var audioDelay: AVSync.StreamDelay?
    var videoDelay: AVSync.StreamDelay?
    var audioTrueDelay: TimeDelta?
    var nextSync: Instant
    weak var other: VirtualEndpoint?
    var meter: VirtualCallMeter?

    init(
        name: String, address: TransportAddress, side: VirtualCallConfiguration.Side, role: ICERole, seed: UInt64,
        configuration: VirtualCallConfiguration
    ) throws {
        self.name = name
        self.address = address
        self.configuration = configuration
        clock = VirtualClock(side)
        let begin = clock.local(.zero)
        // The wall clock at the start of every rehearsal: 2026-01-01, so that certificates are valid.
        wallClock = WallClock(unixNanoseconds: 1_767_225_600_000_000_000, at: begin)
        var random = RandomSource(seed: seed)
        let labSeed = random.next()
        let certificate = try Certificate.make(unixTime: 1_767_225_600, labSeed: random.next())
        var settings = PeerConfiguration(wallClock: wallClock, certificate: certificate)
        settings.ice.addressPolicy = .lab
        if !configuration.usesFrameReferences {
            settings.description.videoExtensions.removeAll { $0.kind == .frameReferences }
        }
        settings.labSeed = labSeed
        settings.streamStart = side.streamStart
        settings.bandwidth = configuration.bandwidth
        if !configuration.usesRepairCode {
            for index in settings.description.videoCodecs.indices {
                settings.description.videoCodecs[index].repairPayloadType = nil
            }
        }
        peer = try Peer(configuration: settings, role: role, random: RandomSource(seed: random.next()), now: begin)
        var phase = random
        videoRate = min(configuration.maximumVideoRate, configuration.bandwidth.start)
        if case .none = configuration.video {
            videoTrack = nil
        } else {
            videoTrack = try peer.addTrack(.video, streamID: name)
        }
        audioTrack = configuration.hasAudio ? try peer.addTrack(.audio, streamID: name) : nil
        switch configuration.video {
        case .none, .synthetic: break
        case .testCard(let width, let height, _): card = TestCard(width: width, height: height)
        case .film(let film): self.film = film
        }
        if card != nil || film != nil {
            encoder = VP8Encoder(
                configuration: VP8Encoder.Configuration(
                    bitrate: videoRate, framesPerSecond: configuration.video.framesPerSecond))
            decoder = try VP8Decoder()
        }
        voice = SpeechLikeSignal(seed: seed)
        if configuration.hasAudio {
            var opus = OpusEncoder.Configuration()
            opus.expectedLossPercent = 10
            microphone = try OpusEncoder(channels: 1, configuration: opus)
            speaker = try AudioReceiver(configuration: AudioReceiver.Configuration())
        }
        // Devices do not begin in step with each other or with the other side's.
        nextCapture = begin + .seconds(phase.unit() / configuration.video.framesPerSecond)
        nextBlock = begin + .milliseconds(phase.unit() * 20)
        nextSync = begin
        pullPhase = .milliseconds(phase.unit() * 10)
        encoderFreeAt = begin
        announcesWrongFingerprint = side.announcesWrongFingerprint
        if videoTrack == nil { nextCapture = .distantFuture }
        if audioTrack == nil { nextBlock = .distantFuture }
    }

    let pullPhase: TimeDelta
    let announcesWrongFingerprint: Bool

    deinit {
        block.deallocate()
        pulled.deallocate()
    }

    /// When something is due, on this side's clock.
    var nextDeadline: Instant {
        var deadline = min(peer.nextDeadline, nextCapture, nextBlock, nextPull)
        if let first = encoded.first { deadline = min(deadline, first.due) }
        if let decoding {
            deadline = min(deadline, decoding.done)
        }
        if let wanted = screen.nextDeadline { deadline = min(deadline, wanted) }
        return deadline
    }

    /// Does everything that is due at `now`.
    func run(now: Instant) {
        if nextCapture <= now { capture(now: now) }
        sendEncoded(now: now)
        if nextBlock <= now { captureSound(now: now) }
        if peer.nextDeadline <= now { peer.handleTimeout(now: now, into: &batch) }
        takeEvents(now: now)
        watch(now: now)
        if nextPull <= now { play(now: now) }
    }

    func takeEvents(now: Instant) {
        peer.drainEvents { event in
            switch event {
            case .localCandidate(let line, let mid):
                candidates.append((clock.global(now), line, mid))
            case .stateChanged(let state, let failure):
                let time = clock.global(now)
                states.append((time, state.rawValue + (failure.map { ": \($0)" } ?? "")))
                if state == .connected, connected == nil {
                    connected = time
                    startAfterConnecting(now: now)
                }
            case .videoFrame(let track, let frame):
                // One screen: it shows the first track, and whatever else comes is counted.
                if screenTrack == nil { screenTrack = track }
                if track == screenTrack { show(frame, now: now) }
                log.videoFrames[track, default: 0] += 1
            case .audioPacket(let track, let packet):
                if speakerTrack == nil { speakerTrack = track }
                if track == speakerTrack { hear(packet, now: now) }
                log.audioPackets[track, default: 0] += 1
                log.lastAudioPacket = clock.global(now)
            case .keyFrameRequested:
                wantsKeyFrame = true
                keeper.requireKeyFrame()
            case .framesAcknowledged(_, let frames):
                (roundTrip, patience) = (frames.roundTrip, frames.patience)
                keeper.acknowledge(
                    newest: frames.newest, earlier: frames.earlier, count: frames.count, now: now)
            case .videoRateChanged(let rate):
                videoRate = min(rate, configuration.maximumVideoRate)
            case .iceStateChanged(let state):
                log.iceStates.append((clock.global(now), state.rawValue))
            case .pathChanged(let path):
                log.paths.append((clock.global(now), path))
            case .trackAdded(let track, let kind, _, _):
                log.tracksAdded.append((clock.global(now), track, kind))
            case .trackRemoved(let track):
                log.tracksRemoved.append((clock.global(now), track))
                if screenTrack == track { screenTrack = nil }
                if speakerTrack == track { speakerTrack = nil }
            }
        }
    }

    /// Our description as the other side gets it: with another fingerprint where this side shall not be who it says.
    func announced(_ description: String) -> String {
        guard announcesWrongFingerprint else { return description }
        let mark = "a=fingerprint:sha-256 "
        return description.split(separator: "\r\n", omittingEmptySubsequences: false).map { line in
            guard line.hasPrefix(mark), let last = line.last else { return String(line) }
            return line.dropLast() + (last == "0" ? "1" : "0")
        }.joined(separator: "\r\n")
    }

    /// True time of an instant of the other side's wall clock.
    func trueTime(of time: NTPTime) -> Instant? {
        other.map { $0.clock.global($0.wallClock.instant(of: time)) }
    }
}

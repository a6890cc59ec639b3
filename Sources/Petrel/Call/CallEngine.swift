internal import Logging
internal import PetrelCore
internal import PetrelICE
internal import PetrelIO
internal import PetrelMedia
internal import PetrelPeer
internal import PetrelWire

/// The peer of a call on its driver's thread: everything in here that has state is touched there and nowhere else.
///
/// Nothing of the application's runs on that thread, so that nothing of it can hold up ICE and RTCP: sinks run on the
/// threads of their tracks, log lines go through a ``LogRelay``, events into a stream.
final class CallEngine: DatagramEngine, @unchecked Sendable {
    // @unchecked: all mutable state is confined to the driver's thread.

    /// What is agreed on for the sending of a track.
    struct Sending: Hashable, Sendable {
        /// Media can be sent now.
        var isPossible = false
        /// The other side asks for Opus with forward error correction.
        var wantsOpusFEC = false
        /// The other side tells which frames it has, and is told what each one leans on.
        var usesFrameReferences = false
    }

    /// Called on the driver's thread.
    struct Handlers: Sendable {
        /// For each event of the peer.
        var event: @Sendable (PeerEvent) -> Void
        /// Where it has changed whether and how media of a track can be sent.
        var sending: @Sendable (LocalTrackID, Sending) -> Void
    }

    let driver: any DatagramDriver
    /// Where the call shares a port: what it has to be told so that datagrams find this engine.
    private let seat: PortSeat?
    private var claimsVersion: UInt64 = 0
    let wallClock: WallClock
    private let peer: Peer
    private var batch = EgressBatch(capacity: 512)
    private let logs: LogRelay
    private let capture: PacketCapture?
    /// RTP and RTCP are captured in the clear, by the peer's tap; only the rest is captured as it is on the wire.
    private let capturesPlaintext: Bool
    private var captureFailed = false
    private var isClosed = false
    private var handlers: Handlers?
    /// The tracks whose sending is watched, and how it stands.
    private var watched: [(track: LocalTrackID, sending: Sending)] = []

    init(
        driver: any DatagramDriver, wallClock: WallClock, peer: sending Peer, logs: LogRelay, capture: PacketCapture?,
        capturesPlaintext: Bool
    ) {
        self.driver = driver
        seat = driver as? PortSeat
        self.wallClock = wallClock
        self.peer = peer
        self.logs = logs
        self.capture = capture
        self.capturesPlaintext = capturesPlaintext && capture != nil
        guard self.capturesPlaintext else { return }
        peer.plaintextTap = { bytes, source, destination in
            capture?.write(bytes, from: source, to: destination, at: MonotonicClock.now)
        }
    }

    func start(_ handlers: Handlers) { driver.run { self.handlers = handlers } }

    // MARK: The driver's side

    func receive(
        _ bytes: UnsafeMutableRawBufferPointer, from remote: TransportAddress, to local: TransportAddress, now: Instant
    ) {
        guard !isClosed else {
            // Who did not hear the good-bye is told when it asks (RFC 7675 section 5.2).
            peer.receive(bytes, from: remote, to: local, now: now, into: &batch)
            driver.send(&batch)
            return
        }
        record(UnsafeRawBufferPointer(bytes), from: remote, to: local, at: now)
        peer.receive(bytes, from: remote, to: local, now: now, into: &batch)
        claimPaths(now: now)
        // A long read must not fill the batch: what it answers leaves with it.
        if batch.count > batch.capacity / 2 { send(now: now) }
        handOverEvents()
    }

    func settle(now: Instant) {
        guard !isClosed else { return }
        if peer.nextDeadline <= now { peer.handleTimeout(now: now, into: &batch) }
        finish(now: now)
    }

    func socketEnded(_ local: TransportAddress, now: Instant) {
        guard !isClosed else { return }
        logs.log(.warning, "a socket has ended", ["family": "\(local.family)"])
        peer.removeLocalAddress(local, now: now)
        finish(now: now)
    }

    private func finish(now: Instant) {
        claimPaths(now: now)
        handOverEvents()
        send(now: now)
        driver.wake(at: peer.nextDeadline)
    }

    /// Tells the port at once where datagrams of this call come from: the next one may be in the same read.
    private func claimPaths(now: Instant) {
        guard let seat, peer.claimsVersion != claimsVersion else { return }
        claimsVersion = peer.claimsVersion
        seat.claim(peer.claims(now: now), now: now)
    }

    private func handOverEvents() {
        var mayHaveChangedSending = false
        peer.drainEvents { event in
            switch event {
            case .stateChanged, .iceStateChanged, .pathChanged: mayHaveChangedSending = true
            default: break
            }
            handlers?.event(event)
        }
        if mayHaveChangedSending { refreshSending() }
    }

    private func refreshSending() {
        for index in watched.indices {
            let track = watched[index].track
            let isPossible = !isClosed && peer.canSend(track)
            let sending = Sending(
                isPossible: isPossible, wantsOpusFEC: peer.wantsOpusFEC(track),
                usesFrameReferences: isPossible && peer.usesFrameReferences(track))
            guard sending != watched[index].sending else { continue }
            watched[index].sending = sending
            handlers?.sending(track, sending)
        }
    }

    private func send(now: Instant) {
        if capture != nil {
            for index in 0..<batch.count {
                let entry = batch.entry(index)
                record(batch.bytes(index), from: entry.source, to: entry.destination, at: now)
            }
        }
        driver.send(&batch)
        if let capture, !captureFailed, let reason = capture.failure {
            captureFailed = true
            logs.log(.error, "the packet capture has ended", ["reason": "\(reason)"])
        }
    }

    private func record(
        _ bytes: UnsafeRawBufferPointer, from source: TransportAddress, to destination: TransportAddress,
        at now: Instant
    ) {
        guard let capture else { return }
        if capturesPlaintext, let first = bytes.first, (128...191).contains(first) { return }
        capture.write(bytes, from: source, to: destination, at: now)
    }

    // MARK: From other threads

    /// Runs `work` with the peer on the driver's thread and sends what came of it.
    func perform<Result: Sendable>(
        _ work: @escaping @Sendable (Peer, Instant, inout EgressBatch) throws -> Result
    ) async throws -> Result {
        let result = try await driver.perform { [self] in
            guard !isClosed else { throw CallError.closed }
            let now = MonotonicClock.now
            defer {
                refreshSending()
                finish(now: now)
            }
            return try work(peer, now, &batch)
        }
        guard let result else { throw CallError.closed }
        return result
    }

    /// Tells from now on, and at once, whether and how media of a track can be sent.
    func watch(_ track: LocalTrackID) {
        driver.run { [self] in
            guard !isClosed, !watched.contains(where: { $0.track == track }) else { return }
            watched.append((track, Sending()))
            refreshSending()
        }
    }

    func unwatch(_ track: LocalTrackID) { driver.run { self.watched.removeAll { $0.track == track } } }

    /// - Parameter onDrop: called where a frame with a number could not be sent; the others make a key frame follow.
    func sendVideo(
        _ frame: FrameBuffer, isKeyFrame: Bool, track: LocalTrackID, captured: Instant, dependency: FrameDependency?,
        onDrop: @escaping @Sendable (Int64) -> Void
    ) {
        driver.run { [self] in
            guard !isClosed else { return }
            let now = MonotonicClock.now
            let taken = peer.sendVideo(
                frame.bytes, isKeyFrame: isKeyFrame, track: track, captured: captured, now: now,
                dependency: dependency, into: &batch)
            // Pictures lean on each other: after one that could not be sent only a key frame makes sense, or one that is
            // known not to lean on it.
            if !taken {
                if let dependency { onDrop(dependency.number) } else { handlers?.event(.keyFrameRequested(track)) }
            }
            finish(now: now)
        }
    }

    func sendAudio(
        _ payload: FrameBuffer, ticks: Int64, isFirstAfterSilence: Bool, level: AudioLevel, track: LocalTrackID,
        captured: Instant
    ) {
        driver.run { [self] in
            guard !isClosed else { return }
            let now = MonotonicClock.now
            peer.sendAudio(
                payload.bytes, ticks: ticks, isFirstAfterSilence: isFirstAfterSilence, level: level, track: track,
                captured: captured, now: now, into: &batch)
            finish(now: now)
        }
    }

    func requireKeyFrame(_ track: RemoteTrackID) {
        driver.run { [self] in
            guard !isClosed else { return }
            peer.requireKeyFrame(track)
            finish(now: MonotonicClock.now)
        }
    }

    /// Tells the peer how long sound of a track waits for its playout.
    func setPlayoutDelay(_ delay: TimeDelta, of track: RemoteTrackID) {
        driver.run { [self] in
            guard !isClosed else { return }
            peer.setPlayoutDelay(delay, of: track)
        }
    }

    /// Says good-bye and ends the driver's thread. Nothing is handed over any more once it has returned.
    func close() async {
        driver.run { [self] in
            guard !isClosed else { return }
            let now = MonotonicClock.now
            handlers = nil
            peer.close(now: now, into: &batch)
            finish(now: now)
            isClosed = true
            capture?.close()
        }
        await driver.close()
    }

    func log(_ level: Logger.Level, _ message: Logger.Message, _ metadata: Logger.Metadata) {
        logs.log(level, message, metadata)
    }
}

internal import Logging
internal import PetrelCore
internal import PetrelICE
internal import PetrelIO
internal import PetrelMedia
internal import PetrelPeer
internal import PetrelWire

/// The peer of a call on its driver's thread: everything in here that has state is touched there and nowhere else.
final class CallEngine: DatagramEngine, @unchecked Sendable {
    // @unchecked: `peer`, `batch` and `tracks` are confined to the driver's thread, which asserts it.
    let driver: UDPDriver
    let wallClock: WallClock
    private let peer: Peer
    private var batch = EgressBatch(capacity: 512)
    private let logger: Logger
    private let capture: PacketCapture?
    /// RTP and RTCP are captured in the clear, by the peer's tap; only the rest is captured as it is on the wire.
    private let capturesPlaintext: Bool
    private var isClosed = false
    /// Called on the driver's thread for each event of the peer.
    private var onEvent: (@Sendable (PeerEvent) -> Void)?
    private var pendingKeyFrames: Set<Int> = []

    init(
        driver: UDPDriver, wallClock: WallClock, peer: sending Peer, logger: Logger, capture: PacketCapture?,
        capturesPlaintext: Bool
    ) {
        self.driver = driver
        self.wallClock = wallClock
        self.peer = peer
        self.logger = logger
        self.capture = capture
        self.capturesPlaintext = capturesPlaintext && capture != nil
        guard self.capturesPlaintext else { return }
        peer.plaintextTap = { bytes, source, destination in
            capture?.write(bytes, from: source, to: destination, at: MonotonicClock.now)
        }
    }

    func start(_ onEvent: @escaping @Sendable (PeerEvent) -> Void) {
        driver.run { self.onEvent = onEvent }
    }

    // MARK: The driver's side

    func receive(
        _ bytes: UnsafeMutableRawBufferPointer, from remote: TransportAddress, to local: TransportAddress, now: Instant
    ) {
        guard !isClosed else { return }
        record(UnsafeRawBufferPointer(bytes), from: remote, to: local, at: now)
        peer.receive(bytes, from: remote, to: local, now: now, into: &batch)
        // A long read must not fill the batch: what it answers leaves with it.
        if batch.count > batch.capacity / 2 { send(now: now) }
        peer.drainEvents { onEvent?($0) }
    }

    func settle(now: Instant) {
        guard !isClosed else { return }
        if peer.nextDeadline <= now { peer.handleTimeout(now: now, into: &batch) }
        finish(now: now)
    }

    private func finish(now: Instant) {
        peer.drainEvents { onEvent?($0) }
        send(now: now)
        driver.wake(at: peer.nextDeadline)
    }

    private func send(now: Instant) {
        if capture != nil {
            for index in 0..<batch.count {
                let entry = batch.entry(index)
                record(batch.bytes(index), from: entry.source, to: entry.destination, at: now)
            }
        }
        driver.send(&batch)
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
        try await driver.perform { [self] in
            guard !isClosed else { throw CallError.closed }
            let now = MonotonicClock.now
            defer { finish(now: now) }
            return try work(peer, now, &batch)
        }
    }

    func sendVideo(_ frame: FrameBuffer, isKeyFrame: Bool, track: LocalTrackID, captured: Instant) {
        driver.run { [self] in
            guard !isClosed else { return }
            let now = MonotonicClock.now
            let taken = peer.sendVideo(
                frame.bytes, isKeyFrame: isKeyFrame, track: track, captured: captured, now: now, into: &batch)
            // Pictures lean on each other: after one that could not be sent only a key frame makes sense.
            if !taken { onEvent?(.keyFrameRequested(track)) }
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

    func close() async {
        _ = try? await driver.perform { [self] in
            guard !isClosed else { return }
            let now = MonotonicClock.now
            peer.close(now: now, into: &batch)
            finish(now: now)
            isClosed = true
            onEvent = nil
            capture?.close()
        }
        await driver.close()
    }

    func log(_ level: Logger.Level, _ message: Logger.Message, _ metadata: Logger.Metadata) {
        logger.log(level: level, message, metadata: metadata)
    }
}

internal import Logging
internal import PetrelCodecs
internal import PetrelCore
internal import PetrelICE
internal import PetrelIO
internal import PetrelPeer
internal import PetrelSDP
internal import PetrelSecurity

/// One end of a call: sound and picture to and from one other endpoint, encrypted, kept alive on bad networks.
///
/// ```swift
/// let call = try await Call()
/// try await call.addVideo(TestCardSource())
/// try await call.addAudio(TestSpeechSource())
/// let offer = try await call.createOffer()          // a string for the other side
/// try await call.accept(answer: theirAnswer)        // the string it sent back
/// for await event in call.events {
///     if case .videoTrack(let track) = event { track.onFrame { frame in show(frame.picture) } }
/// }
/// ```
/// The other side calls ``answer(_:)`` with the offer and sends back what it returns. A call uses threads of its own
/// (one for the network, one or two for each track) and may be used from any. What your functions do on those threads,
/// and how long they take, never holds up the network.
///
/// Call ``close()`` when it is over.
public final class Call: Sendable {
    struct State: Sendable {
        var localVideo: [LocalVideoTrack] = []
        var localAudio: [LocalAudioTrack] = []
        var remoteVideo: [RemoteVideoTrack] = []
        var remoteAudio: [RemoteAudioTrack] = []
        var callState = CallState.new
        var gathered = false
        var isClosed = false
        var closing: Task<Void, Never>?
        var failure: String?
        /// What all video encoders may produce together, as the network says; nil: not said yet.
        var videoRate: DataRate?
        var maximumVideoKilobits: Int
        var maximumVideoSize: VideoSize?
        var localAddresses: [String]
        var waiters: [Waiter] = []
        var signalling: [AsyncStream<SignallingNews>.Continuation] = []
        var nextWaiter = 0
    }

    struct Waiter: Sendable {
        let id: Int
        let isDone: @Sendable (State) -> Bool
        let continuation: CheckedContinuation<Void, Never>
    }

    /// Tracks of the other side that have ended are kept for the statistics, this many of each kind.
    static let endedTracksKept = 8

    /// What happens in the call, in order. To be read by one reader; where nobody reads, the newest 1000 are kept.
    /// The sequence ends when the call is closed.
    public let events: AsyncStream<CallEvent>
    /// How the call was set up.
    public let configuration: CallConfiguration
    let yield: AsyncStream<CallEvent>.Continuation
    let engine: CallEngine
    /// The call's own sockets; nil where it shares a port.
    let sockets: UDPDriver?
    let logs: LogRelay
    let state: Lock<State>
    let sync = SyncGroup()
    let wallClock: WallClock
    let streamID: String

    /// Makes an endpoint and opens its sockets.
    /// - Throws: ``CallError`` where the configuration makes no sense, no socket can be opened, or the capture file
    ///   cannot be written. Nothing is left behind then.
    public init(_ configuration: CallConfiguration = CallConfiguration()) async throws {
        self.configuration = configuration
        (events, yield) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1000))
        state = Lock(
            State(
                maximumVideoKilobits: configuration.maximumVideoKilobitsPerSecond,
                maximumVideoSize: configuration.maximumVideoSize, localAddresses: configuration.localAddresses))
        let now = MonotonicClock.now
        var random = RandomSource.system
        streamID = LocalTransport.randomName(16, using: &random)
        let certificate: Certificate
        do { certificate = try Certificate.make(unixTime: MonotonicClock.unixNanoseconds / 1_000_000_000) } catch {
            throw CallError.library("no certificate could be made: \(error)")
        }
        let wallClock = MonotonicClock.wallClock()
        self.wallClock = wallClock
        var settings = try configuration.peerSettings(wallClock: wallClock, certificate: certificate)
        logs = LogRelay(configuration.logger)
        let capture = try configuration.packetCapture.map { try PacketCapture($0, wallClock: wallClock) }
        let driver: any DatagramDriver
        do {
            if let seat = try await configuration.sharedPort?.seat() {
                settings.ice.ufragPrefix = seat.prefix
                driver = seat
                sockets = nil
            } else {
                let own = UDPDriver()
                driver = own
                sockets = own
            }
        } catch {
            capture?.discard()
            throw error
        }
        do {
            // Who offers is not known yet: the role in ICE is taken on with the first offer or answer.
            let peer = try Peer(configuration: settings, role: .controlled, random: random, now: now)
            engine = CallEngine(
                driver: driver, wallClock: wallClock, peer: peer, logs: logs, capture: capture,
                capturesPlaintext: configuration.packetCapture?.decrypted ?? false)
        } catch {
            capture?.discard()
            await driver.close()
            throw CallError.library("\(error)")
        }
        driver.drive(engine)
        engine.start(
            CallEngine.Handlers(
                event: { [weak self] event in self?.handle(event) },
                canSend: { [weak self] track, can, usesReferences in
                    self?.handle(track, canSend: can, usesFrameReferences: usesReferences)
                }))
        do { try await openSockets() } catch {
            await engine.close()
            capture?.discard()
            state.withLock { $0.isClosed = true }
            throw error
        }
    }

    deinit {
        // Without close() the threads would live on: who forgets it loses the time to wait for them, and nothing else.
        yield.finish()
        let tracks = state.withLock { $0 }
        for client in tracks.signalling { client.finish() }
        guard !tracks.isClosed else { return }
        Task { [engine] in
            await Self.close(tracks)
            await engine.close()
        }
    }

    /// Ends the call: says good-bye, closes sockets and stops all threads.
    ///
    /// Nothing of yours is called any more once it has returned: it waits for a sink that is still at work, and up to
    /// two seconds for a source that was asked before and has not answered yet. It may be called in any state, more
    /// than once, and at the same time.
    public func close() async {
        let task = update { state in
            if let closing = state.closing { return closing }
            state.isClosed = true
            state.callState = .closed
            let task = Task { await self.shutDown() }
            state.closing = task
            return task
        }
        await task.value
    }

    private func shutDown() async {
        // First the network: no track comes any more.
        await engine.close()
        await Self.close(state.withLock { $0 })
        await logs.close()
        yield.yield(.state(.closed, reason: nil))
        yield.finish()
        for client in state.withLock({ $0.signalling }) { client.finish() }
    }

    private static func close(_ tracks: State) async {
        for track in tracks.remoteVideo { track.stop() }
        for track in tracks.remoteAudio { track.stop() }
        for track in tracks.localVideo { await track.close() }
        for track in tracks.localAudio { await track.close() }
        for track in tracks.remoteVideo { await track.close() }
        for track in tracks.remoteAudio { await track.close() }
    }

    // MARK: State

    /// Where the call stands.
    public var callState: CallState { state.withLock { $0.callState } }
    /// Why it failed, in words; nil unless it has.
    public var failure: String? { state.withLock { $0.failure } }

    /// Waits until media can flow.
    /// - Throws: ``CallError/failed(_:)`` with the reason where the call fails first, ``CallError/closed`` where it is
    ///   closed, `CancellationError` where the task is cancelled.
    public func connected() async throws {
        try await wait { [.connected, .failed, .closed].contains($0.callState) }
        switch callState {
        case .failed: throw CallError.failed(failure ?? "the call failed")
        case .closed: throw CallError.closed
        case .new, .connecting, .connected, .disconnected: return
        }
    }

    /// A snapshot of everything that is counted; names and meaning as in W3C webrtc-stats.
    /// - Throws: ``CallError/closed`` once the call is closed.
    public func statistics() async throws -> CallStatistics {
        let driver = engine.driver
        let (counts, sent) = try await perform { peer, now, _ in (peer.statistics(now: now), driver.counts) }
        return CallStatistics(
            counts, driver: sent, tracks: state.withLock { $0 }, skew: sync.skew, wallClock: wallClock,
            unixNanoseconds: MonotonicClock.unixNanoseconds)
    }

    /// Changes the state and wakes whoever waited for that.
    func update<Result>(_ body: (inout State) -> Result) -> Result {
        let (result, waiters) = state.withLock { state in
            let result = body(&state)
            let done = state.waiters.filter { $0.isDone(state) }
            if !done.isEmpty { state.waiters.removeAll { waiter in done.contains { $0.id == waiter.id } } }
            return (result, done)
        }
        for waiter in waiters { waiter.continuation.resume() }
        return result
    }

    /// Waits until `isDone` holds for the state, or the task is cancelled.
    func wait(until isDone: @escaping @Sendable (State) -> Bool) async throws {
        let id = state.withLock { state in
            defer { state.nextWaiter += 1 }
            return state.nextWaiter
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    if isDone(state) || Task.isCancelled { return true }
                    state.waiters.append(Waiter(id: id, isDone: isDone, continuation: continuation))
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                state.waiters.firstIndex { $0.id == id }.map { state.waiters.remove(at: $0) }
            }
            waiter?.continuation.resume()
        }
        try Task.checkCancellation()
    }

    /// Runs `work` with the peer on the network's thread.
    func perform<Result: Sendable>(
        _ work: @escaping @Sendable (Peer, Instant, inout EgressBatch) throws -> Result
    ) async throws -> Result {
        do { return try await engine.perform(work) } catch let error as SDPError {
            switch error.reason {
            case .wrongState, .glare, .notOffered: throw CallError.wrongState(error.detail)
            case .badArgument: throw CallError.badConfiguration(error.detail)
            default: throw CallError.badDescription("\(error)")
            }
        }
    }
}

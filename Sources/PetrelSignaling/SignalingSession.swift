public import Petrel
internal import PetrelSDP

/// A stream that a server has taken or sends: a WHIP session (RFC 9725) or a WHEP session.
///
/// While it lives it tells the server candidates that are found late (trickle ICE, by PATCH) and looks for a new way
/// through the network where the old one is lost (ICE restart, by PATCH), as far as the server lets it.
public actor SignalingSession {
    /// What offer and answer have agreed on, as far as PATCH needs it.
    struct Agreement: Sendable {
        /// The entity tag of the session; nil where the server has none: then it takes no PATCH (RFC 9725 section 4.3).
        var etag: String?
        /// Our last description, and the server's.
        var offer: String
        var remote: String
        /// The server made the offer: a restart by fragments is not defined for that.
        var remoteOffered: Bool
    }

    /// The call whose media the session carries.
    public nonisolated let call: Call
    /// The STUN and TURN servers that the server named (Link, RFC 9725 section 4.6). STUN servers are in use already.
    public nonisolated let iceServers: [ICEServer]
    nonisolated let kind: StreamKind
    nonisolated let client: HTTPClient
    /// The address of the session. Who knows it may end the stream: it belongs in no log.
    nonisolated let address: HTTPAddress
    private nonisolated let restartsICE: Bool

    var agreement: Agreement
    /// Whether the server takes PATCH at all.
    var takesPatch = true
    var isRestarting = false
    var waiting: [(candidate: String?, mid: String?)] = []
    var flushing: Task<Void, Never>?
    var wasConnected = false
    private var recovery: Task<Void, Never>?
    private var tasks: [Task<Void, Never>] = []
    private var outcome: Result<Void, SignalingError>?
    private var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
    private var nextWaiter = 0

    /// A quiet path mostly comes back by itself; then a restart is begun.
    static let quietTime = Duration.seconds(1)
    /// Between two tries of a restart.
    static let retryTime = Duration.seconds(2)
    /// A server that cannot be reached for this long while no media flows either is gone.
    static let longestRecovery = Duration.seconds(12)
    /// The answer to DELETE is not worth more: the server forgets a silent session by itself.
    static let deleteSeconds = 5.0

    init(
        kind: StreamKind, call: Call, client: HTTPClient, address: HTTPAddress, iceServers: [ICEServer],
        agreement: Agreement, restartsICE: Bool
    ) {
        (self.kind, self.call, self.client, self.address) = (kind, call, client, address)
        (self.iceServers, self.agreement, self.restartsICE) = (iceServers, agreement, restartsICE)
    }

    func begin(_ news: AsyncStream<SignallingNews>) {
        tasks.append(
            Task { [weak self] in
                for await item in news {
                    guard let self else { return }
                    await self.take(item)
                }
                // The application has closed the call: the server is told, if it was not.
                await self?.callHasClosed()
            })
        tasks.append(Task { [weak self] in await self?.useServers() })
    }

    // MARK: For the application

    /// Ends the stream: tells the server (DELETE, RFC 9725 section 4.2) and closes the call. Again it does nothing.
    /// - Throws: where the server could not be told; the call is closed all the same, and a server forgets by itself a
    ///   session from which nothing comes any more.
    public func end() async throws(SignalingError) {
        guard finish(.success(())) else { return }
        let failure = await delete()
        await call.close()
        if let failure { throw failure }
    }

    /// Waits until the stream is over: it returns after ``end()``.
    /// - Throws: ``SignalingError`` where the stream was lost or the server has ended it, `cancelled` where the task was.
    public func ended() async throws(SignalingError) {
        while outcome == nil, !Task.isCancelled {
            let id = nextWaiter
            nextWaiter += 1
            await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    if outcome != nil || Task.isCancelled { continuation.resume() } else { waiters[id] = continuation }
                }
            } onCancel: {
                Task { await self.wake(id) }
            }
        }
        guard let outcome else { throw SignalingError(.cancelled, "cancelled") }
        try outcome.get()
    }

    /// Begins an ICE restart: new credentials on both sides, and the way through the network looked for anew. Media
    /// goes on over the old way where it still lives.
    /// - Throws: ``SignalingError/Reason/unsupported`` where the server does not offer it. Whatever is thrown, the
    ///   session is as it was, but for ``SignalingError/Reason/notFound``: the server has none any more.
    public func restart() async throws(SignalingError) {
        _ = try await restart { try await $0.restart() }
    }

    /// Says that the addresses of this machine may have changed (another Wi-Fi, a cable): the call takes the new ones,
    /// and an ICE restart tells the server.
    /// - Returns: whether anything has changed.
    /// - Throws: as ``restart()``.
    @discardableResult
    public func networkChanged() async throws(SignalingError) -> Bool {
        try await restart { try await $0.networkChanged() }
    }

    // MARK: What the call tells

    private func take(_ news: SignallingNews) {
        guard outcome == nil else { return }
        switch news {
        case .localCandidate(let candidate, let mid): add(candidate, mid)
        case .state(.connected, _, _):
            wasConnected = true
            recovery?.cancel()
            recovery = nil
        case .state(.disconnected, _, _): recover()
        case .state(.failed, let isPathLost, let reason):
            if isPathLost, wasConnected, canRestart {
                recover()
            } else if !isPathLost, wasConnected {
                lose(SignalingError(.endedByServer, "the server has ended the stream"))
            } else {
                lose(SignalingError(.lost, reason ?? "the connection failed"))
            }
        case .state: break
        }
    }

    private var canRestart: Bool { restartsICE && takesPatch && agreement.etag != nil && !agreement.remoteOffered }

    private func callHasClosed() async {
        guard finish(.success(())) else { return }
        _ = await delete()
    }

    /// Asks the STUN servers that the server named; what they tell is trickled.
    private func useServers() async {
        guard takesPatch, agreement.etag != nil else { return }
        var addresses: [String] = []
        for server in iceServers.prefix(8) {
            guard let (host, port) = server.stun else { continue }
            addresses += await HostLookup.addresses(of: host, port: port)
        }
        guard !addresses.isEmpty, outcome == nil else { return }
        _ = try? await call.addSTUNServers(addresses)
    }

    // MARK: A path that is lost

    private func recover() {
        guard recovery == nil, canRestart else { return }
        recovery = Task { [weak self] in
            try? await Task.sleep(for: Self.quietTime)
            let began = ContinuousClock.now
            while !Task.isCancelled, let self {
                guard let failure = await self.tryRestart() else { return }
                if Task.isCancelled { return }
                let isOver = ContinuousClock.now - began > Self.longestRecovery
                if isOver || failure.reason == .notFound || failure.reason == .unsupported {
                    await self.giveUp(failure)
                    return
                }
                try? await Task.sleep(for: Self.retryTime)
            }
        }
    }

    /// Nil where the restart was agreed on and a path was found, or the session is over.
    private func tryRestart() async -> SignalingError? {
        guard outcome == nil else { return nil }
        do { try await restart() } catch { return error }
        for _ in 0..<25 where !Task.isCancelled && outcome == nil {
            if call.callState == .connected { return nil }
            try? await Task.sleep(for: .milliseconds(200))
        }
        return SignalingError(.lost, "the server answers, and no way for media to it is found any more")
    }

    private func giveUp(_ failure: SignalingError) {
        recovery = nil
        switch failure.reason {
        case .unsupported:
            // The path may come back until the call itself fails.
            if call.callState == .failed { lose(SignalingError(.lost, call.failure ?? "the connection failed")) }
        case .notFound: lose(SignalingError(.endedByServer, "the server has ended the stream"))
        default: lose(SignalingError(.lost, "the stream was lost, and \(failure)"))
        }
    }

    // MARK: The end

    private func lose(_ error: SignalingError) {
        guard finish(.failure(error)) else { return }
        guard error.reason != .endedByServer else { return }
        Task { _ = await delete() }
    }

    /// Records how the session ended, once, and wakes whoever waits. False where it had ended before.
    private func finish(_ result: Result<Void, SignalingError>) -> Bool {
        guard outcome == nil else { return false }
        outcome = result
        flushing?.cancel()
        recovery?.cancel()
        for task in tasks { task.cancel() }
        for waiter in waiters.values { waiter.resume() }
        waiters = [:]
        return true
    }

    private func wake(_ id: Int) { waiters.removeValue(forKey: id)?.resume() }

    /// Tells the server. Nil where it knows now, or knew before.
    private func delete() async -> SignalingError? {
        let quick = HTTPClient(home: client.home, token: client.token, seconds: min(Self.deleteSeconds, client.seconds))
        // Told even where our task is cancelled: that is how programs end.
        let task = Task { [address, kind] () -> SignalingError? in
            do throws(SignalingError) {
                let (answer, from) = try await quick.send("DELETE", to: address)
                let isGone = (200...299).contains(answer.status) || answer.status == 404 || answer.status == 410
                return isGone ? nil : quick.refusal(answer, from: from, kind)
            } catch { return error }
        }
        return await task.value
    }
}

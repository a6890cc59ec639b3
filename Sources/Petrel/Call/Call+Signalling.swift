internal import PetrelCore
internal import PetrelIO
internal import PetrelPeer

/// Offer and answer (RFC 9429): strings that the application carries to the other side and back.
extension Call {
    /// How long an offer or answer waits for what STUN servers tell. One that does not answer by then tells nothing.
    static let longestGathering = Duration.seconds(2)

    /// Makes an offer for the other side: a session description (RFC 8866) with all candidates of this endpoint.
    ///
    /// Also to be called after tracks were added or removed in mid-call.
    /// - Throws: ``CallError/wrongState(_:)`` where there is nothing to offer, or an offer of the other side waits for
    ///   its answer.
    public func createOffer() async throws -> String {
        await gather()
        return try await perform { peer, now, _ in try peer.createOffer(now: now) }
    }

    /// Answers the offer of the other side.
    /// - Throws: ``CallError/badDescription(_:)``; then the call is as it was.
    public func answer(_ offer: String) async throws -> String {
        await gather()
        return try await perform { peer, now, batch in
            let answer = try peer.answer(offer: offer, now: now, into: &batch)
            // After a restart all addresses have been told again.
            if !peer.hasGathered { peer.endOfLocalAddresses(now: now) }
            return answer
        }
    }

    /// Applies the other side's answer to our offer.
    /// - Throws: ``CallError/badDescription(_:)``; then the call is as it was, and the offer still waits.
    public func accept(answer: String) async throws {
        try await perform { peer, now, batch in try peer.accept(answer: answer, now: now, into: &batch) }
    }

    /// Takes a candidate that came after the session description (trickle ICE, RFC 8838); nil or empty: no more come.
    public func addRemoteCandidate(_ candidate: String?, mid: String? = nil, index: Int? = nil) async throws {
        try await perform { peer, now, batch in
            try peer.addRemoteCandidate(candidate, mid: mid, index: index, now: now, into: &batch)
        }
    }

    /// Takes back an offer that was not answered.
    public func rollback() async throws { try await perform { peer, _, _ in try peer.rollback() } }

    /// Begins an ICE restart and makes the offer for it: when the call is failing. Where the network has changed, call
    /// ``networkChanged(localAddresses:)``.
    public func restart() async throws -> String {
        update { $0.gathered = false }
        try await perform { peer, now, _ in
            try peer.restartICE(now: now)
            peer.endOfLocalAddresses(now: now)
        }
        return try await createOffer()
    }

    /// Waits for the candidates that STUN servers tell.
    private func gather() async {
        guard !configuration.stunServers.isEmpty else { return }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await self.wait { $0.gathered || $0.isClosed } }
            group.addTask { try? await Task.sleep(for: Self.longestGathering) }
            await group.next()
            group.cancelAll()
        }
    }
}

// MARK: For signalling clients

/// What a signalling client has to know of a call beside what the application reads from ``Call/events``.
package enum SignallingNews: Sendable {
    /// A candidate of ours; nil after the last one.
    case localCandidate(String?, mid: String?)
    /// Where the call stands, and whether it failed only for want of a path, which an ICE restart may find.
    case state(CallState, isPathLost: Bool, reason: String?)
}

extension Call {
    /// The news from now on, for one signalling client; it ends with the call. The newest 200 are kept.
    package func signallingNews() -> AsyncStream<SignallingNews> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: SignallingNews.self, bufferingPolicy: .bufferingNewest(200))
        let isClosed = state.withLock { state in
            if !state.isClosed { state.signalling.append(continuation) }
            return state.isClosed
        }
        if isClosed { continuation.finish() }
        return stream
    }

    func tell(_ news: SignallingNews) {
        for client in state.withLock({ $0.signalling }) { client.yield(news) }
    }

    /// Asks further STUN servers, which the other side named after the first offer, given as `192.0.2.1:3478`. What they
    /// tell comes as ``CallEvent/localCandidate(_:mid:)``. What is no numeric address with a port is passed over.
    /// - Returns: how many are new and are asked.
    @discardableResult
    public func addSTUNServers(_ servers: [String]) async throws -> Int {
        let addresses = servers.compactMap { TransportAddress(withPort: $0) }
        return try await perform { peer, now, _ in peer.addSTUNServers(addresses, now: now) }
    }
}

internal import PetrelCore
internal import PetrelSDP

extension ICEAgent {
    /// Pairs beyond ``ICEConfiguration/maximumPairs`` that only authenticated checks can make.
    static let reservedPairs = 16

    /// Makes a pair of the current generation, or refreshes what is known about the remote candidate of one.
    mutating func addPair(
        _ base: LocalBase, _ remote: ICECandidate, authenticated: Bool, now: Instant
    ) -> Verdict {
        guard configuration.addressPolicy.permits(remote.address, from: base.address),
            (AddressRange(remote.address) == .linkLocal) == (AddressRange(base.address) == .linkLocal)
        else { return .drop(.iceAddressRefused) }
        let path = ICEPath(local: base.address, remote: remote.address)
        if let known = pairIndex(path, generation: current.number) {
            if pairs[known].remote.kind == .peerReflexive { pairs[known].remote = remote }
            return .accept
        }
        // Only pairs of which the peer has not proven anything make room; whoever came first stays.
        let limit = max(1, configuration.maximumPairs) + (authenticated ? Self.reservedPairs : 0)
        if pairs.count >= limit {
            guard
                let victim = pairs.indices.filter({ evictable($0, forAuthenticated: authenticated, now: now) })
                    .min(by: { pairs[$0].priority(role) < pairs[$1].priority(role) })
            else { return .drop(.iceCandidateLimit) }
            let id = pairs[victim].id
            removePairs { $0.id == id }
        }
        pairs.append(
            CandidatePair(
                id: nextPairID, generation: current.number, path: path, localPriority: base.candidate.priority,
                remote: remote, now: now))
        nextPairID += 1
        if state == .new, current.remote != nil { setState(.checking) }
        // While another pair has been settled on, a signalled candidate waits until it is needed.
        if current.selected != nil, !authenticated { pairs[pairs.count - 1].nextCheck = .distantFuture }
        return .accept
    }

    private func evictable(_ index: Int, forAuthenticated: Bool, now: Instant) -> Bool {
        let pair = pairs[index]
        guard !isInUse(pair), pair.id != current.nominated else { return false }
        if pair.state == .failed { return true }
        return forAuthenticated && !hasConsent(pair, now: now)
    }

    func pairIndex(_ path: ICEPath, generation: Int) -> Int? {
        pairs.firstIndex { $0.generation == generation && $0.path == path }
    }

    /// Whether consent is kept up on the pair.
    func isInUse(_ pair: CandidatePair) -> Bool {
        pair.id == sendID || (pair.isValid && (pair.id == current.selected || pair.id == previous?.selected))
    }

    mutating func removePairs(where condition: (CandidatePair) -> Bool) {
        guard pairs.contains(where: condition) else { return }
        claimsVersion &+= 1
        pairs.removeAll(where: condition)
        let kept = pairs
        triggered.removeAll { id in !kept.contains { $0.id == id } }
        validated.removeAll { path in !kept.contains { $0.path == path && ($0.requestReceived || $0.isValid) } }
        if let sendID, let index = index(of: sendID) {
            sendIndex = index
        } else {
            sendID = nil
            sendIndex = nil
            sendPath = nil
        }
        if let nominated = current.nominated, index(of: nominated) == nil {
            current.nominated = nil
            current.nominatedAt = nil
            current.nominationConfirmed = false
        }
        if let selected = current.selected, index(of: selected) == nil {
            current.selected = nil
            current.selectedAt = nil
        }
    }

    mutating func markValidated(_ path: ICEPath) {
        if !validated.contains(path) { validated.append(path) }
    }

    /// Puts a pair's check in front of all others (RFC 8445 section 6.1.4.1).
    mutating func trigger(_ index: Int, now: Instant) {
        pairs[index].nextCheck = now
        if pairs[index].state == .failed {
            pairs[index].state = .waiting
            pairs[index].phaseStart = now
            pairs[index].interval = .zero
        }
        let id = pairs[index].id
        if !triggered.contains(id) { triggered.append(id) }
    }

    /// After pairs were taken away: whether anything is left to send on.
    mutating func afterLosingPairs(now: Instant) {
        guard sendID == nil, state == .connected || state == .completed || state == .disconnected else { return }
        if let index = bestValid(now: now) {
            send(on: index, now: now)
            return
        }
        current.firstValidAt = nil
        current.begunAt = now
        for index in pairs.indices { revive(index, now: now) }
        setState(.checking)
    }

    /// Lets a parked pair be checked again, as if it were new.
    private mutating func revive(_ index: Int, now: Instant) {
        pairs[index].state = .waiting
        pairs[index].firstUnanswered = nil
        pairs[index].nextCheck = now
        pairs[index].phaseStart = now
        pairs[index].interval = .zero
    }

    /// Whether it is valid, and was lately enough for media.
    func hasConsent(_ pair: CandidatePair, now: Instant) -> Bool {
        pair.isValid && consentBegan(pair).map { now - $0 < ICETiming.consentLifetime } ?? false
    }

    /// What the time of consent is counted from: the last answer to a check of ours; for a lite agent, which makes none,
    /// the last that was heard and authentic.
    func consentBegan(_ pair: CandidatePair) -> Instant? {
        configuration.isLite ? pair.lastHeard : pair.lastResponse
    }

    /// The valid pair of the current generation with the highest priority.
    func bestValid(now: Instant) -> Int? {
        pairs.indices.filter { pairs[$0].generation == current.number && hasConsent(pairs[$0], now: now) }
            .max { pairs[$0].priority(role) < pairs[$1].priority(role) }
    }
}

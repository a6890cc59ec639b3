public import PetrelCore

extension ICEAgent {
    /// Does what is due. Call it when ``nextDeadline`` has come; earlier or later is harmless.
    public mutating func handleTimeout(now: Instant, random: inout RandomSource, out: inout EgressBatch) {
        guard state != .closed else { return }
        if previous != nil, now >= previousUntil { dropPrevious() }
        expireConsent(now: now)
        watch(now: now)
        considerNomination(now: now)
        sendDue(now: now, random: &random, out: &out)
        giveUp(now: now)
        reportGathering()
        updateDeadline(now: now)
    }

    /// After every call that may have changed what is due.
    mutating func progress(now: Instant) {
        considerNomination(now: now)
        if let sendIndex, state == .disconnected, pairs[sendIndex].firstUnanswered == nil,
            !isStillDisconnected(on: pairs[sendIndex], now: now)
        {
            setState(current.selected == sendID ? .completed : .connected)
        }
        updateDeadline(now: now)
    }

    private mutating func dropPrevious() {
        let number = previous?.number
        previous = nil
        previousUntil = .distantFuture
        removePairs { $0.generation == number }
    }

    /// When consent for a pair in use runs out. A lite agent answers checks of consent and sends none (RFC 7675): it lives
    /// on what it receives, checks or media, and so knows a peer that has vanished.
    private func consentExpiry(_ pair: CandidatePair) -> Instant {
        consentBegan(pair).map { $0 + ICETiming.consentLifetime } ?? .distantFuture
    }

    /// RFC 7675 section 5.1.
    private mutating func expireConsent(now: Instant) {
        guard let sendIndex, now >= consentExpiry(pairs[sendIndex]) else { return }
        let lost = pairs[sendIndex]
        removePairs { $0.id == lost.id }
        // Another pair with fresh consent may carry on; the credentials on this one may not be revived.
        if let other = bestValid(now: now) {
            if role == .controlling { nominate(other, now: now) }
            settle(other, now: now)
        } else if lost.generation == current.number {
            loseConsent()
        } else {
            setState(.checking)
        }
    }

    /// Consent has run out or was revoked: nothing is sent until a restart.
    mutating func loseConsent() {
        stopSending()
        consentLost = true
        setState(.failed)
    }

    /// When the pair in use counts as disconnected, if nothing comes.
    private func disconnection(_ pair: CandidatePair) -> Instant {
        guard let unanswered = pair.firstUnanswered, let heard = pair.lastHeard else {
            return configuration.isLite
                ? (pair.lastHeard ?? pair.bornAt) + ICETiming.consentInterval + ICETiming.disconnectedQuiet
                : .distantFuture
        }
        return min(
            max(heard + ICETiming.disconnectedQuiet, unanswered + ICETiming.disconnectedUnanswered),
            unanswered + ICETiming.disconnectedDeaf)
    }

    /// When the spare pairs are tried again.
    private func recovery(_ pair: CandidatePair) -> Instant {
        guard let unanswered = pair.firstUnanswered, let heard = pair.lastHeard else { return .distantFuture }
        return max(heard, unanswered) + ICETiming.recoveryAfter
    }

    /// Looks after the pair in use.
    private mutating func watch(now: Instant) {
        guard let sendIndex else { return }
        let pair = pairs[sendIndex]
        if state != .disconnected, now >= disconnection(pair) { setState(.disconnected) }
        guard !configuration.isLite, now >= recovery(pair) else { return }
        for index in pairs.indices
        where index != sendIndex && pairs[index].generation == current.number
            && pairs[index].nextCheck == .distantFuture
        {
            // Stale validity is not trusted: it must answer again.
            let isFresh = pairs[index].lastResponse.map { now - $0 < ICETiming.recoveryAfter } ?? false
            if isFresh { continue }
            if pairs[index].lastCheckAt.map({ now - $0 < ICETiming.recoveryInterval }) ?? false { continue }
            pairs[index].nextCheck = now
        }
    }

    /// Ends a set-up that leads nowhere (RFC 8445 section 8.1.2, RFC 8863).
    private mutating func giveUp(now: Instant) {
        guard let since = setupDeadline, now >= since else { return }
        for index in pairs.indices where pairs[index].generation == current.number && !pairs[index].isValid {
            pairs[index].state = .failed
        }
        if sendID == nil { setState(.failed) }
    }

    private var setupDeadline: Instant? {
        guard current.remote != nil, current.firstValidAt == nil, !configuration.isLite, state != .failed else {
            return nil
        }
        // After a restart that leads nowhere the old pair may live on: then there is nothing more to give up, and a
        // deadline would be due for ever.
        if sendID != nil, !pairs.contains(where: { $0.generation == current.number && $0.state != .failed }) {
            return nil
        }
        let latest = pairs.reduce(current.begunAt) { $1.generation == current.number ? max($0, $1.phaseStart) : $0 }
        let deadline = min(latest, current.begunAt + ICETiming.patience) + ICETiming.patience
        return deadline
    }

    mutating func updateDeadline(now: Instant) {
        guard state != .closed else {
            nextDeadline = .distantFuture
            return
        }
        var check = gathering.reduce(Instant.distantFuture) { min($0, $1.nextSend) }
        for pair in pairs { check = min(check, due(pair)) }
        if triggered.contains(where: { id in
            index(of: id).map { generation(pairs[$0].generation)?.remote != nil } ?? false
        }) {
            check = .distantPast
        }
        var deadline = check == .distantFuture ? check : max(check, paceNext)
        if previous != nil { deadline = min(deadline, previousUntil) }
        // What has been looked at already and found nothing to do is not a deadline any more.
        func consider(_ instant: Instant) { if instant > now { deadline = min(deadline, instant) } }
        if let sendIndex {
            let pair = pairs[sendIndex]
            deadline = min(deadline, consentExpiry(pair))
            consider(disconnection(pair))
            if pairs.count > 1 { consider(max(recovery(pair), now + ICETiming.recoveryInterval)) }
        }
        if role == .controlling, let first = current.firstValidAt {
            consider(first + ICETiming.nominationWait)
            if let at = current.nominatedAt { consider(at + ICETiming.nominationTimeout) }
        }
        if let setupDeadline { deadline = min(deadline, setupDeadline) }
        nextDeadline = deadline
    }
}

internal import PetrelCore
internal import PetrelSecurity
internal import PetrelWire

extension ICEAgent {
    /// When the pair wants its next check; `distantFuture` for never.
    func due(_ pair: CandidatePair) -> Instant {
        guard !configuration.isLite, generation(pair.generation)?.remote != nil, pair.state != .failed, state != .failed
        else {
            return .distantFuture
        }
        let isUnconfirmed = pair.id == current.nominated && !current.nominationConfirmed && role == .controlling
        if pair.isValid {
            var due = pair.nextCheck
            if isUnconfirmed || isInUse(pair) {
                due = min(due, pair.dueInUse(unconfirmedSince: isUnconfirmed ? current.nominatedAt : nil))
            }
            return due
        }
        return pair.nextCheck
    }

    /// The pace of pairs that nothing is known about, stretched where they are many: together they make at most 100
    /// checks a second, about 130 kbit/s.
    private var fastInterval: TimeDelta {
        let unknown = pairs.count { !$0.isValid && !$0.requestReceived && $0.state != .failed }
        return max(ICETiming.fastInterval, ICETiming.fastShare * unknown)
    }

    /// The time until a pair in set-up is checked again.
    private func interval(after pair: CandidatePair, now: Instant) -> TimeDelta {
        let isFast = now - pair.phaseStart < ICETiming.fastPhase
        if current.selected != nil {
            // The peer speaks from a new address (a rebinding), or a spare pair is tried.
            return pair.requestReceived && isFast ? ICETiming.fastIntervalHeard : ICETiming.recoveryInterval
        }
        var interval: TimeDelta
        if isFast {
            interval = pair.requestReceived ? ICETiming.fastIntervalHeard : fastInterval
        } else {
            interval = min(ICETiming.slowInterval, max(ICETiming.fastInterval, pair.interval) * 2)
        }
        if sendIndex.map({ pairs[$0].generation == current.number }) ?? false {
            interval = max(interval, ICETiming.spareInterval)
        }
        return interval
    }

    /// Sends at most one check or gathering request: whichever is due first, triggered checks before all.
    mutating func sendDue(now: Instant, random: inout RandomSource, out: inout EgressBatch) {
        guard paceNext <= now else { return }
        var chosen: Int?
        while chosen == nil, let id = triggered.first {
            guard let index = index(of: id), generation(pairs[index].generation)?.remote != nil else {
                triggered.removeFirst()
                continue
            }
            triggered.removeFirst()
            chosen = index
        }
        if chosen == nil {
            var earliest = now
            for index in pairs.indices {
                let due = due(pairs[index])
                guard due <= now else { continue }
                if let best = chosen {
                    if due > earliest { continue }
                    if due == earliest, pairs[index].priority(role) <= pairs[best].priority(role) { continue }
                }
                (chosen, earliest) = (index, due)
            }
        }
        if let chosen {
            sendCheck(chosen, now: now, random: &random, out: &out)
        } else if !sendGathering(now: now, random: &random, out: &out) {
            return
        }
        paceNext = now + max(ICETiming.minimumPacing, configuration.pacing)
    }

    /// Sends one check (RFC 8445 section 7.2.2). It is a transaction of its own and is not retransmitted as such.
    private mutating func sendCheck(
        _ index: Int, now: Instant, random: inout RandomSource, out: inout EgressBatch
    ) {
        let pair = pairs[index]
        guard let generation = generation(pair.generation), generation.remote != nil else { return }
        let nominates = role == .controlling && generation.nominated == pair.id
        let priority = bases.first { $0.address == pair.path.local }?.reflexivePriority ?? 1
        let transaction = STUNTransactionID(random: &random)
        let controlling = role == .controlling
        let tiebreaker = tiebreaker
        var length = 0
        out.append(to: pair.path.remote, from: pair.path.local) { buffer in
            var writer = STUNWriter(into: buffer, .request, transaction: transaction)
            writer.append(STUNAttributeType.username, generation.username)
            writer.append(STUNAttributeType.priority, priority)
            writer.append(
                controlling ? STUNAttributeType.iceControlling : STUNAttributeType.iceControlled, tiebreaker)
            if nominates { writer.append(STUNAttributeType.useCandidate) }
            writer.appendIntegrity { HMACSHA1.authenticate($0, key: generation.remoteKey) }
            writer.appendFingerprint()
            length = writer.finish() ?? 0
            return length
        }
        figures.requestsSent += 1
        figures.bytesSent += length
        transactions.insert(
            TransactionTable.Entry(
                id: transaction, pair: pair.id, sentAt: now, role: role, useCandidate: nominates, priority: priority))

        pairs[index].lastCheckAt = now
        if pairs[index].firstUnanswered == nil { pairs[index].firstUnanswered = now }
        if pairs[index].consentAt <= now {
            figures.consentRequestsSent += 1
            scheduleConsent(index, now: now, random: &random)
        }
        if pairs[index].isValid {
            pairs[index].nextCheck = .distantFuture
        } else {
            pairs[index].state = .inProgress
            let interval = interval(after: pairs[index], now: now)
            pairs[index].interval = interval
            pairs[index].nextCheck = now + interval
        }
    }

    /// Draws the time of the next consent check: 0.8...1.2 of 5 s (RFC 7675 section 5.1).
    mutating func scheduleConsent(_ index: Int, now: Instant, random: inout RandomSource) {
        pairs[index].consentAt = now + ICETiming.consentInterval * (0.8 + 0.4 * random.unit())
    }
}

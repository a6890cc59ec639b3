public import PetrelCore
internal import PetrelSDP

extension ICEAgent {
    /// Tells the agent that a packet of media from this 5-tuple was authenticated (SRTP, or a DTLS record that was
    /// accepted). Costs no more than two comparisons for the pair in use.
    ///
    /// While media flows, its silence for 30...150 ms (the shorter, the longer the round trip) makes the agent check
    /// the pair; and media from a validated pair, while the pair in use is silent, moves our sending there.
    public mutating func mediaReceived(from remote: TransportAddress, to local: TransportAddress, now: Instant) {
        let path = ICEPath(local: local, remote: remote)
        let index: Int
        if let sendIndex, sendPath == path {
            index = sendIndex
        } else if let other = pairs.firstIndex(where: { $0.path == path && ($0.isValid || $0.requestReceived) }) {
            index = other
        } else {
            return
        }
        pairs[index].noteMedia(now: now)
        if index != sendIndex {
            considerMove(to: index, now: now)
        } else if !configuration.isLite {
            let due = now + pairs[index].silenceThreshold
            if due < nextDeadline { nextDeadline = due }
        }
    }

    /// Lets media take this pair.
    mutating func send(on index: Int, now: Instant) {
        let pair = pairs[index]
        guard sendID != pair.id else { return }
        sendID = pair.id
        sendIndex = index
        sendPath = pair.path
        figures.selectedPairChanges += 1
        if figures.firstValidPairAt == nil { figures.firstValidPairAt = now }
        if state != .completed, !isStillDisconnected(on: pair, now: now) { setState(.connected) }
        let local =
            bases.first { $0.address == pair.path.local }?.candidate
            ?? ICECandidate(foundation: "1", priority: 1, address: pair.path.local, kind: .host)
        emit(.selectedPairChanged(local: signalled(local), remote: pair.remote))
    }

    /// Where the agent is disconnected, a spare pair that has been silent as long brings nobody back: it is heard
    /// again, or its consent runs out too.
    func isStillDisconnected(on pair: CandidatePair, now: Instant) -> Bool {
        state == .disconnected && pair.quiet(now) >= ICETiming.disconnectedQuiet
    }

    /// Both sides have agreed on this pair (RFC 8445 section 8.1.1).
    mutating func settle(_ index: Int, now: Instant) {
        let pair = pairs[index]
        if current.selected != pair.id {
            current.selected = pair.id
            current.selectedAt = now
        }
        send(on: index, now: now)
        if figures.completedAt == nil { figures.completedAt = now }
        if state != .completed, !isStillDisconnected(on: pair, now: now) { setState(.completed) }
        if previous != nil, previousUntil == .distantFuture { previousUntil = now + ICETiming.previousGrace }
        // The others are kept for the day this one dies, and cost nothing until then (RFC 8445 section 8.1.2).
        let id = pair.id
        for other in pairs.indices where pairs[other].id != id && pairs[other].generation == current.number {
            pairs[other].nextCheck = .distantFuture
        }
        let heard = pairs.filter { $0.requestReceived || $0.id == id }.map(\.id)
        triggered.removeAll { !heard.contains($0) }
    }

    /// As controlled: the peer nominates a valid pair (RFC 8445 section 7.3.1.5).
    ///
    /// Where it nominates several, as RFC 5245's aggressive nomination did, the highest priority wins, unless the pair
    /// in use has gone silent: then the peer has moved.
    mutating func acceptNomination(_ index: Int, now: Instant) {
        guard let selected = current.selected, let old = self.index(of: selected), old != index else {
            settle(index, now: now)
            return
        }
        let isBetter = pairs[index].priority(role) > pairs[old].priority(role)
        if isBetter || pairs[old].quiet(now) >= pairs[old].silenceThreshold { settle(index, now: now) }
    }

    /// Moves media to another valid pair where the one in use has gone silent.
    ///
    /// After a NAT rebinding the peer's checks come from an address that was never seen before. RFC 8445 would ask for
    /// a restart; but the new address has proven itself with both passwords of this generation, so media follows at
    /// once. A pair that was known before is only taken after a longer silence, since peers check their spare pairs
    /// now and then.
    mutating func considerMove(to index: Int, now: Instant) {
        guard let sendIndex, sendIndex != index, pairs[index].isValid,
            pairs[index].generation == pairs[sendIndex].generation, let heard = pairs[index].lastHeard,
            pairs[index].generation == current.number
        else { return }
        let old = pairs[sendIndex]
        let quiet = old.quiet(now)
        guard heard >= (old.lastHeard ?? .distantPast) else { return }
        let isRebinding =
            pairs[index].remote.kind == .peerReflexive
            && pairs[index].bornAt > (current.selectedAt ?? current.firstValidAt ?? .distantFuture)
        guard quiet >= (isRebinding ? old.silenceThreshold : ICETiming.quietForMove) else { return }
        if isRebinding { pairs[sendIndex].replacedAt = now }
        let wasSettled = current.selected != nil
        if role == .controlling { nominate(index, now: now) }
        if wasSettled { settle(index, now: now) } else { send(on: index, now: now) }
    }

    /// As controlling: chooses, once there is something to choose from.
    mutating func considerNomination(now: Instant) {
        guard role == .controlling, !configuration.isLite, current.remote != nil, let first = current.firstValidAt
        else {
            return
        }
        if let nominated = current.nominated {
            guard !current.nominationConfirmed, let at = current.nominatedAt, now - at >= ICETiming.nominationTimeout,
                let best = pairs.indices.filter({
                    pairs[$0].generation == current.number && pairs[$0].isValid && pairs[$0].id != nominated
                }).max(by: { pairs[$0].priority(role) < pairs[$1].priority(role) })
            else { return }
            nominate(best, now: now)
            return
        }
        guard let best = bestValid(now: now) else { return }
        let priority = pairs[best].priority(role)
        let mayImprove = pairs.contains {
            $0.generation == current.number && !$0.isValid && $0.state != .failed && $0.priority(role) > priority
        }
        if !mayImprove || now - first >= ICETiming.nominationWait { nominate(best, now: now) }
    }

    mutating func nominate(_ index: Int, now: Instant) {
        current.nominated = pairs[index].id
        current.nominatedAt = now
        current.nominationConfirmed = false
        trigger(index, now: now)
    }

    /// A lite agent makes no checks: a request is all it ever learns (RFC 8445 section 7.3.2).
    mutating func noteRequestLite(_ index: Int, useCandidate: Bool, now: Instant) {
        guard useCandidate else { return }
        pairs[index].state = .succeeded
        if current.firstValidAt == nil { current.firstValidAt = now }
        settle(index, now: now)
    }
}

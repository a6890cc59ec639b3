public import PetrelCore
internal import PetrelSDP
internal import PetrelWire

/// One question to a STUN server for the address it sees (RFC 8445 section 5.1.1.2). Retransmitted with the same id,
/// each time after twice the time (RFC 8489 section 6.2.1).
struct GatheringTransaction: Sendable {
    let base: TransportAddress
    let server: TransportAddress
    let id: STUNTransactionID?
    var nextSend: Instant
    var timeout = ICETiming.gatheringTimeout
    var sent = 0
}

extension ICEAgent {
    /// Asks these STUN servers too, from every base: servers that are named only after the first offer, as by a WHIP
    /// endpoint (RFC 9725 section 4.6). What they tell is emitted as candidates for the other side.
    /// - Returns: how many are new; beyond ``ICEConfiguration/maximumServers`` none are taken.
    public mutating func addServers(_ servers: [TransportAddress], now: Instant) -> Int {
        guard state != .closed, !configuration.isLite else { return 0 }
        let room = ICEConfiguration.maximumServers - configuration.stunServers.count
        let new = servers.filter { !configuration.stunServers.contains($0) }.prefix(max(0, room))
        guard !new.isEmpty else { return 0 }
        configuration.stunServers += new
        for base in bases { ask(new, from: base, now: now) }
        if !gathering.isEmpty { gatheringReported = false }
        updateDeadline(now: now)
        return new.count
    }

    /// Asks every server from a new base.
    mutating func startGathering(_ base: LocalBase, now: Instant) {
        ask(configuration.stunServers.prefix(ICEConfiguration.maximumServers), from: base, now: now)
    }

    private mutating func ask(_ servers: ArraySlice<TransportAddress>, from base: LocalBase, now: Instant) {
        guard base.candidate.kind == .host, !configuration.isLite else { return }
        for server in servers
        where configuration.addressPolicy.permits(server, from: base.address) {
            gathering.append(GatheringTransaction(base: base.address, server: server, id: nil, nextSend: now))
        }
    }

    /// Sends the first request that is due.
    /// - Returns: false where none was.
    mutating func sendGathering(now: Instant, random: inout RandomSource, out: inout EgressBatch) -> Bool {
        while let index = gathering.firstIndex(where: { $0.nextSend <= now }) {
            guard gathering[index].sent < ICETiming.gatheringTries else {
                gathering.remove(at: index)
                continue
            }
            let id = gathering[index].id ?? STUNTransactionID(random: &random)
            let old = gathering[index]
            gathering[index] = GatheringTransaction(
                base: old.base, server: old.server, id: id, nextSend: now + old.timeout, timeout: old.timeout * 2,
                sent: old.sent + 1)
            var length = 0
            out.append(to: old.server, from: old.base) { buffer in
                var writer = STUNWriter(into: buffer, .request, transaction: id)
                writer.appendFingerprint()
                length = writer.finish() ?? 0
                return length
            }
            figures.bytesSent += length
            return true
        }
        return false
    }

    /// A server's answer. It is not authenticated (RFC 8489 section 9 is not used with public servers); the id, the
    /// server's address and the base must fit, and all it can do is add one candidate for the peer to try.
    mutating func receiveGathering(
        _ request: Int, _ message: STUNMessage, _ path: ICEPath, now: Instant
    ) -> Verdict {
        let transaction = gathering[request]
        guard path == ICEPath(local: transaction.base, remote: transaction.server) else {
            return .drop(.stunAsymmetricResponse)
        }
        gathering.remove(at: request)
        defer { reportGathering() }
        guard message.messageClass == .success, message.unknownRequiredCount == 0 else { return .accept }
        guard let mapped = message.xorMappedAddress ?? message.mappedAddress,
            let base = bases.first(where: { $0.address == transaction.base })
        else { return .drop(.stunMissingAttribute) }
        // Not behind a NAT, or known by another server already: redundant (RFC 8445 section 5.1.3).
        guard !isOwn(mapped), AddressRange(mapped) == .other, mapped.port != 0,
            mapped.family == base.address.family, reflexive.count < Self.maximumReflexive
        else { return .accept }
        if reflexive.contains(where: { $0.address == mapped && $0.kind == .serverReflexive }) { return .accept }
        reflexive.removeAll { $0.address == mapped }
        let candidate = ICECandidate(
            foundation: foundation(.serverReflexive, base: base.address, server: transaction.server),
            priority: Self.priority(.serverReflexive, localPreference: base.localPreference), address: mapped,
            kind: .serverReflexive, relatedAddress: base.address)
        reflexive.append(candidate)
        emit(.localCandidate(signalled(candidate)))
        return .accept
    }

    /// Says once that all candidates are known.
    mutating func reportGathering() {
        guard endOfLocalCandidates, gathering.isEmpty, !gatheringReported else { return }
        gatheringReported = true
        emit(.gatheringComplete)
    }
}

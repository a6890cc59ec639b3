internal import PetrelCore
internal import PetrelSDP
internal import PetrelSecurity
internal import PetrelWire

extension ICEAgent {
    /// RFC 8445 section 7.2.5.
    ///
    /// A response that does not come back the way the request went is not accepted (section 7.2.5.2.1). The standard
    /// then sets the pair to Failed; here only the one check is without effect, since anybody who can see a response
    /// could replay it from elsewhere and so end a working pair. A pair whose responses all come asymmetrically never
    /// becomes valid and fails by time.
    mutating func receiveResponse(
        _ message: STUNMessage, _ bytes: RawSpan, _ path: ICEPath, now: Instant, random: inout RandomSource
    ) -> Verdict {
        if let request = gathering.firstIndex(where: { $0.id == message.transaction }) {
            return receiveGathering(request, message, path, now: now)
        }
        guard let transaction = transactions.find(message.transaction, now: now),
            let index = index(of: transaction.pair), let generation = generation(pairs[index].generation)
        else { return .drop(.stunUnknownTransaction) }
        guard pairs[index].path == path else { return .drop(.stunAsymmetricResponse) }
        guard message.hasFingerprint, message.integrityOffset != nil else { return .drop(.stunMissingAttribute) }
        guard message.isAuthentic(bytes, mac: { HMACSHA1.authenticate($0, key: generation.remoteKey) }) else {
            return .drop(.stunBadIntegrity)
        }
        transactions.remove(message.transaction)
        // RFC 8489 section 6.3.3: the transaction has failed.
        guard message.unknownRequiredCount == 0 else { return .drop(.stunUnknownAttribute) }
        if message.messageClass == .error {
            return receiveError(message, transaction, index, now: now, random: &random)
        }
        // RFC 8445 section 7.3.1.4 has the other side put XOR-MAPPED-ADDRESS in. FFmpeg's WHIP muxer does not: its
        // answer proves the path all the same, and only teaches us no address.
        figures.responsesReceived += 1
        noteSuccess(transaction, index, now: now, random: &random)
        if let mapped = message.xorMappedAddress {
            learnLocal(mapped, priority: transaction.priority, base: path.local)
        }
        return .accept
    }

    private mutating func receiveError(
        _ message: STUNMessage, _ transaction: TransactionTable.Entry, _ index: Int, now: Instant,
        random: inout RandomSource
    ) -> Verdict {
        switch message.errorCode {
        case 487:
            // RFC 8445 section 7.2.5.1. Where the role has changed since the request, the conflict is over.
            if transaction.role == role {
                changeRole(role.opposite, now: now)
                tiebreaker = random.next()
            }
            trigger(index, now: now)
            return .accept
        case 403:
            // RFC 7675 section 5.2: consent is revoked.
            let revoked = pairs[index]
            let wasUsed = isInUse(revoked)
            removePairs { $0.id == revoked.id }
            if wasUsed, revoked.generation == current.number {
                loseConsent()
            } else if wasUsed, sendID == nil {
                // The old pair of a restart; the new generation is still on its way.
                setState(.checking)
            }
            return .accept
        case nil:
            return .drop(.stunMissingAttribute)
        default:
            // The check has failed; the pair is tried again at its own pace until set-up is given up.
            return .accept
        }
    }

    /// RFC 8445 section 7.2.5.3.
    private mutating func noteSuccess(
        _ transaction: TransactionTable.Entry, _ index: Int, now: Instant, random: inout RandomSource
    ) {
        let roundTrip = now - transaction.sentAt
        let isFirst = !pairs[index].isValid
        claimsVersion &+= 1
        pairs[index].state = .succeeded
        pairs[index].lastHeard = now
        pairs[index].lastResponse = now
        pairs[index].roundTrip = roundTrip
        pairs[index].totalRoundTrip += roundTrip
        pairs[index].firstUnanswered = nil
        if isFirst {
            pairs[index].nextCheck = .distantFuture
            scheduleConsent(index, now: now, random: &random)
            markValidated(pairs[index].path)
        }
        guard pairs[index].generation == current.number else { return }
        if current.firstValidAt == nil { current.firstValidAt = now }
        if let sendIndex, pairs[sendIndex].generation == current.number {
            considerMove(to: index, now: now)
        } else {
            send(on: index, now: now)
        }
        let id = pairs[index].id
        switch role {
        case .controlling:
            if transaction.useCandidate, transaction.role == .controlling, current.nominated == id {
                current.nominationConfirmed = true
                settle(index, now: now)
            }
        case .controlled:
            if pairs[index].nominatedByPeer { acceptNomination(index, now: now) }
        }
    }

    /// A mapped address that is no candidate of ours yet is a local peer-reflexive candidate (RFC 8445 section
    /// 7.2.5.3.1). It is never signalled; its base is what datagrams leave from.
    private mutating func learnLocal(_ mapped: TransportAddress, priority: UInt32, base: TransportAddress) {
        guard !isOwn(mapped), !reflexive.contains(where: { $0.address == mapped }),
            reflexive.count < Self.maximumReflexive
        else { return }
        reflexive.append(
            ICECandidate(
                foundation: foundation(.peerReflexive, base: base, server: nil), priority: priority, address: mapped,
                kind: .peerReflexive, relatedAddress: base))
    }

    /// The most reflexive local candidates that are kept. A NAT that maps each pair anew makes one for each pair.
    static let maximumReflexive = 64
}

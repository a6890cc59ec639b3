public import PetrelCore
internal import PetrelSDP
internal import PetrelSecurity
internal import PetrelWire

extension ICEAgent {
    /// Takes one datagram whose first byte says that it may be STUN (RFC 7983).
    ///
    /// Parses, authenticates, and only then changes state. A sender who does not know our password costs no memory and
    /// gets an answer only if it is no longer than what was sent, and at most ``maximumErrorRate`` times a second in
    /// all.
    /// - Parameter local: the base it arrived at, as told to ``addLocalCandidate(_:kind:now:)``.
    public mutating func receive(
        _ bytes: RawSpan, from source: TransportAddress, to local: TransportAddress, now: Instant,
        random: inout RandomSource, out: inout EgressBatch
    ) -> Verdict {
        let message: STUNMessage
        do throws(DropReason) {
            message = try STUNMessage(parsing: bytes)
        } catch {
            return .drop(error)
        }
        guard message.method == STUNMessage.binding else { return .drop(.stunUnexpectedMethod) }
        guard let base = bases.first(where: { $0.address == local }) else { return .drop(.unvalidatedAddress) }
        figures.bytesReceived += bytes.byteCount
        let path = ICEPath(local: local, remote: source)
        let verdict: Verdict
        switch message.messageClass {
        case .indication:
            // A keepalive (RFC 8445 section 11): never answered, and nothing to learn from what anyone can send.
            return .drop(.stunIndication)
        case .request:
            guard configuration.addressPolicy.permits(source, from: local) else { return .drop(.iceAddressRefused) }
            verdict = receiveRequest(message, bytes, base, path, now: now, out: &out)
        case .success, .error:
            verdict = receiveResponse(message, bytes, path, now: now, random: &random)
        }
        if verdict == .accept {
            considerNomination(now: now)
            sendDue(now: now, random: &random, out: &out)
            progress(now: now)
        }
        return verdict
    }

    /// RFC 8445 section 7.3.
    private mutating func receiveRequest(
        _ message: STUNMessage, _ bytes: RawSpan, _ base: LocalBase, _ path: ICEPath, now: Instant,
        out: inout EgressBatch
    ) -> Verdict {
        guard message.hasFingerprint else { return .drop(.stunMissingAttribute) }
        guard let username = message.username, message.integrityOffset != nil else {
            refuse(message, 400, path, now: now, out: &out)
            return .drop(.stunMissingAttribute)
        }
        guard let (generation, key) = addressed(by: username, bytes) else {
            refuse(message, 401, path, now: now, out: &out)
            return .drop(.stunUnknownUser)
        }
        guard message.isAuthentic(bytes, mac: { HMACSHA1.authenticate($0, key: key) }) else {
            refuse(message, 401, path, now: now, out: &out)
            return .drop(.stunBadIntegrity)
        }
        // From here on it is the peer that speaks, and our answers carry MESSAGE-INTEGRITY.
        figures.requestsReceived += 1
        if message.unknownRequiredCount > 0 {
            answerError(message, 420, unknown: message.unknownRequiredTypes, path, key, out: &out)
            return .drop(.stunUnknownAttribute)
        }
        if state == .closed || consentLost {
            answerError(message, 403, unknown: [], path, key, out: &out)
            return .drop(.unvalidatedAddress)
        }
        if message.iceControlling != nil, message.iceControlled != nil {
            answerError(message, 400, unknown: [], path, key, out: &out)
            return .drop(.badValue)
        }
        guard resolveRoleConflict(message, now: now) else {
            answerError(message, 487, unknown: [], path, key, out: &out)
            return .drop(.iceRoleConflict)
        }
        answerSuccess(message, path, key, out: &out)
        noteRequest(message, generation, base, path, now: now)
        return .accept
    }

    /// The generation whose fragment USERNAME begins with (RFC 8445 section 7.3), and the key of its password.
    private func addressed(by username: Range<Int>, _ bytes: RawSpan) -> (generation: Int, key: [UInt8])? {
        func fits(_ generation: Generation) -> Bool {
            let end = username.lowerBound + generation.localUfrag.count
            return end < username.upperBound && STUNMessage.copy(bytes, end..<(end + 1)) == [0x3A]
                && STUNMessage.matches(bytes, username.lowerBound..<end, generation.localUfrag)
        }
        if fits(current) { return (current.number, current.localKey) }
        if let previous, fits(previous) { return (previous.number, previous.localKey) }
        return nil
    }

    /// RFC 8445 section 7.3.1.1.
    /// - Returns: false where the request must be answered with 487.
    private mutating func resolveRoleConflict(_ message: STUNMessage, now: Instant) -> Bool {
        if configuration.isLite { return true }
        switch role {
        case .controlling:
            guard let theirs = message.iceControlling else { return true }
            if tiebreaker >= theirs { return false }
            changeRole(.controlled, now: now)
        case .controlled:
            guard let theirs = message.iceControlled else { return true }
            if tiebreaker < theirs { return false }
            changeRole(.controlling, now: now)
        }
        return true
    }

    mutating func changeRole(_ new: ICERole, now: Instant) {
        guard role != new, !configuration.isLite else { return }
        role = new
        current.nominated = nil
        current.nominatedAt = nil
        current.nominationConfirmed = false
        emit(.roleChanged(new))
    }

    /// What an authentic request teaches (RFC 8445 sections 7.3.1.3 to 7.3.1.5).
    private mutating func noteRequest(
        _ message: STUNMessage, _ generation: Int, _ base: LocalBase, _ path: ICEPath, now: Instant
    ) {
        if pairIndex(path, generation: generation) == nil {
            guard generation == current.number else { return }
            let known = remoteCandidates.first { $0.address == path.remote }
            let remote =
                known
                ?? ICECandidate(
                    foundation: "prflx", priority: min(max(1, message.priority ?? base.reflexivePriority), 0x7FFF_FFFF),
                    address: path.remote, kind: .peerReflexive)
            guard addPair(base, remote, authenticated: true, now: now) == .accept else { return }
        }
        guard let index = pairIndex(path, generation: generation) else { return }
        pairs[index].requestReceived = true
        pairs[index].lastHeard = now
        claimsVersion &+= 1
        markValidated(path)
        if message.useCandidate, role == .controlled { pairs[index].nominatedByPeer = true }

        if configuration.isLite {
            noteRequestLite(index, useCandidate: message.useCandidate, now: now)
            return
        }
        let pair = pairs[index]
        let isStale = pair.lastResponse.map { now - $0 > ICETiming.recoveryAfter } ?? true
        if !pair.isValid || (isStale && !isInUse(pair)) { trigger(index, now: now) }
        if pair.isValid { considerMove(to: index, now: now) }
        // The peer speaks from elsewhere: is the pair in use still alive?
        if let sendIndex, sendIndex != index, pairs[sendIndex].quiet(now) >= pairs[sendIndex].silenceThreshold,
            pairs[sendIndex].firstUnanswered == nil
        {
            pairs[sendIndex].nextCheck = now
        }
        if pair.isValid, pair.nominatedByPeer, role == .controlled, message.useCandidate {
            acceptNomination(index, now: now)
        }
    }

    private mutating func answerSuccess(
        _ message: STUNMessage, _ path: ICEPath, _ key: [UInt8], out: inout EgressBatch
    ) {
        var length = 0
        out.append(to: path.remote, from: path.local) { buffer in
            var writer = STUNWriter(into: buffer, .success, transaction: message.transaction)
            writer.appendXORMappedAddress(path.remote)
            writer.appendIntegrity { HMACSHA1.authenticate($0, key: key) }
            writer.appendFingerprint()
            length = writer.finish() ?? 0
            return length
        }
        figures.responsesSent += 1
        figures.bytesSent += length
    }

    /// An error response to the authentic peer.
    private mutating func answerError(
        _ message: STUNMessage, _ code: Int, unknown: [UInt16], _ path: ICEPath, _ key: [UInt8],
        out: inout EgressBatch
    ) {
        var length = 0
        out.append(to: path.remote, from: path.local) { buffer in
            var writer = STUNWriter(into: buffer, .error, transaction: message.transaction)
            writer.appendErrorCode(code)
            if !unknown.isEmpty { writer.appendUnknownAttributes(unknown) }
            writer.appendIntegrity { HMACSHA1.authenticate($0, key: key) }
            writer.appendFingerprint()
            length = writer.finish() ?? 0
            return length
        }
        figures.errorResponsesSent += 1
        figures.bytesSent += length
    }

    /// An error response to somebody who has not proven to be the peer: without MESSAGE-INTEGRITY (RFC 8489 section
    /// 9.1.3), never longer than the request, and limited in rate.
    private mutating func refuse(
        _ message: STUNMessage, _ code: Int, _ path: ICEPath, now: Instant, out: inout EgressBatch
    ) {
        if now - errorWindow >= .seconds(1) {
            errorWindow = now
            errorsInWindow = 0
        }
        guard errorsInWindow < Self.maximumErrorRate, state != .closed else { return }
        var sent = 0
        out.append(to: path.remote, from: path.local) { buffer in
            var writer = STUNWriter(into: buffer, .error, transaction: message.transaction)
            writer.appendErrorCode(code)
            writer.appendFingerprint()
            guard let length = writer.finish(), length <= message.length else { return nil }
            sent = length
            return length
        }
        guard sent > 0 else { return }
        errorsInWindow += 1
        figures.errorResponsesSent += 1
        figures.bytesSent += sent
    }
}

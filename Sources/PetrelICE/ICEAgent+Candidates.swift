public import PetrelCore
public import PetrelSDP

/// One socket, or one relayed address, to send from.
struct LocalBase: Sendable {
    let candidate: ICECandidate
    /// The priority of a peer-reflexive candidate with this base, which checks carry (RFC 8445 section 7.1.1).
    let reflexivePriority: UInt32
    let localPreference: UInt32
    /// The same socket as it is seen outside a NAT that maps addresses one to one.
    var published: [ICECandidate] = []

    var address: TransportAddress { candidate.address }
}

/// What makes two candidates share a foundation (RFC 8445 section 5.1.1.3).
struct FoundationKey: Hashable, Sendable {
    let kind: ICECandidate.Kind
    let base: TransportAddress
    let server: TransportAddress?
}

extension ICEAgent {
    /// Tells the agent an address that datagrams can leave from: a socket's own, or one that a relay has given.
    ///
    /// A relayed base is treated like a socket whose datagrams the owner wraps for the relay. Emits
    /// ``ICEEvent/localCandidate(_:)``; more follow when STUN servers are configured.
    /// - Parameter kind: `.host` or `.relayed`.
    /// - Returns: `drop` where the policy or the limit of ``maximumBases`` forbids it, or it is known.
    @discardableResult
    public mutating func addLocalCandidate(
        _ address: TransportAddress, kind: ICECandidate.Kind = .host, now: Instant
    ) -> Verdict {
        guard state != .closed, kind == .host || kind == .relayed else { return .drop(.badValue) }
        guard configuration.addressPolicy.permitsLocal(address), address.port != 0 else {
            return .drop(.iceAddressRefused)
        }
        guard bases.count < Self.maximumBases else { return .drop(.iceCandidateLimit) }
        guard !bases.contains(where: { $0.address == address }) else { return .drop(.badValue) }
        // IPv6 first (RFC 8421 section 4), then in the order of being told.
        let preference = UInt32((address.family == .ipv6 ? 65_535 : 32_767) - bases.count)
        var base = LocalBase(
            candidate: ICECandidate(
                foundation: foundation(kind, base: address, server: nil),
                priority: Self.priority(kind, localPreference: preference), address: address, kind: kind,
                relatedAddress: nil, ufrag: nil),
            reflexivePriority: Self.priority(.peerReflexive, localPreference: preference),
            localPreference: preference)
        if kind == .host { base.published = published(base) }
        bases.append(base)
        for candidate in told(base) { emit(.localCandidate(signalled(candidate))) }
        for remote in remoteCandidates { _ = addPair(base, remote, authenticated: false, now: now) }
        startGathering(base, now: now)
        progress(now: now)
        return .accept
    }

    /// Tells the agent that an address is gone, with the interface it belonged to: its pairs end at once.
    public mutating func removeLocalCandidate(_ address: TransportAddress, now: Instant) {
        bases.removeAll { $0.address == address }
        reflexive.removeAll { $0.relatedAddress == address }
        gathering.removeAll { $0.base == address }
        removePairs { $0.path.local == address }
        afterLosingPairs(now: now)
        progress(now: now)
    }

    /// Sets the role before anything was said to the other side: who offers first is known only then.
    /// Later the role changes by the rules for conflicts alone (RFC 8445 section 7.3.1.1), and this does nothing.
    public mutating func assume(_ role: ICERole) {
        guard state == .new, current.remote == nil, !configuration.isLite else { return }
        self.role = role
    }

    /// Says that no more addresses come until a restart. ``ICEEvent/gatheringComplete`` follows when the STUN servers
    /// have answered or been given up.
    public mutating func endOfLocalCandidates(now: Instant) {
        endOfLocalCandidates = true
        reportGathering()
        updateDeadline(now: now)
    }

    /// Tells the agent the peer's credentials, from its description.
    ///
    /// Set once for each generation. The peer's restart shows as a new fragment in its description: call
    /// ``restart(random:now:)`` before, since both sides then need new credentials.
    /// - Returns: false where they break the rules of RFC 8839 section 5.4, or different ones are set already.
    @discardableResult
    public mutating func setRemoteCredentials(
        ufrag: String, password: String, isLite: Bool = false, now: Instant
    ) -> Bool {
        guard state != .closed, let credentials = ICECredentials(ufrag: ufrag, password: password) else {
            return false
        }
        if let known = current.remote { return known == credentials }
        current.setRemote(credentials, isLite: isLite, now: now)
        remoteCandidates.removeAll { $0.ufrag.map { $0 != ufrag } ?? false }
        removePairs { [number = current.number] pair in
            pair.generation == number && (pair.remote.ufrag.map { $0 != ufrag } ?? false)
        }
        if isLite, !configuration.isLite { changeRole(.controlling, now: now) }
        for index in pairs.indices where pairs[index].generation == current.number {
            pairs[index].phaseStart = now
            pairs[index].nextCheck = now
            if pairs[index].requestReceived { trigger(index, now: now) }
        }
        if state == .new { setState(.checking) }
        progress(now: now)
        return true
    }

    /// Tells the agent one of the peer's candidates, before or after the credentials.
    ///
    /// - Returns: `drop` with `iceAddressRefused` (the policy), `iceCandidateLimit`, or `badValue` (another generation,
    ///   or after ``endOfRemoteCandidates(now:)``).
    @discardableResult
    public mutating func addRemoteCandidate(_ candidate: ICECandidate, now: Instant) -> Verdict {
        guard state != .closed, !current.endOfRemoteCandidates, candidate.priority > 0 else { return .drop(.badValue) }
        if let ufrag = candidate.ufrag, let remote = current.remote, ufrag != remote.ufrag { return .drop(.badValue) }
        guard isAddressable(candidate.address) else { return .drop(.iceAddressRefused) }
        var remote = candidate
        remote.priority = min(remote.priority, 0x7FFF_FFFF)
        if let known = remoteCandidates.firstIndex(where: { $0.address == remote.address }) {
            remoteCandidates[known] = remote
            return .accept
        }
        guard remoteCandidates.count < Self.maximumRemoteCandidates else { return .drop(.iceCandidateLimit) }
        remoteCandidates.append(remote)
        var refused = false
        for base in bases where addPair(base, remote, authenticated: false, now: now) == .drop(.iceCandidateLimit) {
            refused = true
        }
        progress(now: now)
        return refused ? .drop(.iceCandidateLimit) : .accept
    }

    /// Says that the peer has no more candidates in this generation (RFC 8838 section 14). Later ones are ignored; the
    /// peer may still be learned from its checks.
    public mutating func endOfRemoteCandidates(now: Instant) {
        current.endOfRemoteCandidates = true
        updateDeadline(now: now)
    }

    /// Begins a new generation (RFC 8445 section 9): new credentials and candidates on both sides, the role stays.
    ///
    /// Media keeps its pair until a pair of the new generation works. The state stays as it is while that pair lives,
    /// and is `checking` otherwise. All local candidates are emitted again for signalling, and server-reflexive ones
    /// gathered anew.
    public mutating func restart(random: inout RandomSource, now: Instant) {
        guard state != .closed else { return }
        let keepsSending = sendIndex != nil
        if let sendIndex, pairs[sendIndex].generation == current.number { previous = current }
        if !keepsSending { previous = nil }
        previousUntil = .distantFuture
        let number = current.number + 1
        current = Generation(number: number, local: freshCredentials(random: &random), now: now)
        let kept = sendID
        removePairs { $0.id != kept }
        remoteCandidates.removeAll()
        reflexive.removeAll()
        gathering.removeAll()
        endOfLocalCandidates = false
        gatheringReported = false
        consentLost = false
        for base in bases {
            for candidate in told(base) { emit(.localCandidate(signalled(candidate))) }
            startGathering(base, now: now)
        }
        if !keepsSending, state != .new { setState(.checking) }
        progress(now: now)
    }

    private func freshCredentials(random: inout RandomSource) -> ICECredentials {
        ICECredentials(prefix: configuration.ufragPrefix, random: &random)
    }

    /// All local candidates of this generation as the other side should be told them.
    public var localCandidates: [ICECandidate] {
        bases.flatMap { told($0).map { signalled($0) } }
            + reflexive.filter { $0.kind != .peerReflexive }.map { signalled($0) }
    }

    /// What the other side is told of a base.
    private func told(_ base: LocalBase) -> [ICECandidate] {
        configuration.hidesMappedHosts && !base.published.isEmpty
            ? base.published : [base.candidate] + base.published
    }

    /// The public addresses that stand for a base. They come after it: who can reach both needs no way through the NAT.
    private mutating func published(_ base: LocalBase) -> [ICECandidate] {
        var found: [ICECandidate] = []
        for known in configuration.publicAddresses.prefix(ICEConfiguration.maximumPublicAddresses)
        where known.isPossible && known.fits(base.address) {
            var address = known.address
            address.port = base.address.port
            guard address != base.address, !isOwn(address), !found.contains(where: { $0.address == address }) else {
                continue
            }
            // Below all bases of the family, which are no more than sixteen, and different for each.
            let preference = base.localPreference - 32 * UInt32(found.count + 1)
            found.append(
                ICECandidate(
                    foundation: foundation(.host, base: address, server: nil),
                    priority: Self.priority(.host, localPreference: preference), address: address, kind: .host))
        }
        return found
    }

    /// Whether an address is a base of ours or one of its public addresses.
    func isOwn(_ address: TransportAddress) -> Bool {
        bases.contains { base in base.address == address || base.published.contains { $0.address == address } }
    }

    /// A candidate with the fragment of this generation.
    func signalled(_ candidate: ICECandidate) -> ICECandidate {
        var candidate = candidate
        candidate.ufrag = current.local.ufrag
        return candidate
    }

    /// RFC 8445 section 5.1.2.1, with the recommended type preferences and component 1.
    static func priority(_ kind: ICECandidate.Kind, localPreference: UInt32) -> UInt32 {
        let type: UInt32 =
            switch kind {
            case .host: 126
            case .peerReflexive: 110
            case .serverReflexive: 100
            case .relayed: 0
            }
        return type << 24 | (localPreference & 0xFFFF) << 8 | 255
    }

    mutating func foundation(
        _ kind: ICECandidate.Kind, base: TransportAddress, server: TransportAddress?
    ) -> String {
        var address = base
        address.port = 0
        let key = FoundationKey(kind: kind, base: address, server: server)
        if let index = foundations.firstIndex(of: key) { return String(index + 1) }
        // Bases come and go with the interfaces of a machine; keys beyond this many share the last foundation, which
        // costs nothing but the order of checks.
        if foundations.count < 256 { foundations.append(key) }
        return String(foundations.count)
    }

    /// Whether some base could reach it; without bases, whether any might.
    private func isAddressable(_ address: TransportAddress) -> Bool {
        guard address.port != 0 else { return false }
        if bases.isEmpty {
            let policy = configuration.addressPolicy
            let probe =
                address.family == .ipv4
                ? TransportAddress(ipv4: 0xC000_0201, port: 9)
                : TransportAddress(ipv6High: 0x2001_0DB8_0000_0000, low: 1, port: 9)
            return policy.permits(address, from: probe) || (AddressRange(address) == .loopback && policy != .server)
        }
        return bases.contains {
            configuration.addressPolicy.permits(address, from: $0.address)
        } || (!bases.contains { $0.address.family == address.family } && AddressRange(address) == .other)
    }
}

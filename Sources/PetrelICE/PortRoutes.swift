public import PetrelCore
internal import PetrelWire

/// One of the agents that share a port.
public struct PortMember: Hashable, Sendable {
    /// A small number, 0 ..< ``PortRoutes/maximumMembers``: free again once the member is gone.
    public let index: Int
    /// Tells members apart that had the same index one after the other.
    let serial: UInt32
}

/// Whom a datagram is for, where several agents share one port.
///
/// - A check is for the agent whose username fragment USERNAME begins with (RFC 8445 section 7.3). The table gives each
///   agent a prefix that no other has, and all fragments of an agent begin with it, before and after a restart.
/// - The answer to a check is for the agent that has sent it, found by the transaction id.
/// - Everything else is for the agent that claims the 5-tuple, which it does only after it has authenticated a check
///   from there (``ICEAgent/claims(now:)``). What nobody claims is dropped.
///
/// So an unauthenticated datagram never changes the table, whatever its source address and its username say. Where two
/// agents claim one 5-tuple, whoever has it keeps it, except against a better claim: a source address can be forged, the
/// answer to a check sent there cannot. A claim that has not been renewed for ``staleAfter`` gives way to any.
///
/// Everything is bounded by the number of members. Finding the member of a datagram allocates nothing.
public struct PortRoutes: Sendable {
    /// The most agents that share a port. A member takes some 200 bytes here, and 64 for each route.
    public static let maximumMembers = 4096
    /// The most 5-tuples of one agent: a peer is heard from one, and during set-up or a change of networks from a few.
    /// With more a member could take the addresses of others from them before they come.
    public static let routesPerMember = 16
    /// The checks that may still be answered, of all members together: at 100 a second of each, the first second of
    /// 160 calls that begin at once. About 60 bytes each. The answer to a check that was forgotten finds its way by its
    /// source address.
    public static let maximumTransactions = 16_384
    /// Two consent checks (RFC 7675 section 5.1) must have gone by without an answer.
    public static let staleAfter = TimeDelta.seconds(8)
    /// The characters of a member's prefix, of six random bits each.
    static let prefixLength = 6

    private struct Entry: Sendable {
        let serial: UInt32
        let prefix: UInt64
        var paths: [ICEPath] = []
    }

    private struct Route: Sendable {
        var member: PortMember
        var isProven: Bool
        var heard: Instant
    }

    private var entries: [Entry?] = []
    private var free: [Int] = []
    private var nextSerial: UInt32 = 0
    private var prefixes: [UInt64: PortMember] = [:]
    private var routes: [ICEPath: Route] = [:]
    private var transactions: [STUNTransactionID: PortMember] = [:]
    private var sent: [STUNTransactionID] = []
    private var nextSent = 0

    public init() {}

    /// How many agents share the port, and how many 5-tuples they claim.
    public var memberCount: Int { entries.count - free.count }
    public var routeCount: Int { routes.count }

    // MARK: Members

    /// Takes on an agent.
    /// - Returns: the member, and the prefix that all its username fragments must begin with
    ///   (``ICEConfiguration/ufragPrefix``); nil where there are ``maximumMembers`` already.
    public mutating func admit(random: inout RandomSource) -> (member: PortMember, prefix: String)? {
        guard memberCount < Self.maximumMembers else { return nil }
        var text: String
        var key: UInt64
        repeat {
            text = ICECredentials.text(characters: Self.prefixLength, random: &random)
            key = text.utf8.reduce(0) { $0 << 8 | UInt64($1) }
        } while prefixes[key] != nil
        nextSerial &+= 1
        let entry = Entry(serial: nextSerial, prefix: key)
        let index = free.popLast() ?? entries.count
        if index < entries.count { entries[index] = entry } else { entries.append(entry) }
        let member = PortMember(index: index, serial: entry.serial)
        prefixes[key] = member
        return (member, text)
    }

    /// Forgets an agent, with everything that leads to it.
    public mutating func remove(_ member: PortMember) {
        guard let entry = entry(member) else { return }
        for path in entry.paths { routes[path] = nil }
        prefixes[entry.prefix] = nil
        entries[member.index] = nil
        free.append(member.index)
    }

    private func entry(_ member: PortMember) -> Entry? {
        guard entries.indices.contains(member.index), let entry = entries[member.index],
            entry.serial == member.serial
        else { return nil }
        return entry
    }

    // MARK: What members do

    /// Takes what an agent claims now, in place of what it claimed before. Only the first ``routesPerMember`` count.
    /// - Returns: how many were refused, because another agent has the 5-tuple and as good a claim.
    @discardableResult
    public mutating func set(_ claims: [ICEClaim], of member: PortMember, now: Instant) -> Int {
        guard var entry = entry(member) else { return 0 }
        let wanted = claims.prefix(Self.routesPerMember)
        for path in entry.paths where !wanted.contains(where: { $0.path == path }) { routes[path] = nil }
        entry.paths.removeAll(keepingCapacity: true)
        var refused = 0
        for claim in wanted {
            if let held = routes[claim.path], held.member != member {
                guard now - held.heard > Self.staleAfter || claim.isProven && !held.isProven else {
                    refused += 1
                    continue
                }
                entries[held.member.index]?.paths.removeAll { $0 == claim.path }
            }
            routes[claim.path] = Route(member: member, isProven: claim.isProven, heard: claim.heard)
            entry.paths.append(claim.path)
        }
        entries[member.index] = entry
        return refused
    }

    /// Looks at a datagram that an agent sends: the answer to a check must find back to it. Of anything else no more
    /// than the first bytes are read.
    public mutating func noteSent(_ bytes: RawSpan, by member: PortMember) {
        guard let id = STUNMessage.bindingRequest(bytes) else { return }
        if sent.count < Self.maximumTransactions {
            sent.append(id)
        } else {
            transactions[sent[nextSent]] = nil
            sent[nextSent] = id
            nextSent = nextSent + 1 < Self.maximumTransactions ? nextSent + 1 : 0
        }
        transactions[id] = member
    }

    // MARK: Datagrams

    /// Whom a datagram is for.
    /// - Throws: `stunUnknownUser` for a check that is for none of the agents, `stunUnknownTransaction` for an answer to
    ///   none of their checks, `unvalidatedAddress` for anything else from where nobody claims it, `unknownPacketKind`,
    ///   and the reasons for which STUN is not parsed.
    public func member(
        for bytes: RawSpan, from remote: TransportAddress, to local: TransportAddress
    ) throws(DropReason) -> PortMember {
        switch Demultiplexer.classify(bytes) {
        case .rtp, .rtcp, .dtls:
            guard let route = routes[ICEPath(local: local, remote: remote)] else { throw .unvalidatedAddress }
            return route.member
        case .stun:
            return try member(forSTUN: bytes, ICEPath(local: local, remote: remote))
        case .zrtp, .turnChannel, .quic, .unknown:
            throw .unknownPacketKind
        }
    }

    private func member(forSTUN bytes: RawSpan, _ path: ICEPath) throws(DropReason) -> PortMember {
        let message = try STUNMessage(parsing: bytes)
        guard message.method == STUNMessage.binding else { throw .stunUnexpectedMethod }
        switch message.messageClass {
        case .request:
            guard let username = message.username else { throw .stunMissingAttribute }
            guard let key = STUNMessage.leading(Self.prefixLength, of: username, in: bytes),
                let member = prefixes[key]
            else { throw .stunUnknownUser }
            return member
        case .success, .error:
            if let member = transactions[message.transaction], entry(member) != nil { return member }
            guard let route = routes[path] else { throw .stunUnknownTransaction }
            return route.member
        case .indication:
            // A keepalive (RFC 8445 section 11): nobody learns anything from it.
            throw .stunIndication
        }
    }
}

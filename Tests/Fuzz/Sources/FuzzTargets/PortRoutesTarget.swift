import PetrelCore
import PetrelICE
import PetrelWire

/// Agents that share a port come, claim, send and go, and datagrams of anyone arrive: each goes to an agent that is
/// there, and media to the one that has the 5-tuple by the rules.
func fuzzPortRoutes(_ input: UnsafeRawBufferPointer) {
    var cursor = ByteCursor(input)
    var scene = SharedPortScene()
    while !cursor.isEmpty { scene.act(&cursor) }
    scene.close()
}

private struct SharedPortScene: ~Copyable {
    /// So few that they get into each other's way.
    static let most = 8
    static let local = Addresses.at(0)

    var routes = PortRoutes()
    var random = RandomSource(seed: 5)
    var now = Instant.zero
    var members: [(member: PortMember, prefix: String)] = []
    /// The last that went: nothing may lead to them.
    var gone: [PortMember] = []
    /// Who has which 5-tuple, as the rules say.
    var owners: [ICEPath: (member: PortMember, isProven: Bool, heard: Instant)] = [:]

    mutating func act(_ cursor: inout ByteCursor) {
        let code = cursor.byte()
        let chosen = members.isEmpty ? nil : members[Int(code >> 4) % members.count]
        switch code & 15 {
        case 0, 1: admit()
        case 2: if let chosen { remove(chosen.member) }
        case 3, 4, 5: claim(&cursor, for: chosen?.member ?? gone.last)
        case 6: now += cursor.step()
        case 7: if let chosen { send(Array(cursor.chunk()), by: chosen.member) }
        case 8:
            // A check of the agent's own, and an answer to it from anywhere.
            let number = UInt64(cursor.byte())
            if let chosen { send(check(number, user: nil), by: chosen.member) }
            deliver(answer(number), from: Addresses.at(cursor.byte()))
        case 9:
            let user = cursor.flag() ? (chosen?.prefix ?? "") + "x:y" : text(cursor.chunk())
            let whom = deliver(check(UInt64(cursor.byte()), user: user), from: Addresses.at(cursor.byte()))
            if let chosen, user.hasPrefix(chosen.prefix) {
                require(whom == chosen.member, "a check goes where its fragment says")
            }
        case 10, 11: media(from: Addresses.at(cursor.byte()))
        default: deliver(Array(cursor.chunk()), from: Addresses.at(code >> 4))
        }
        require(routes.memberCount == members.count, "\(routes.memberCount) members of \(members.count)")
        require(routes.routeCount == owners.count, "\(routes.routeCount) routes of \(owners.count)")
        require(owners.count <= members.count * PortRoutes.routesPerMember, "routes are bounded")
    }

    mutating func admit() {
        guard members.count < Self.most, let new = routes.admit(random: &random) else { return }
        require(!members.contains { $0.member == new.member || $0.prefix == new.prefix }, "members differ")
        require(!gone.contains(new.member), "nobody comes back as another")
        members.append(new)
    }

    mutating func remove(_ member: PortMember) {
        routes.remove(member)
        members.removeAll { $0.member == member }
        for (path, owner) in owners where owner.member == member { owners[path] = nil }
        gone.append(member)
        if gone.count > 4 { gone.removeFirst() }
    }

    /// The rules once more, as the documentation of ``PortRoutes`` has them.
    mutating func claim(_ cursor: inout ByteCursor, for member: PortMember?) {
        let claims = (0..<(cursor.byte() & 31)).map { _ in
            let flags = cursor.byte()
            let heard = flags & 8 == 0 ? now : now - .seconds(Int(flags >> 4))
            return ICEClaim(
                path: ICEPath(local: Self.local, remote: Addresses.at(flags & 7)), isProven: cursor.flag(), heard: heard
            )
        }
        guard let member else { return }
        let refused = routes.set(claims, of: member, now: now)
        guard members.contains(where: { $0.member == member }) else {
            return require(refused == 0, "one that has gone claims nothing")
        }
        let wanted = claims.prefix(PortRoutes.routesPerMember)
        for (path, owner) in owners where owner.member == member && !wanted.contains(where: { $0.path == path }) {
            owners[path] = nil
        }
        var expected = 0
        for claim in wanted {
            if let held = owners[claim.path], held.member != member, now - held.heard <= PortRoutes.staleAfter,
                !claim.isProven || held.isProven
            {
                expected += 1
                continue
            }
            owners[claim.path] = (member, claim.isProven, claim.heard)
        }
        require(refused == expected, "\(refused) claims were refused and not \(expected)")
    }

    mutating func send(_ bytes: [UInt8], by member: PortMember) {
        bytes.withUnsafeBytes { routes.noteSent($0.bytes, by: member) }
    }

    /// Whom it is for; nil: for nobody.
    @discardableResult
    func deliver(_ bytes: [UInt8], from remote: TransportAddress) -> PortMember? {
        let found = bytes.withUnsafeBytes { try? routes.member(for: $0.bytes, from: remote, to: Self.local) }
        if let found { require(members.contains { $0.member == found }, "whoever gets a datagram is there") }
        return found
    }

    func media(from remote: TransportAddress) {
        let whom = deliver([0x80, 111] + [UInt8](repeating: 0, count: 30), from: remote)
        let owner = owners[ICEPath(local: Self.local, remote: remote)]?.member
        require(whom == owner, "media goes to whoever has the 5-tuple")
    }

    private func check(_ number: UInt64, user: String?) -> [UInt8] {
        message(.request, number) {
            if let user { $0.append(STUNAttributeType.username, Array(user.utf8.prefix(500))) }
        }
    }

    private func answer(_ number: UInt64) -> [UInt8] {
        message(.success, number) { $0.appendXORMappedAddress(Self.local) }
    }

    private func message(
        _ kind: STUNMessage.Class, _ number: UInt64, _ write: (inout STUNWriter) -> Void
    ) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 600)
        let length = bytes.withUnsafeMutableBytes { buffer in
            var writer = STUNWriter(into: buffer, kind, transaction: STUNTransactionID(high: 7, low: number))
            write(&writer)
            writer.appendFingerprint()
            return writer.finish() ?? 0
        }
        return Array(bytes[..<length])
    }

    mutating func close() {
        for (member, _) in members { remove(member) }
        require(routes.memberCount == 0 && routes.routeCount == 0, "nothing is left")
        for index in UInt8(0)..<8 { require(deliver([0x80], from: Addresses.at(index)) == nil, "nobody is there") }
    }
}

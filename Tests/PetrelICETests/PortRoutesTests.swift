import PetrelCore
import PetrelICE
import PetrelSecurity
import PetrelWire
import Testing

/// A check as a client would send it. Without a password its integrity is wrong.
private func check(
    user: String, password: String? = nil, transaction: UInt64 = 1, useCandidate: Bool = false
) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 256)
    let length = bytes.withUnsafeMutableBytes { buffer in
        var writer = STUNWriter(into: buffer, .request, transaction: STUNTransactionID(high: 7, low: transaction))
        writer.append(STUNAttributeType.username, Array(user.utf8))
        writer.append(STUNAttributeType.priority, UInt32(1_845_501_695))
        writer.append(STUNAttributeType.iceControlling, UInt64.max)
        if useCandidate { writer.append(STUNAttributeType.useCandidate) }
        writer.appendIntegrity { message in
            guard let password else { return [UInt8](repeating: 0xAB, count: 20) }
            return HMACSHA1.authenticate(message, key: Array(password.utf8))
        }
        writer.appendFingerprint()
        return writer.finish() ?? 0
    }
    return Array(bytes[..<length])
}

private func answer(transaction: UInt64, high: UInt32 = 7) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 128)
    let length = bytes.withUnsafeMutableBytes { buffer in
        var writer = STUNWriter(into: buffer, .success, transaction: STUNTransactionID(high: high, low: transaction))
        writer.appendXORMappedAddress(SharedPortLink.port)
        return writer.finish() ?? 0
    }
    return Array(bytes[..<length])
}

/// The table alone.
@Suite struct PortRoutesTests {
    private let local = SharedPortLink.port
    private let media = SharedPortLink.packet

    private func address(_ number: Int) -> TransportAddress {
        TransportAddress(ipv4: 0xCB00_0000 + UInt32(truncatingIfNeeded: number), port: 5000)
    }

    private func claim(_ number: Int, proven: Bool = true, at time: Instant = .zero) -> ICEClaim {
        ICEClaim(path: ICEPath(local: local, remote: address(number)), isProven: proven, heard: time)
    }

    private func member(_ routes: PortRoutes, _ bytes: [UInt8], from number: Int) -> Result<PortMember, DropReason> {
        do throws(DropReason) {
            return .success(try routes.member(for: bytes.span.bytes, from: address(number), to: local))
        } catch { return .failure(error) }
    }

    private func admit(_ routes: inout PortRoutes, _ random: inout RandomSource) -> (member: PortMember, prefix: String)
    {
        guard let admitted = routes.admit(random: &random) else { fatalError("full") }
        return admitted
    }

    @Test func checksGoByUsernameAndMediaByAddress() {
        var (routes, random) = (PortRoutes(), RandomSource(seed: 1))
        let a = admit(&routes, &random), b = admit(&routes, &random)
        // By any fragment that begins with the prefix, from anywhere.
        #expect(member(routes, check(user: a.prefix + "x1y2z3:peer"), from: 1) == .success(a.member))
        #expect(member(routes, check(user: a.prefix + "other:peer"), from: 2) == .success(a.member))
        #expect(member(routes, check(user: b.prefix + "x1y2z3:peer"), from: 1) == .success(b.member))
        for kind: UInt8 in [0x80, 20, 63] {
            #expect(member(routes, [kind] + media.dropFirst(), from: 1) == .failure(.unvalidatedAddress))
        }
        routes.set([claim(1)], of: a.member, now: .zero)
        routes.set([claim(2)], of: b.member, now: .zero)
        for kind: UInt8 in [0x80, 20, 63] {
            #expect(member(routes, [kind] + media.dropFirst(), from: 1) == .success(a.member))
            #expect(member(routes, [kind] + media.dropFirst(), from: 2) == .success(b.member))
            #expect(member(routes, [kind] + media.dropFirst(), from: 3) == .failure(.unvalidatedAddress))
        }
        // A check still goes by its username, wherever it comes from.
        #expect(member(routes, check(user: b.prefix + "x1y2z3:peer"), from: 1) == .success(b.member))
    }

    @Test func whatIsForNobodyHasAReason() {
        var (routes, random) = (PortRoutes(), RandomSource(seed: 2))
        let a = admit(&routes, &random)
        #expect(member(routes, check(user: "nobody123:peer"), from: 1) == .failure(.stunUnknownUser))
        #expect(member(routes, check(user: "x"), from: 1) == .failure(.stunUnknownUser))
        #expect(member(routes, check(user: ""), from: 1) == .failure(.stunUnknownUser))
        #expect(member(routes, check(user: String(a.prefix.prefix(5))), from: 1) == .failure(.stunUnknownUser))
        #expect(member(routes, answer(transaction: 5), from: 1) == .failure(.stunUnknownTransaction))
        #expect(member(routes, [0x00, 0x01], from: 1) == .failure(.truncated))
        for first: UInt8 in [4, 15, 16, 64, 80, 127, 192, 255] {
            #expect(member(routes, [first] + media, from: 1) == .failure(.unknownPacketKind))
        }
        #expect(member(routes, [], from: 1) == .failure(.unknownPacketKind))
        var indication = check(user: a.prefix + "abcdef:x")
        indication[1] = 0x11
        indication = Array(indication[..<20])
        (indication[2], indication[3]) = (0, 0)
        #expect(member(routes, indication, from: 1) == .failure(.stunIndication))
    }

    @Test func answersGoToWhoAsked() {
        var (routes, random) = (PortRoutes(), RandomSource(seed: 3))
        let a = admit(&routes, &random), b = admit(&routes, &random)
        routes.noteSent(check(user: "peer:a", transaction: 10).span.bytes, by: a.member)
        routes.noteSent(check(user: "peer:b", transaction: 11).span.bytes, by: b.member)
        routes.noteSent(media.span.bytes, by: b.member)
        #expect(member(routes, answer(transaction: 10), from: 9) == .success(a.member))
        #expect(member(routes, answer(transaction: 11), from: 9) == .success(b.member))
        #expect(member(routes, answer(transaction: 12), from: 9) == .failure(.stunUnknownTransaction))
        // One that has been forgotten finds its way by the address.
        routes.set([claim(9)], of: b.member, now: .zero)
        #expect(member(routes, answer(transaction: 12), from: 9) == .success(b.member))
        routes.remove(a.member)
        #expect(member(routes, answer(transaction: 10), from: 8) == .failure(.stunUnknownTransaction))
        // Nor does it go to whoever has the place now.
        let c = admit(&routes, &random)
        #expect(c.member.index == a.member.index && c.member != a.member)
        #expect(member(routes, answer(transaction: 10), from: 8) == .failure(.stunUnknownTransaction))
    }

    @Test func prefixesDifferEvenWhereRandomnessRepeats() {
        var routes = PortRoutes()
        var prefixes: Set<String> = []
        for _ in 0..<50 {
            // The same numbers again and again: the second draw of the same prefix must be thrown away.
            var random = RandomSource(seed: 77)
            prefixes.insert(admit(&routes, &random).prefix)
        }
        #expect(prefixes.count == 50)
        #expect(prefixes.allSatisfy { $0.utf8.count == 6 })
    }

    @Test func whatHasGoneIsForgotten() {
        var (routes, random) = (PortRoutes(), RandomSource(seed: 4))
        let a = admit(&routes, &random)
        routes.set([claim(1), claim(2)], of: a.member, now: .zero)
        #expect(routes.routeCount == 2 && routes.memberCount == 1)
        routes.set([claim(2)], of: a.member, now: .zero)
        #expect(member(routes, media, from: 1) == .failure(.unvalidatedAddress), "it is claimed no more")
        routes.remove(a.member)
        #expect(routes.routeCount == 0 && routes.memberCount == 0)
        #expect(member(routes, media, from: 2) == .failure(.unvalidatedAddress))
        #expect(member(routes, check(user: a.prefix + "abcdef:peer"), from: 2) == .failure(.stunUnknownUser))
        // Nothing comes back by what it says afterwards.
        routes.set([claim(1)], of: a.member, now: .zero)
        routes.remove(a.member)
        #expect(routes.routeCount == 0 && routes.memberCount == 0)
        let b = admit(&routes, &random)
        routes.set([claim(1)], of: a.member, now: .zero)
        #expect(routes.routeCount == 0)
        routes.set([claim(2)], of: b.member, now: .zero)
        #expect(member(routes, media, from: 2) == .success(b.member))
    }

    @Test func aClaimIsTakenFromNobodyWhoHasAsGoodAOne() {
        var (routes, random) = (PortRoutes(), RandomSource(seed: 5))
        let a = admit(&routes, &random), b = admit(&routes, &random)
        func owner() -> PortMember? { try? member(routes, media, from: 1).get() }
        let soon = Instant.zero + .seconds(1)
        // Heard against heard, proven against proven, heard against proven: the first keeps it.
        for (first, second) in [(false, false), (true, true), (true, false)] {
            #expect(routes.set([claim(1, proven: first)], of: a.member, now: .zero) == 0)
            #expect(routes.set([claim(1, proven: second, at: soon)], of: b.member, now: soon) == 1)
            #expect(owner() == a.member)
            // What is refused leaves no trace: a's end frees the address.
            routes.set([], of: a.member, now: soon)
            #expect(owner() == nil)
        }
        // An answered check outweighs a source address that may be forged.
        routes.set([claim(1, proven: false)], of: b.member, now: .zero)
        #expect(routes.set([claim(1, proven: true)], of: a.member, now: .zero) == 0)
        #expect(owner() == a.member)
        #expect(routes.set([claim(1, proven: false, at: soon)], of: b.member, now: soon) == 1)
        // One that has not been renewed for long gives way, and does not come back by itself.
        let late = Instant.zero + PortRoutes.staleAfter + .milliseconds(1)
        #expect(routes.set([claim(1, at: late)], of: b.member, now: late) == 0)
        #expect(owner() == b.member)
        #expect(routes.set([claim(1, at: late)], of: a.member, now: late) == 1)
        // And the loser's end does not take it from the winner.
        routes.remove(a.member)
        #expect(owner() == b.member && routes.routeCount == 1)
    }

    @Test func everythingIsBounded() {
        var (routes, random) = (PortRoutes(), RandomSource(seed: 6))
        var members: [PortMember] = []
        while let admitted = routes.admit(random: &random) { members.append(admitted.member) }
        #expect(members.count == PortRoutes.maximumMembers && routes.memberCount == members.count)
        let many = (0..<1000).map { claim($0) }
        routes.set(many, of: members[0], now: .zero)
        #expect(routes.routeCount == PortRoutes.routesPerMember)
        for transaction in 0..<UInt64(PortRoutes.maximumTransactions + 100) {
            routes.noteSent(check(user: "p:s", transaction: transaction).span.bytes, by: members[1])
        }
        for gone: UInt64 in [0, 50, 99] {
            #expect(member(routes, answer(transaction: gone), from: 5000) == .failure(.stunUnknownTransaction))
        }
        for kept in [100, UInt64(PortRoutes.maximumTransactions + 99)] {
            #expect(member(routes, answer(transaction: kept), from: 5000) == .success(members[1]))
        }
        routes.remove(members[7])
        #expect(routes.admit(random: &random) != nil && routes.admit(random: &random) == nil)
    }

    /// No datagram, whatever it says and wherever it comes from, changes the table: looking something up does not even
    /// ask for a table that can be changed. What is left to show is that nothing of it goes astray or traps.
    @Test func aFloodOfStrangersLeavesNothing() {
        var (routes, random) = (PortRoutes(), RandomSource(seed: 8))
        let a = admit(&routes, &random)
        routes.set([claim(1)], of: a.member, now: .zero)
        var generator = SeededGenerator(seed: 9)
        var astray = 0
        for index in 0..<100_000 {
            let length = Int(generator.next() % 80)
            var bytes = (0..<length).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
            if index % 4 == 0, length >= 20 {
                bytes.replaceSubrange(0..<8, with: [0, 1, 0, UInt8((length - 20) & ~3), 0x21, 0x12, 0xA4, 0x42])
            }
            if case .success = member(routes, bytes, from: 1000 + index) { astray += 1 }
        }
        #expect(astray == 0)
        #expect(routes.routeCount == 1 && routes.memberCount == 1)
        #expect(member(routes, media, from: 1) == .success(a.member))
    }
}

/// With true agents on both sides.
@Suite struct SharedPortTests {
    private func running(_ count: Int, seed: UInt64 = 1) -> SharedPortLink {
        let link = SharedPortLink(seed: seed)
        for _ in 0..<count { link.add() }
        link.run(for: .seconds(2))
        return link
    }

    @Test func twentyAgentsFindTheirPeersOnOnePort() {
        let link = running(20)
        #expect((0..<20).allSatisfy { link.isConnected($0) })
        #expect(link.drops.total == 0 && link.refused == 0)
        #expect(link.routes.routeCount == 20)
        for number in 0..<20 { for _ in 0...number { link.media(from: number) } }
        #expect(link.servers.map(\.media) == Array(1...20))
        #expect(Set(link.servers.map { $0.agent.localUfrag }).count == 20)
        // Half of them end; the others do not notice.
        for number in stride(from: 0, to: 20, by: 2) { link.close(number) }
        link.run(for: .seconds(40))
        for number in 0..<20 { link.media(from: number) }
        for number in 0..<20 {
            let isLeft = number % 2 == 1
            #expect(link.servers[number].media == number + 1 + (isLeft ? 1 : 0))
            #expect((link.servers[number].agent.sendPath != nil) == isLeft)
        }
        #expect(link.routes.routeCount == 10 && link.routes.memberCount == 10)
        #expect(link.drops[.stunUnknownUser] > 0 && link.drops[.unvalidatedAddress] == 10)
    }

    @Test func aForgedUsernameStealsNothing() {
        let link = running(2)
        let (a, b) = (link.servers[0], link.servers[1])
        // From a's peer's address and from elsewhere, with b's name and no password.
        for source in [link.clients[0].outside, TransportAddress(ipv4: 0xC633_6401, port: 9)] {
            for transaction in 0..<1000 as Range<UInt64> {
                link.inject(
                    check(user: "\(b.agent.localUfrag):\(link.clients[1].agent.localUfrag)", transaction: transaction),
                    from: source)
            }
        }
        #expect(b.verdicts.suffix(2000).allSatisfy { $0 == .drop(.stunBadIntegrity) })
        #expect(link.routes.routeCount == 2)
        link.media(from: 0)
        link.media(from: 1)
        link.inject(SharedPortLink.packet, from: TransportAddress(ipv4: 0xC633_6401, port: 9))
        #expect(a.media == 1 && b.media == 1)
        #expect(link.drops[.unvalidatedAddress] == 1)
        link.run(for: .seconds(20))
        #expect(link.isConnected(0) && link.isConnected(1))
    }

    /// Somebody with a call of his own writes another one's address on his checks: authentic, and a lie.
    @Test func aMemberCannotTakeTheAddressOfAnother() {
        let link = running(2)
        let b = link.servers[1]
        let forged = "\(b.agent.localUfrag):\(link.clients[1].agent.localUfrag)"
        for transaction in 0..<100 as Range<UInt64> {
            link.inject(
                check(
                    user: forged, password: b.agent.localPassword, transaction: transaction,
                    useCandidate: transaction % 2 == 0),
                from: link.clients[0].outside)
        }
        #expect(b.verdicts.last == .accept, "the check itself is in order")
        #expect(link.refused > 0)
        link.media(from: 0)
        #expect(link.servers[0].media == 1 && b.media == 0)
        link.run(for: .seconds(20))
        link.media(from: 0)
        link.media(from: 1)
        #expect(link.servers[0].media == 2 && b.media == 1)
        #expect(link.isConnected(0) && link.isConnected(1))
    }

    /// The same before its true owner comes.
    @Test func anAddressTakenBeforehandGoesToItsOwner() {
        let link = running(1)
        let a = link.servers[0]
        let victim = TransportAddress(ipv4: 0xC633_6407, port: 4444)
        link.inject(
            check(user: "\(a.agent.localUfrag):\(link.clients[0].agent.localUfrag)", password: a.agent.localPassword),
            from: victim)
        #expect(link.routes.routeCount == 2, "claimed, and not proven")
        let number = link.add(at: victim)
        link.run(for: .seconds(2))
        #expect(link.isConnected(number))
        link.media(from: number)
        #expect(link.servers[number].media == 1 && a.media == 0)
    }

    @Test func theAddressesOfOneMemberAreBounded() {
        let link = running(2)
        let b = link.servers[1]
        for number in 0..<500 as Range<UInt32> {
            link.inject(
                check(
                    user: "\(b.agent.localUfrag):\(link.clients[1].agent.localUfrag)",
                    password: b.agent.localPassword, transaction: UInt64(number)),
                from: TransportAddress(ipv4: 0xC633_0000 + number, port: 9))
            if number % 20 == 0 { link.run(for: .milliseconds(20)) }
        }
        #expect(link.routes.routeCount <= 1 + PortRoutes.routesPerMember)
        link.media(from: 0)
        link.media(from: 1)
        #expect(link.servers[0].media == 1 && b.media == 1, "its own true address has not been pushed out")
        link.run(for: .seconds(40))
        #expect(link.routes.routeCount == 2, "what was never heard again is let go")
    }

    @Test func aNewAddressOfAPeerIsFollowedAndTheOldOneLetGo() {
        let link = running(3)
        let old = link.clients[1].outside
        let new = TransportAddress(ipv4: 0xC633_6455, port: 50_001)
        link.clients[1].outside = new
        link.media(from: 1)
        #expect(link.servers[1].media == 0 && link.drops[.unvalidatedAddress] == 1, "not before a check")
        // Nothing is to be heard at the old address: the client's next check comes from the new one.
        link.run(for: .seconds(6))
        #expect(link.servers[1].agent.sendPath?.remote == new)
        link.media(from: 1)
        #expect(link.servers[1].media == 1)
        // Three seconds later the old one belongs to nobody, at the latest with the next check for consent.
        link.run(for: .seconds(10))
        #expect(link.routes.routeCount == 3)
        let before = link.drops[.unvalidatedAddress]
        link.inject(SharedPortLink.packet, from: old)
        #expect(link.drops[.unvalidatedAddress] == before + 1)
        // Somebody else may have it now.
        let number = link.add(at: old)
        link.run(for: .seconds(2))
        #expect(link.isConnected(number))
        link.media(from: number)
        #expect(link.servers[number].media == 1 && link.servers[1].media == 1)
    }

    @Test func anAddressIsFreeOnceItsCallIsClosed() {
        let link = running(2)
        let address = link.clients[0].outside
        link.close(0)
        link.clients[0].outside = TransportAddress(ipv4: 0xC633_6456, port: 1)
        let number = link.add(at: address)
        link.run(for: .seconds(2))
        #expect(link.isConnected(number))
        link.media(from: number)
        #expect(link.servers[number].media == 1)
        #expect(link.isConnected(1))
    }

    @Test func anAddressWhoseCallHasGoneSilentGoesToTheNext() {
        let link = running(2)
        let address = link.clients[0].outside
        // The client is gone without a word, and a new one has its address at once.
        link.clients[0].outside = TransportAddress(ipv4: 0xC633_6456, port: 1)
        link.clients[0].agent.close(now: link.now)
        let number = link.add(at: address)
        link.run(for: .seconds(2))
        link.media(from: number)
        #expect(link.servers[number].media == 0, "the old call's claim is young")
        #expect(link.refused > 0)
        link.run(for: PortRoutes.staleAfter + .seconds(6))
        link.media(from: number)
        #expect(link.servers[number].media == 1)
    }

    @Test func aRestartKeepsOldAndNewCredentialsOnTheRightAgent() {
        let link = running(2)
        let before = link.servers[0].agent.localUfrag
        link.restart(0)
        let after = link.servers[0].agent.localUfrag
        #expect(before != after)
        #expect(before.hasPrefix(link.servers[0].prefix) && after.hasPrefix(link.servers[0].prefix))
        // Media goes on over the old way while the new one is looked for.
        link.media(from: 0)
        link.run(for: .seconds(1))
        link.media(from: 0)
        #expect(link.servers[0].media == 2)
        link.run(for: .seconds(10))
        link.media(from: 0)
        #expect(link.servers[0].media == 3)
        #expect(link.isConnected(0) && link.isConnected(1))
        #expect(link.drops.total == 0)
    }

    @Test func theSameSeedGivesTheSameTable() {
        func trace() -> [String] {
            let link = running(5, seed: 3)
            return link.servers.map { $0.agent.localUfrag + "\($0.verdicts.count)" } + ["\(link.routes.routeCount)"]
        }
        #expect(trace() == trace())
    }
}

import PetrelCore
import PetrelICE
import PetrelSDP
import PetrelSecurity
import PetrelWire

/// Two agents on a network that loses, doubles and changes datagrams, with strangers on it, restarts and time.
func fuzzICEAgent(_ input: UnsafeRawBufferPointer) {
    var cursor = ByteCursor(input)
    let flags = cursor.byte()
    var scene = Scene(flags: flags)
    while !cursor.isEmpty { scene.act(&cursor) }
    // Whatever happened: time ends it, and nothing is done without end.
    for _ in 0..<40 { scene.advance(.seconds(1)) }
    scene.close()
}

/// The addresses of the scene.
enum Addresses {
    static func at(_ index: UInt8) -> TransportAddress {
        switch index & 7 {
        case 0: TransportAddress(ipv4: 0x0A00_0001, port: 1000)
        case 1: TransportAddress(ipv4: 0x0A00_0002, port: 2000)
        case 2: TransportAddress(ipv4: 0x0A00_0003, port: 3000)
        case 3: TransportAddress(ipv6High: 0x2001_0DB8_0000_0000, low: 1, port: 1000)
        case 4: TransportAddress(ipv6High: 0x2001_0DB8_0000_0000, low: 2, port: 2000)
        case 5: TransportAddress(ipv4: 0x7F00_0001, port: 1001)
        case 6: TransportAddress(ipv4: 0xC633_6401, port: 3478)
        default: TransportAddress(ipv4: 0xC633_6402, port: 4000 &+ UInt16(index))
        }
    }
}

private struct Scene: ~Copyable {
    var agents: [ICEAgent]
    var random = RandomSource(seed: 4)
    var out = EgressBatch(capacity: 64)
    var now = Instant.zero
    var flying: [(bytes: [UInt8], from: TransportAddress, to: TransportAddress)] = []

    init(flags: UInt8) {
        var configuration = ICEConfiguration()
        configuration.isLite = flags & 1 != 0
        configuration.addressPolicy = [.client, .server, .lab, .client][Int(flags >> 1 & 3)]
        if flags & 8 != 0 { configuration.stunServers = [Addresses.at(6)] }
        configuration.maximumPairs = flags & 16 != 0 ? 2 : 100
        agents = [
            ICEAgent(configuration: configuration, role: .controlling, random: &random, now: .zero),
            ICEAgent(
                configuration: ICEConfiguration(), role: flags & 32 != 0 ? .controlling : .controlled, random: &random,
                now: .zero),
        ]
        agents[0].addLocalCandidate(Addresses.at(0), now: .zero)
        agents[1].addLocalCandidate(Addresses.at(1), now: .zero)
        if flags & 64 == 0 { introduce() }
    }

    /// Signalling: each side learns the other's credentials and candidates.
    mutating func introduce() {
        for (own, other) in [(0, 1), (1, 0)] {
            let remote = agents[other]
            agents[own].setRemoteCredentials(
                ufrag: remote.localUfrag, password: remote.localPassword, isLite: remote.configuration.isLite, now: now)
            for candidate in remote.localCandidates { agents[own].addRemoteCandidate(candidate, now: now) }
        }
    }

    mutating func act(_ cursor: inout ByteCursor) {
        let code = cursor.byte()
        let which = Int(code >> 7)
        switch code & 31 {
        case 0, 1, 2: advance(cursor.step())
        case 3, 4, 5, 6: if !flying.isEmpty { deliver(flying.removeFirst()) }
        case 7: if !flying.isEmpty { flying.removeFirst() }
        case 8: if let first = flying.first { deliver(first) }
        case 9:
            guard !flying.isEmpty else { break }
            var datagram = flying.removeFirst()
            datagram.bytes[Int(cursor.word()) % datagram.bytes.count] ^= max(1, cursor.byte())
            deliver(datagram)
        case 10:
            // As through a NAT: from another address.
            guard !flying.isEmpty else { break }
            var datagram = flying.removeFirst()
            datagram.from = Addresses.at(cursor.byte())
            deliver(datagram)
        case 11:
            let from = Addresses.at(cursor.byte())
            deliver((Array(cursor.chunk()), from, Addresses.at(UInt8(which))))
        case 12, 13: request(&cursor, to: which)
        case 14: respond(&cursor, to: which)
        case 15: _ = CandidateLine(text(cursor.chunk()))
        case 16:
            let line = text(cursor.chunk())
            if case .candidate(let candidate) = CandidateLine(line) {
                agents[which].addRemoteCandidate(candidate, now: now)
            }
        case 17:
            let kinds = ICECandidate.Kind.allCases
            let candidate = ICECandidate(
                foundation: "f", priority: cursor.long(), address: Addresses.at(cursor.byte()),
                kind: kinds[Int(cursor.byte()) % kinds.count], ufrag: cursor.flag() ? "abcd" : nil)
            agents[which].addRemoteCandidate(candidate, now: now)
        case 18:
            agents[which].addLocalCandidate(
                Addresses.at(cursor.byte()), kind: cursor.flag() ? .host : .relayed, now: now)
        case 19: agents[which].removeLocalCandidate(Addresses.at(cursor.byte()), now: now)
        case 20: agents[which].endOfLocalCandidates(now: now)
        case 21: agents[which].endOfRemoteCandidates(now: now)
        case 22: agents[which].restart(random: &random, now: now)
        case 23:
            agents[0].restart(random: &random, now: now)
            agents[1].restart(random: &random, now: now)
            introduce()
        case 24: introduce()
        case 25:
            agents[which].mediaReceived(from: Addresses.at(cursor.byte()), to: Addresses.at(UInt8(which)), now: now)
        case 26:
            agents[which].setRemoteCredentials(
                ufrag: text(cursor.chunk()), password: "0123456789012345678901", isLite: cursor.flag(), now: now)
        default: advance(.milliseconds(20))
        }
        settle(which)
        settle(1 - which)
    }

    /// A request of somebody who knows the password: what an authentic but faulty peer can say.
    private mutating func request(_ cursor: inout ByteCursor, to which: Int) {
        let flags = cursor.byte()
        let from = Addresses.at(cursor.byte())
        let key = Array(agents[which].localPassword.utf8)
        let user = agents[which].localUfrag + ":" + agents[1 - which].localUfrag
        let transaction = STUNTransactionID(high: 1, low: UInt64(cursor.byte()))
        let (priority, tiebreaker) = (cursor.long(), UInt64(cursor.byte()) << 56)
        let bytes = message(.request, transaction) { writer in
            writer.append(STUNAttributeType.username, Array(user.utf8))
            if flags & 1 == 0 { writer.append(STUNAttributeType.priority, priority) }
            if flags & 2 != 0 { writer.append(STUNAttributeType.useCandidate) }
            if flags & 4 != 0 { writer.append(STUNAttributeType.iceControlling, tiebreaker) }
            if flags & 8 != 0 { writer.append(STUNAttributeType.iceControlled, tiebreaker) }
            if flags & 16 != 0 { writer.append(0x7FFF, UInt32(1)) }
            writer.appendIntegrity { HMACSHA1.authenticate($0, key: key) }
            writer.appendFingerprint()
        }
        deliver((bytes, from, Addresses.at(UInt8(which))))
    }

    /// A response of somebody who has seen the request in flight and knows the password.
    private mutating func respond(_ cursor: inout ByteCursor, to which: Int) {
        let flags = cursor.byte()
        let mapped = Addresses.at(cursor.byte())
        let code = 300 + Int(cursor.word()) % 400
        let home = Addresses.at(UInt8(which))
        guard let asked = flying.last(where: { $0.from == home }),
            let request = asked.bytes.withUnsafeBytes({ try? STUNMessage(parsing: $0.bytes) })
        else { return }
        let key = Array(agents[1 - which].localPassword.utf8)
        let bytes = message(flags & 1 == 0 ? .success : .error, request.transaction) { writer in
            if flags & 1 == 0 { writer.appendXORMappedAddress(mapped) } else { writer.appendErrorCode(code) }
            if flags & 2 == 0 { writer.appendIntegrity { HMACSHA1.authenticate($0, key: key) } }
            if flags & 4 == 0 { writer.appendFingerprint() }
        }
        deliver((bytes, flags & 8 == 0 ? asked.to : Addresses.at(flags >> 4), home))
    }

    private func message(
        _ messageClass: STUNMessage.Class, _ transaction: STUNTransactionID, _ fill: (inout STUNWriter) -> Void
    ) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 1024) { buffer, count in
            var writer = STUNWriter(
                into: UnsafeMutableRawBufferPointer(buffer), messageClass, transaction: transaction)
            fill(&writer)
            count = writer.finish() ?? 0
        }
    }

    mutating func deliver(_ datagram: (bytes: [UInt8], from: TransportAddress, to: TransportAddress)) {
        let which = datagram.to == Addresses.at(1) ? 1 : 0
        datagram.bytes.withUnsafeBytes { bytes in
            _ = agents[which].receive(
                bytes.bytes, from: datagram.from, to: datagram.to, now: now, random: &random, out: &out)
        }
        require(out.count <= 32, "one datagram makes \(out.count)")
        settle(which)
    }

    mutating func advance(_ step: TimeDelta) {
        now += step
        for which in 0..<2 {
            for _ in 0..<4 where agents[which].nextDeadline <= now {
                agents[which].handleTimeout(now: now, random: &random, out: &out)
                settle(which)
            }
            require(agents[which].nextDeadline > now, "what was due is done: \(agents[which].state)")
        }
    }

    /// Takes what an agent has sent and said, and looks whether it is in order.
    mutating func settle(_ which: Int) {
        for index in 0..<out.count where flying.count < 64 {
            let entry = out.entry(index)
            flying.append((Array(out.bytes(index)), entry.source, entry.destination))
        }
        out.removeAll()
        while agents[which].nextEvent() != nil {}
        require(agents[which].pairCount <= agents[which].configuration.maximumPairs + 32, "pairs are bounded")
        require(
            agents[which].sendPath.map { agents[which].isValidated(remote: $0.remote, local: $0.local) } ?? true,
            "media goes to validated addresses only")
        _ = agents[which].statistics
    }

    mutating func close() {
        for which in 0..<2 {
            agents[which].close(now: now)
            require(agents[which].nextDeadline == .distantFuture && agents[which].sendPath == nil, "closed is closed")
        }
    }
}

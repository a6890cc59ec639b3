import Foundation
import PetrelCore
import PetrelSDP
import PetrelSecurity
import PetrelWire
import Testing

@testable import PetrelICE

/// What a stranger, or a stranger's candidate list, may do to an agent.
@Suite struct HostileTests {
    static let local = VirtualLink.address("192.0.2.1", 5000)
    static let stranger = VirtualLink.address("203.0.113.66", 6666)

    /// An agent with the credentials that the vectors were made for.
    private func vectorAgent() -> (ICEAgent, RandomSource) {
        var random = RandomSource(seed: 1)
        var agent = ICEAgent(configuration: ICEConfiguration(), role: .controlled, random: &random, now: .zero)
        agent.current.localUfrag = Array("abcd".utf8)
        agent.current.localKey = Array("shared-vector-password-22".utf8)
        agent.addLocalCandidate(Self.local, now: .zero)
        while agent.nextEvent() != nil {}
        return (agent, random)
    }

    private func receive(
        _ bytes: [UInt8], _ agent: inout ICEAgent, _ random: inout RandomSource, from: TransportAddress = stranger,
        at now: Instant = .zero
    ) -> (Verdict, [[UInt8]]) {
        var batch = EgressBatch(capacity: 8)
        let verdict = bytes.withUnsafeBytes {
            agent.receive($0.bytes, from: from, to: Self.local, now: now, random: &random, out: &batch)
        }
        return (verdict, (0..<batch.count).map { Array(batch.bytes($0)) })
    }

    private func parse(_ bytes: [UInt8]) throws -> STUNMessage {
        try bytes.withUnsafeBytes { try STUNMessage(parsing: $0.bytes) }
    }

    @Test func c01ToC10EveryHostileMessageHasTheExpectedResult() throws {
        guard let lines = try Vectors.hostile("stun") else { return }
        #expect(lines.count >= 27)
        for line in lines {
            let name = line["case"] as? String ?? ""
            let bytes = Vectors.bytes(hex: line["hex"] as? String ?? "")
            var (agent, random) = vectorAgent()
            let (verdict, answers) = receive(bytes, &agent, &random)
            let messages = try answers.map(parse)
            let key = Array("shared-vector-password-22".utf8)
            let codes = messages.map { $0.errorCode ?? 0 }
            switch name {
            case "good-binding-request", "use-candidate-after-mi", "unknown-comprehension-optional":
                #expect(verdict == .accept, "\(name)")
                #expect(messages.count == 1 && messages[0].messageClass == .success, "\(name)")
                #expect(messages.first?.xorMappedAddress == Self.stranger)
                #expect(messages.first?.hasFingerprint == true)
                let isAuthentic = answers[0].withUnsafeBytes { raw in
                    messages[0].isAuthentic(raw.bytes) { HMACSHA1.authenticate($0, key: key) }
                }
                #expect(isAuthentic)
                #expect(agent.pairs.count == 1 && !agent.pairs[0].nominatedByPeer)
                continue
            case "unknown-comprehension-required":
                #expect(codes == [420])
                #expect(
                    messages.first?.unknownAttributes.map { STUNMessage.copyForTest(answers[0], $0) } == [0x7F, 0x0F])
                let isAuthentic = answers[0].withUnsafeBytes { raw in
                    messages[0].isAuthentic(raw.bytes) { HMACSHA1.authenticate($0, key: key) }
                }
                #expect(isAuthentic)
            case "both-roles":
                #expect(codes == [400])
                #expect(agent.role == .controlled)
            case "username-after-mi", "no-mi":
                #expect(codes == [400], "\(name)")
            case "mi-bit-flipped-fp-recomputed", "wrong-local-ufrag", "zero-length-username":
                #expect(codes == [401], "\(name)")
            default:
                #expect(messages.isEmpty, "\(name) is never answered")
            }
            if case .accept = verdict { Issue.record("\(name) was accepted") }
            #expect(agent.pairs.isEmpty && agent.validated.isEmpty, "\(name) left a trace")
            #expect(agent.nextEvent() == nil, "\(name)")
            #expect(answers.reduce(0) { $0 + $1.count } <= bytes.count, "\(name) is reflected with gain")
        }
    }

    /// A request to a node of a link, signed with whatever is asked for.
    private func request(
        user: String, key: String, useCandidate: Bool = true, transaction: UInt64, integrity: Bool = true
    ) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 300)
        let length = buffer.withUnsafeMutableBytes { raw in
            var writer = STUNWriter(
                into: raw, .request, transaction: STUNTransactionID(high: 1, low: transaction))
            if !user.isEmpty { writer.append(STUNAttributeType.username, Array(user.utf8)) }
            writer.append(STUNAttributeType.priority, UInt32(0x6E00_01FF))
            writer.append(STUNAttributeType.iceControlling, UInt64.max)
            if useCandidate { writer.append(STUNAttributeType.useCandidate) }
            if integrity { writer.appendIntegrity { HMACSHA1.authenticate($0, key: Array(key.utf8)) } }
            writer.appendFingerprint()
            return writer.finish() ?? 0
        }
        return Array(buffer[..<length])
    }

    @Test func c04AStormOfBadRequestsChangesNothing() {
        let link = VirtualLink.connected(media: true)
        let ufrag = link.a.agent.localUfrag
        let pairs = link.a.agent.pairCount
        var answered = 0
        var reflected = 0, received = 0
        var elapsed = Duration.zero
        for index in 0..<10_000 {
            let user = index % 2 == 0 ? "\(ufrag):\(link.b.agent.localUfrag)" : "nobody:\(link.b.agent.localUfrag)"
            let bytes = request(user: user, key: "wrong password of some length", transaction: UInt64(index))
            let from = VirtualLink.address("203.0.113.66", UInt16(1024 + index % 5000))
            received += bytes.count
            let start = ContinuousClock.now
            let verdict = bytes.withUnsafeBytes {
                link.a.agent.receive(
                    $0.bytes, from: from, to: VirtualLink.address("192.0.2.1", 5000), now: link.now,
                    random: &link.a.random, out: &link.a.batch)
            }
            elapsed += ContinuousClock.now - start
            #expect(verdict == .drop(index % 2 == 0 ? .stunBadIntegrity : .stunUnknownUser))
            for sent in 0..<link.a.batch.count where link.a.batch.entry(sent).destination == from {
                answered += 1
                reflected += link.a.batch.entry(sent).length
            }
            link.a.batch.removeAll()
            if index % 100 == 0 { link.run(for: .milliseconds(20)) }
        }
        print("a request with a wrong MESSAGE-INTEGRITY costs \(elapsed / 10_000)")
        #expect(link.a.agent.pairCount == pairs)
        #expect(link.a.agent.state == .completed && link.a.agent.sendPath != nil)
        #expect(answered <= 3 * ICEAgent.maximumErrorRate, "2 s of errors at most 20 a second")
        #expect(reflected <= received)
        link.run(for: .seconds(1))
        #expect(link.a.mediaRefused == 0)
    }

    @Test func c05ErrorResponsesAreSmallAndLimited() throws {
        var (agent, random) = vectorAgent()
        var sent = 0
        for index in 0..<200 {
            let bytes = request(user: "", key: "", transaction: UInt64(index), integrity: false)
            let (verdict, answers) = receive(bytes, &agent, &random)
            #expect(verdict == .drop(.stunMissingAttribute))
            for answer in answers {
                #expect(try parse(answer).errorCode == 400)
                #expect(answer.count <= bytes.count + 24)
                sent += 1
            }
        }
        #expect(sent == ICEAgent.maximumErrorRate)
        let (verdict, answers) = receive(
            request(user: "abcd:x", key: "no", transaction: 1), &agent, &random, at: .zero + .seconds(1))
        #expect(verdict == .drop(.stunBadIntegrity))
        #expect(try answers.map { try parse($0).errorCode } == [401])
    }

    @Test func c06ResponsesThatDoNotFitAreNotAccepted() {
        let remote = VirtualLink.address("192.0.2.2", 6000)
        func check(
            withAddress: Bool = true,
            _ change: (inout STUNTransactionID, inout String, inout TransportAddress, inout TransportAddress) -> Void
        )
            -> (Verdict, ICEAgent)
        {
            var random = RandomSource(seed: 2)
            var agent = ICEAgent(configuration: ICEConfiguration(), role: .controlling, random: &random, now: .zero)
            agent.addLocalCandidate(Self.local, now: .zero)
            agent.addLocalCandidate(VirtualLink.address("192.0.2.1", 5001), now: .zero)
            agent.setRemoteCredentials(ufrag: "peer", password: "passwordpasswordpassword", now: .zero)
            agent.addRemoteCandidate(
                ICECandidate(foundation: "1", priority: 2_130_706_431, address: remote, kind: .host), now: .zero)
            var batch = EgressBatch(capacity: 8)
            agent.handleTimeout(now: .zero, random: &random, out: &batch)
            guard let sent = try? Array(batch.bytes(0)).withUnsafeBytes({ try STUNMessage(parsing: $0.bytes) }) else {
                return (.drop(.badValue), agent)
            }
            var id = sent.transaction
            var key = "passwordpasswordpassword"
            var from = remote
            var to = batch.entry(0).source
            change(&id, &key, &from, &to)
            var buffer = [UInt8](repeating: 0, count: 200)
            let length = buffer.withUnsafeMutableBytes { raw in
                var writer = STUNWriter(into: raw, .success, transaction: id)
                if withAddress { writer.appendXORMappedAddress(to) }
                writer.appendIntegrity { [key] in HMACSHA1.authenticate($0, key: Array(key.utf8)) }
                writer.appendFingerprint()
                return writer.finish() ?? 0
            }
            let verdict = buffer[..<length].withUnsafeBytes {
                agent.receive(
                    $0.bytes, from: from, to: to, now: .zero + .milliseconds(40), random: &random, out: &batch)
            }
            return (verdict, agent)
        }
        let good = check { _, _, _, _ in }
        #expect(good.0 == .accept && good.1.sendPath != nil, "control case")
        // What FFmpeg's WHIP muxer answers: 52 octets, header, integrity and fingerprint. It proves the path.
        let bare = check(withAddress: false) { _, _, _, _ in }
        #expect(bare.0 == .accept && bare.1.sendPath != nil && bare.1.reflexive.isEmpty)
        let bareAndWrong = check(withAddress: false) { _, key, _, _ in key = "passwordpasswordpassworx" }
        #expect(bareAndWrong.0 == .drop(.stunBadIntegrity) && bareAndWrong.1.sendPath == nil)
        let wrongKey = check { _, key, _, _ in key = "passwordpasswordpassworx" }
        let wrongID = check { id, _, _, _ in id = STUNTransactionID(high: id.high, low: id.low ^ 1) }
        let wrongSource = check { _, _, from, _ in from.port = 6001 }
        let wrongLocal = check { _, _, _, to in to.port ^= 1 }
        #expect(wrongKey.0 == .drop(.stunBadIntegrity))
        #expect(wrongID.0 == .drop(.stunUnknownTransaction))
        #expect(wrongSource.0 == .drop(.stunAsymmetricResponse))
        #expect(wrongLocal.0 == .drop(.stunAsymmetricResponse))
        for agent in [wrongKey.1, wrongID.1, wrongSource.1, wrongLocal.1] {
            #expect(agent.sendPath == nil && agent.validated.isEmpty)
        }
    }

    @Test func c07AResponseWithAnUnknownRequiredAttributeFailsItsTransaction() {
        let link = VirtualLink(seed: 1, roundTrip: .zero)
        link.addHosts()
        link.exchangeCredentials()
        link.loses = { _ in true }
        link.keepsLog = true
        link.run(for: .milliseconds(20))
        guard let sent = link.log.first(where: { $0.source.port == 5000 }) else {
            Issue.record("no check")
            return
        }
        var answer = [UInt8](repeating: 0, count: 200)
        let key = Array(link.b.agent.localPassword.utf8)
        guard let message = try? parse(sent.bytes) else {
            Issue.record("unreadable check")
            return
        }
        let length = answer.withUnsafeMutableBytes { raw in
            var writer = STUNWriter(into: raw, .success, transaction: message.transaction)
            writer.appendXORMappedAddress(sent.source)
            writer.append(0x7F0F, [1, 2, 3, 4])
            writer.appendIntegrity { HMACSHA1.authenticate($0, key: key) }
            writer.appendFingerprint()
            return writer.finish() ?? 0
        }
        let verdict = answer[..<length].withUnsafeBytes {
            link.a.agent.receive(
                $0.bytes, from: sent.destination, to: sent.source, now: link.now, random: &link.a.random,
                out: &link.a.batch)
        }
        #expect(verdict == .drop(.stunUnknownAttribute))
        #expect(link.a.agent.sendPath == nil)
    }

    @Test func c10IndicationsAndStraysAreNeverAnswered() {
        var (agent, random) = vectorAgent()
        for messageClass in [STUNMessage.Class.indication, .success, .error] {
            var buffer = [UInt8](repeating: 0, count: 100)
            let length = buffer.withUnsafeMutableBytes { raw in
                var writer = STUNWriter(into: raw, messageClass, transaction: STUNTransactionID(high: 1, low: 2))
                writer.appendFingerprint()
                return writer.finish() ?? 0
            }
            let (verdict, answers) = receive(Array(buffer[..<length]), &agent, &random)
            #expect(verdict != .accept)
            #expect(answers.isEmpty)
        }
        // A bare request is 28 octets; an error response would be 36, more than was sent.
        var buffer = [UInt8](repeating: 0, count: 100)
        let length = buffer.withUnsafeMutableBytes { raw in
            var writer = STUNWriter(into: raw, .request, transaction: STUNTransactionID(high: 1, low: 2))
            writer.appendFingerprint()
            return writer.finish() ?? 0
        }
        let (_, answers) = receive(Array(buffer[..<length]), &agent, &random)
        #expect(answers.isEmpty)
    }

    @Test(arguments: [false, true])
    func c11TenThousandCandidates(sameFoundation: Bool) {
        let link = VirtualLink(seed: 1, roundTrip: .milliseconds(40))
        link.keepsLog = true
        link.addHosts()
        link.exchangeCredentials()
        link.run(for: .milliseconds(1))
        var accepted = 0
        for index in 0..<10_000 {
            let candidate = ICECandidate(
                foundation: sameFoundation ? "1" : "f\(index)", priority: 2_130_706_431,
                address: VirtualLink.address("10.\(index / 250).\(index % 250).1", 9), kind: .host)
            if link.a.agent.addRemoteCandidate(candidate, now: link.now) == .accept { accepted += 1 }
        }
        #expect(accepted <= 99)
        #expect(link.a.agent.pairCount <= 100)
        #expect(link.a.agent.remoteCandidates.count <= ICEAgent.maximumRemoteCandidates)
        link.run(until: .zero + .seconds(5)) { link.bothCompleted }
        #expect(link.bothCompleted, "the good candidate came first")
        let mine = link.log.filter { $0.source == Self.local && $0.bytes[0] == 0 }
        #expect(zip(mine.dropFirst(), mine).allSatisfy { $0.at - $1.at >= .milliseconds(5) }, "Ta is kept")
    }

    @Test func c11OnlyCandidatesThatLeadNowhere() {
        let link = VirtualLink(seed: 2, roundTrip: .milliseconds(40))
        link.keepsLog = true
        link.addBase(link.a, Self.local)
        link.exchangeCredentials()
        for index in 0..<10_000 {
            let candidate = ICECandidate(
                foundation: "1", priority: 2_130_706_431,
                address: VirtualLink.address("10.\(index / 250).\(index % 250).1", 9), kind: .host)
            _ = link.a.agent.addRemoteCandidate(candidate, now: link.now)
        }
        link.run(for: .seconds(60))
        let sent = link.log.filter { $0.source == Self.local }
        #expect(sent.count <= 40 * 200)
        #expect(link.a.agent.state == .failed)
    }

    @Test func c12ThePolicyTable() throws {
        let here = VirtualLink.address("192.0.2.1", 5000), here6 = VirtualLink.address("2001:db8::1", 5000)
        let loop = VirtualLink.address("127.0.0.1", 5000), loop6 = VirtualLink.address("::1", 5000)
        func permits(_ policy: AddressPolicy, _ text: String, port: UInt16 = 9, loopback: Bool = false) -> Bool {
            let remote = VirtualLink.address(text, port)
            return policy.permits(
                remote, from: remote.family == .ipv4 ? (loopback ? loop : here) : (loopback ? loop6 : here6))
        }
        let never = [
            "0.0.0.0", "0.1.2.3", "224.0.0.1", "239.255.255.250", "255.255.255.255", "240.0.0.1", "::", "ff02::1",
            "::ffff:224.0.0.1", "::ffff:0.0.0.0", "::ffff:255.255.255.255", "64:ff9b::e000:1", "2002:e000:1::1",
        ]
        let loopback = ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::1"]
        let linkLocal = ["169.254.1.1", "fe80::1", "::ffff:169.254.7.7"]
        let metadata = ["169.254.169.254", "::ffff:169.254.169.254", "fd00:ec2::254"]
        let fine = ["198.51.100.7", "10.0.0.1", "192.168.1.1", "2001:db8::7", "fd12::1", "::ffff:198.51.100.7"]
        for policy in AddressPolicy.allCases {
            for text in never { #expect(!permits(policy, text), "\(policy) \(text)") }
            for text in fine {
                #expect(permits(policy, text), "\(policy) \(text)")
                #expect(!permits(policy, text, port: 0))
                #expect(!permits(policy, text, loopback: true), "loopback reaches nothing else")
            }
            for text in loopback { #expect(permits(policy, text) == (policy == .lab), "\(policy) \(text)") }
            for text in loopback.prefix(3) {
                #expect(permits(policy, text, loopback: true) == (policy != .server), "\(policy) \(text)")
            }
            for text in linkLocal { #expect(permits(policy, text) == (policy != .server), "\(policy) \(text)") }
            for text in metadata { #expect(permits(policy, text) == (policy == .lab), "\(policy) \(text)") }
        }
        #expect(!AddressPolicy.server.permitsLocal(loop) && !AddressPolicy.server.permitsLocal(loop6))
        for line in try Vectors.hostile("address-policy") ?? [] {
            let text = line["text"] as? String ?? ""
            #expect(!permits(.server, text), "\(text)")
            #expect(!permits(.client, text), "\(text)")
        }
    }

    @Test func c12AServerNeverSendsToARefusedAddress() {
        var configuration = ICEConfiguration()
        configuration.addressPolicy = .server
        let link = VirtualLink(seed: 1, roundTrip: .milliseconds(40), configurations: (configuration, .init()))
        link.keepsLog = true
        link.addBase(link.a, Self.local)
        link.exchangeCredentials()
        for text in ["127.0.0.1", "169.254.169.254", "224.0.0.1", "255.255.255.255", "0.0.0.0", "169.254.3.4"] {
            let verdict = link.a.agent.addRemoteCandidate(
                ICECandidate(foundation: "1", priority: 9, address: VirtualLink.address(text, 80), kind: .host),
                now: link.now)
            #expect(verdict == .drop(.iceAddressRefused), "\(text)")
        }
        // Nor does it answer, even to somebody who knows the password.
        let user = "\(link.a.agent.localUfrag):x"
        let bytes = request(user: user, key: link.a.agent.localPassword, transaction: 1)
        let verdict = bytes.withUnsafeBytes {
            link.a.agent.receive(
                $0.bytes, from: VirtualLink.address("127.0.0.1", 80), to: Self.local, now: link.now,
                random: &link.a.random, out: &link.a.batch)
        }
        #expect(verdict == .drop(.iceAddressRefused))
        link.run(for: .seconds(50))
        #expect(link.log.isEmpty)
    }

    @Test func c15IdentifiersDoNotRepeat() {
        var random = RandomSource.system
        var ids = Set<STUNTransactionID>()
        for _ in 0..<1_000_000 { ids.insert(STUNTransactionID(random: &random)) }
        #expect(ids.count == 1_000_000)
        var passwords = Set<String>()
        var ufrags = Set<String>()
        for _ in 0..<20_000 {
            let credentials = ICECredentials(random: &random)
            passwords.insert(credentials.password)
            ufrags.insert(credentials.ufrag)
            #expect(ICECredentials(ufrag: credentials.ufrag, password: credentials.password) == credentials)
        }
        #expect(passwords.count == 20_000)
        #expect(ufrags.count == 20_000, "48 bits")
    }

    @Test func c15EveryCheckHasItsOwnTransaction() throws {
        let link = VirtualLink(seed: 1, roundTrip: .milliseconds(40), loss: 0.5)
        link.keepsLog = true
        link.addHosts()
        link.exchangeCredentials()
        link.run(for: .seconds(60))
        let ids = try link.log.filter { $0.bytes[0] == 0 && $0.bytes[1] == 1 }.map { try parse($0.bytes).transaction }
        #expect(ids.count > 20)
        #expect(Set(ids).count == ids.count)
    }

    @Test func c17PaddingIsZeroInMemoryThatWasUsedBefore() {
        let link = VirtualLink(seed: 1, roundTrip: .milliseconds(40), loss: 0.3)
        link.keepsLog = true
        let canary = [UInt8](repeating: 0xC7, count: 1600)
        for node in [link.a, link.b] {
            for _ in 0..<64 {
                canary.withUnsafeBytes { _ = node.batch.append($0.bytes, to: Self.stranger, from: Self.local) }
            }
            node.batch.removeAll()
        }
        link.addHosts()
        link.exchangeCredentials()
        link.run(for: .seconds(30))
        var padded = 0
        for datagram in link.log {
            var offset = 20
            while offset < datagram.bytes.count {
                let size = Int(datagram.bytes[offset + 2]) << 8 | Int(datagram.bytes[offset + 3])
                let end = offset + 4 + (size + 3) & ~3
                for index in (offset + 4 + size)..<end {
                    #expect(datagram.bytes[index] == 0)
                    padded += 1
                }
                offset = end
            }
        }
        #expect(padded > 50, "USERNAME of 17 octets is padded")
    }
}

extension STUNMessage {
    fileprivate static func copyForTest(_ bytes: [UInt8], _ range: Range<Int>) -> [UInt8] { Array(bytes[range]) }
}

@Suite struct HotPathTests {
    /// What every packet of media costs the agent. Printed, not judged: the machine decides.
    @Test func theCheckOfAnAddressIsCheap() {
        let link = VirtualLink.connected()
        let here = VirtualLink.address("192.0.2.1", 5000)
        let peer = VirtualLink.address("192.0.2.2", 6000), other = VirtualLink.address("192.0.2.3", 6000)
        var agent = link.a.agent
        var valid = 0
        let rounds = 200_000
        let start = ContinuousClock.now
        for round in 0..<rounds {
            if agent.isValidated(remote: round & 1 == 0 ? peer : other, local: here) {
                valid += 1
                agent.mediaReceived(from: peer, to: here, now: link.now + .microseconds(round))
            }
        }
        print("isValidated and mediaReceived: \((ContinuousClock.now - start) / rounds) a packet")
        #expect(valid == rounds / 2)
    }
}

import PetrelCore
import PetrelSecurity
import Testing

@Suite("DTLS under hostile input")
struct DTLSHostileTests {
    /// Something that a stranger sends, at each stage of a handshake: before, between the flights, after.
    private func disturb(_ datagrams: [[UInt8]], toServer: Bool, _ name: String) {
        for stage in 0..<4 {
            let pair = DTLSPair()
            pair.start()
            pair.run(until: .milliseconds(20 * stage)) { _ in false }
            for datagram in datagrams { pair.deliver(datagram, toServer: toServer) }
            #expect(
                pair.run(until: .seconds(5)), "\(name) at stage \(stage): \(pair.client.state) \(pair.server.state)")
            for datagram in datagrams { pair.deliver(datagram, toServer: toServer) }
            #expect(pair.isConnected && pair.agree, "\(name) after the handshake")
        }
    }

    @Test("hostile.jsonl: no DTLS input of a stranger stops a handshake or ends an association")
    func corpus() throws {
        let entries = try Vectors.hostile(["dtls"])
        for entry in entries {
            guard let text = entry["hex"] as? String, let name = entry["case"] as? String else { continue }
            for toServer in [true, false] {
                // A ClientHello that no client sends is for servers; to a client it is a message it never takes.
                disturb([hex(text)], toServer: toServer, name)
            }
        }
        print("hostile.jsonl: \(entries.count) DTLS inputs in 4 stages, both roles")
    }

    @Test("C19 alerts and garbage in the clear are dropped")
    func alertsAndGarbage() {
        var random = SeededGenerator(seed: 4)
        let alerts: [[UInt8]] = (0..<120).map { Record(type: 21, epoch: 0, sequence: 99, body: [2, $0]).bytes }
        disturb(alerts, toServer: true, "alerts")
        disturb(alerts, toServer: false, "alerts")
        var garbage: [[UInt8]] = []
        for first in UInt8(0x14)...0x3F {
            garbage.append(
                [first]
                    + (0..<Int.random(in: 0...80, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random)
                    })
            garbage.append(
                Record(
                    type: first, epoch: 0, sequence: 1 << 47,
                    body: (0..<40).map { _ in UInt8.random(in: 0...255, using: &random) }
                ).bytes)
        }
        disturb(garbage, toServer: true, "garbage")
        disturb(garbage, toServer: false, "garbage")
    }

    @Test("C19 an alert in the clear in the middle of a handshake is a lie if the handshake goes on")
    func alertInTheMiddle() {
        for toServer in [true, false] {
            let pair = DTLSPair(link: .init(roundTrip: .milliseconds(900)))
            pair.start()
            pair.run(until: .milliseconds(toServer ? 500 : 100)) { _ in false }
            let alert = Record(type: 21, epoch: 0, sequence: 5, body: [2, 40])
            #expect(pair.deliver(alert.bytes, toServer: toServer) == .accept)
            #expect(pair.run(until: .seconds(3)) && pair.agree)
            // When nothing else comes it is believed.
            let quiet = DTLSPair(link: .init(loss: 1))
            quiet.start()
            quiet.deliver(alert.bytes, toServer: false)
            quiet.run(until: .seconds(2)) { $0.client.state.failure != nil }
            #expect(quiet.client.state.failure == .alert && quiet.now.milliseconds == 1000)
        }
    }

    @Test("C23 hostile fragments: bounded, and the true handshake completes")
    func fragments() {
        let some = [UInt8](repeating: 0x7A, count: 40)
        for (type, toServer) in [(UInt8(11), true), (1, true), (2, false), (11, false)] {
            var hostile: [[UInt8]] = [
                Record.fragment(type: type, total: 1 << 24 - 1, sequence: 0, offset: 0, some).bytes,
                Record.fragment(type: type, total: 64, sequence: 0, offset: 40, some).bytes,
                Record.fragment(type: type, total: 40, sequence: 1000, offset: 0, some).bytes,
                Record.fragment(type: type, total: 40, sequence: 65535, offset: 0, some).bytes,
                Record.fragment(type: type, total: 400, sequence: 3, offset: 0, []).bytes,
                Record.fragment(type: type, total: 400, sequence: 0, offset: 0, some, length: 4000).bytes,
            ]
            for sequence in 9..<40 {
                hostile.append(Record.fragment(type: type, total: 16000, sequence: sequence, offset: 0, some).bytes)
            }
            disturb(hostile, toServer: toServer, "fragments of \(type)")
        }
    }

    @Test("C23 a false announcement of the ClientHello does not lock out the true one")
    func falseAnnouncement() {
        let pair = DTLSPair()
        pair.server.start(now: .zero) { _ in }
        let false1 = Record.fragment(type: 1, total: 4000, sequence: 0, offset: 100, [UInt8](repeating: 1, count: 50))
        #expect(pair.deliver(false1.bytes, toServer: true) == .accept)
        let false2 = Record.fragment(type: 1, total: 5000, sequence: 0, offset: 200, [UInt8](repeating: 1, count: 50))
        #expect(pair.deliver(false2.bytes, toServer: true) == .accept)
        #expect(pair.connect(within: .milliseconds(200)))
    }

    @Test("a ClientHello in three fragments, in any order, in one datagram or three, or octet by octet")
    func fragmentedHello() {
        let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]
        for order in orders {
            for together in [true, false] {
                let pair = DTLSPair()
                pair.tamper = { toServer, bytes in
                    let records = Record.split(bytes)
                    guard toServer, let hello = records.first, hello.messageType == 1 else { return [bytes] }
                    let pieces = hello.fragmented((hello.body.count - 12 + 2) / 3).map(\.bytes)
                    #expect(pieces.count == 3)
                    return together ? [order.flatMap { pieces[$0] }] : order.map { pieces[$0] }
                }
                #expect(pair.connect(within: .milliseconds(80)), "\(order) \(together)")
                #expect(pair.agree)
            }
        }
        let pair = DTLSPair()
        pair.tamper = { toServer, bytes in
            guard toServer, let hello = Record.split(bytes).first, hello.messageType == 1 else { return [bytes] }
            return hello.fragmented(1).map(\.bytes)
        }
        #expect(pair.connect(within: .milliseconds(80)))
    }

    @Test("a small MTU: every flight in many records and datagrams, with loss and reordering")
    func smallMTU() {
        for seed in UInt64(1)...20 {
            var small = DTLSEngine.Configuration()
            small.mtu = 256
            let pair = DTLSPair(seed: seed, link: .init(loss: 0.2), client: small, server: small)
            // Every other datagram is overtaken by the one after it.
            var waiting: [Bool: [UInt8]] = [:]
            pair.tamper = { toServer, bytes in
                guard let before = waiting.removeValue(forKey: toServer) else {
                    waiting[toServer] = bytes
                    return []
                }
                return [bytes, before]
            }
            #expect(pair.connect(), "seed \(seed)")
            #expect(pair.agree)
            #expect(pair.sent.allSatisfy { $0.bytes.count <= 256 })
        }
    }

    @Test("C24 records of epochs to come: few are kept, and the handshake completes")
    func futureEpochs() {
        for epoch in [1, 2, 3, 65535] {
            let body = [UInt8](repeating: 0x3C, count: 200)
            let flood = (0..<10_000).map { Record(type: 22, epoch: epoch, sequence: UInt64($0), body: body).bytes }
            for toServer in [true, false] {
                let pair = DTLSPair()
                pair.start()
                pair.run(until: .milliseconds(45)) { _ in false }
                for datagram in flood { pair.deliver(datagram, toServer: toServer) }
                let engine = toServer ? pair.server : pair.client
                #expect(engine.drops.total >= 9_990)
                #expect(pair.run(until: .seconds(3)), "epoch \(epoch)")
                #expect(pair.agree)
            }
        }
    }

    @Test("C25 records shorter than nonce and tag, and records that do not authenticate, are dropped")
    func undersizedRecords() {
        let pair = DTLSPair()
        pair.connect()
        for type in UInt8(20)...23 {
            for length in 0...64 {
                for toServer in [true, false] {
                    pair.deliver(
                        Record(type: type, epoch: 1, sequence: 7, body: [UInt8](repeating: 9, count: length)).bytes,
                        toServer: toServer)
                }
            }
        }
        #expect(pair.isConnected && pair.agree)
    }

    @Test("C28 a second ClientHello and a HelloRequest change nothing")
    func renegotiation() {
        let pair = DTLSPair()
        pair.connect()
        let other = DTLSPair(seed: 77)
        other.start()
        let sentBefore = pair.sent.count
        let hello = other.sent[0].bytes
        #expect(pair.deliver(hello, toServer: true) == .accept)  // a reason to repeat the last flight, no more
        let request = Record.fragment(type: 0, total: 0, sequence: 0, offset: 0, [])
        #expect(pair.deliver(request.bytes, toServer: false) == .drop(.dtlsRejected))
        #expect(pair.isConnected && pair.agree)
        #expect(pair.sent.count - sentBefore <= 1)
        // In the middle of a handshake as well.
        let young = DTLSPair()
        young.start()
        young.run(until: .milliseconds(30)) { _ in false }
        young.deliver(hello, toServer: true)
        #expect(young.run(until: .seconds(1)) && young.agree)
    }

    @Test("the server's last flight is repeated for as long as the client asks for it")
    func lastFlight() {
        let pair = DTLSPair()
        var isOpen = false
        pair.tamper = { toServer, bytes in
            let isLast = !toServer && Record.split(bytes).contains { $0.type == 20 }
            return isLast && !isOpen ? [] : [bytes]
        }
        pair.start()
        // OpenSSL itself gives up after twelve repeats; here are hundreds.
        pair.run(until: .seconds(15)) { _ in false }
        #expect(pair.server.state == .connected && pair.client.state == .connecting)
        #expect(pair.client.repeatedFlights > 60)
        isOpen = true
        #expect(pair.run(until: .seconds(3)) && pair.agree)
        // In the clear no number is used twice. The client's Finished is sealed anew now and then, at most twelve times
        // (OpenSSL's servers end at the thirteenth); the server's never.
        for toServer in [true, false] {
            let records = pair.sent.filter { $0.toServer == toServer }.flatMap { Record.split($0.bytes) }
            let clear = records.filter { $0.epoch == 0 }.map(\.sequence)
            #expect(Set(clear).count == clear.count)
            let encrypted = records.filter { $0.epoch == 1 }
            #expect(encrypted.count > 60)
            let different = Set(encrypted.map(\.sequence))
            #expect(toServer ? (10...13).contains(different.count) : different.count == 1)
            // One number, one record.
            #expect(Set(encrypted.map(\.bytes)).count == different.count)
        }
    }

    @Test("a path that is dead for 20 seconds costs time, not the association", arguments: [0, 30, 50, 70])
    func deadPath(after milliseconds: Int) {
        let pair = DTLSPair()
        pair.start()
        pair.run(until: .milliseconds(milliseconds)) { _ in false }
        pair.link.loss = 1
        pair.run(until: .seconds(20)) { _ in false }
        pair.link.loss = 0
        #expect(pair.run(until: .milliseconds(1300)) && pair.agree)
    }

    @Test("a handshake that nobody answers ends at its limit")
    func limit() {
        let pair = DTLSPair(link: .init(loss: 1))
        pair.start()
        pair.run(until: .seconds(120)) { $0.client.state.failure != nil }
        #expect(pair.client.state.failure == .timeout)
        #expect(pair.now.milliseconds == 60_000)
        #expect(pair.client.nextDeadline == .distantFuture)
        #expect(pair.client.repeatedFlights < 140)
    }

    @Test("close tells the peer, in both directions", arguments: [true, false])
    func close(byClient: Bool) {
        let pair = DTLSPair()
        pair.connect()
        let (closer, other) = byClient ? (pair.client, pair.server) : (pair.server, pair.client)
        closer.close { pair.send($0, toServer: byClient) }
        #expect(closer.state == .closed && !closer.hasKeys)
        pair.run(until: .milliseconds(100)) { _ in false }
        #expect(other.state == .closed && !other.hasKeys)
        #expect(other.nextDeadline == .distantFuture)
    }

    @Test("fuzz findings of other stacks do no harm")
    func findings() throws {
        let inputs = try Vectors.files("pion-fuzz/dtls-record") + Vectors.files("mediasoup-fuzz-crashes")
        for (name, bytes) in inputs {
            for toServer in [true, false] { disturb([bytes], toServer: toServer, name) }
        }
        print("fuzz findings: \(inputs.count) inputs into DTLS in 4 stages, both roles")
    }

    @Test("flipped bits anywhere in a handshake never trap, and never connect two ends that disagree")
    func flippedBits() {
        for seed in UInt64(1)...150 {
            var random = SeededGenerator(seed: seed)
            let pair = DTLSPair(seed: seed)
            pair.tamper = { _, bytes in
                guard random.unit() < 0.3, !bytes.isEmpty else { return [bytes] }
                var bytes = bytes
                for _ in 0...Int(random.next() % 3) {
                    bytes[Int(random.next() % UInt64(bytes.count))] ^= UInt8(1) << UInt8(random.next() % 8)
                }
                return [bytes]
            }
            pair.start()
            pair.run(until: .seconds(4))
            if pair.isConnected { #expect(pair.agree) }
        }
    }
}

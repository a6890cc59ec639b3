import PetrelCore
import PetrelSecurity
import Testing

@Suite("DTLS identity: who the peer is")
struct DTLSIdentityTests {
    let right = DTLSPair.callee.fingerprint()
    let wrong = DTLSPair.stranger.fingerprint()

    /// Runs a handshake in which one side expects something else than what the other shows.
    private func mismatch(atClient: Bool) -> DTLSPair {
        let pair =
            atClient
            ? DTLSPair(expectServer: [wrong]) : DTLSPair(expectClient: [wrong])
        pair.start()
        pair.run { $0.client.state.failure != nil && $0.server.state.failure != nil }
        return pair
    }

    @Test("C20 a client tears down at once when the server is not the announced one")
    func clientRefuses() {
        let pair = mismatch(atClient: true)
        #expect(pair.client.state.failure == .fingerprintMismatch)
        #expect(!pair.client.hasKeys && pair.client.profile == nil)
        #expect(pair.client.nextDeadline == .distantFuture)
        // Nothing of the client's second flight was sent but a fatal bad_certificate.
        let last = Record.split(pair.sent.last { $0.toServer }?.bytes ?? [])
        #expect(last.count == 1 && last.first?.type == 21 && last.first?.body == [2, 42])
        #expect(!pair.sent.contains { Record.split($0.bytes).contains { $0.messageType == 16 } })
        #expect(pair.server.state.failure == .alert)
        #expect(!pair.server.hasKeys)
    }

    @Test("C20 a server tears down at once when the client is not the announced one")
    func serverRefuses() {
        let pair = mismatch(atClient: false)
        #expect(pair.server.state.failure == .fingerprintMismatch)
        #expect(!pair.server.hasKeys && pair.server.profile == nil)
        let last = Record.split(pair.sent.last { !$0.toServer }?.bytes ?? [])
        #expect(last.count == 1 && last.first?.type == 21 && last.first?.body == [2, 42])
        // The client never got a Finished.
        #expect(!pair.sent.contains { !$0.toServer && Record.split($0.bytes).contains { $0.type == 20 } })
        #expect(pair.client.state.failure == .alert)
        #expect(!pair.client.hasKeys)
    }

    @Test("fingerprints that come late: no keys and no connection before they matched", arguments: [true, false])
    func lateMatch(atServer: Bool) {
        let pair = atServer ? DTLSPair(expectClient: nil) : DTLSPair(expectServer: nil)
        let waiting = atServer ? pair.server : pair.client
        pair.start()
        pair.run(until: .seconds(5)) { _ in false }
        #expect(waiting.state == .connecting)
        #expect(!waiting.hasKeys)
        if atServer {
            pair.expectAtServer([DTLSPair.caller.fingerprint()])
        } else {
            pair.expectAtClient([right])
        }
        #expect(waiting.state == .connected)
        #expect(pair.isConnected && pair.agree)
    }

    @Test(
        "fingerprints that come late and do not match: closed with an encrypted fatal alert", arguments: [true, false])
    func lateMismatch(atServer: Bool) {
        let pair = atServer ? DTLSPair(expectClient: nil) : DTLSPair(expectServer: nil)
        let (waiting, other) = atServer ? (pair.server, pair.client) : (pair.client, pair.server)
        pair.start()
        pair.run(until: .seconds(1)) { _ in false }
        if atServer { pair.expectAtServer([wrong]) } else { pair.expectAtClient([wrong]) }
        #expect(waiting.state.failure == .fingerprintMismatch)
        #expect(!waiting.hasKeys)
        let last = Record.split(pair.sent.last?.bytes ?? [])
        #expect(last.count == 1 && last.first?.type == 21 && last.first?.epoch == 1)
        pair.run(until: .seconds(1)) { _ in false }
        #expect(other.state.failure == .alert)
    }

    @Test("RFC 8122 section 5: among several fingerprints one of the strongest function must match")
    func severalFingerprints() {
        let strong = DTLSPair.callee.fingerprint(.sha512)
        let strongWrong = DTLSPair.stranger.fingerprint(.sha512)
        for (announced, isRight) in [
            ([right, wrong], true), ([wrong, right], true), ([right, strong], true), ([wrong, strong], true),
            ([right, strongWrong], false), ([strongWrong, strong, wrong], true), ([wrong], false),
        ] {
            let pair = DTLSPair(expectServer: announced)
            pair.start()
            pair.run(until: .seconds(3))
            #expect(pair.isConnected == isRight)
            #expect((pair.client.state.failure == .fingerprintMismatch) == !isRight)
        }
    }

    @Test("an announced fingerprint cannot be replaced by a later one")
    func firstAnnouncementHolds() {
        let pair = DTLSPair(expectServer: [wrong])
        pair.expectAtClient([right])
        pair.start()
        pair.run(until: .seconds(3))
        #expect(pair.client.state.failure == .fingerprintMismatch)
    }

    @Test("C21 an expired certificate is as good as any, its fingerprint speaks for it")
    func expired() throws {
        let old = try Certificate.make(unixTime: 100_000_000, validity: 60, labSeed: 9)
        let pair = DTLSPair(expectServer: [old.fingerprint()])
        pair.server = DTLSEngine(role: .server, certificate: old)
        pair.expectAtServer([DTLSPair.caller.fingerprint()])
        #expect(pair.connect(within: .seconds(3)))
    }

    @Test("C21 a client without a certificate, without the message, or without the proof of its key fails")
    func clientWithoutCertificate() {
        // The certificate list is emptied, the message left out, the CertificateVerify left out.
        let edits: [(String, ([Record]) -> [Record], DTLSFailure.Kind)] = [
            (
                "empty list",
                {
                    $0.map {
                        $0.messageType == 11 ? .fragment(type: 11, total: 3, sequence: 1, offset: 0, [0, 0, 0]) : $0
                    }
                },
                .noCertificate
            ),
            (
                "no message",
                { records in
                    records.filter { $0.messageType != 11 }.map { record in
                        var record = record
                        if record.messageType != nil, record.body[0] != 1 { record.body[5] -= 1 }
                        return record
                    }
                }, .handshake
            ),
            ("no proof", { $0.filter { $0.messageType != 15 } }, .timeout),
            (
                "broken proof",
                {
                    $0.map { record in
                        var record = record
                        if record.messageType == 15 { record.body[record.body.count - 1] ^= 1 }
                        return record
                    }
                }, .handshake
            ),
        ]
        for (name, edit, kind) in edits {
            let pair = DTLSPair()
            pair.tamper = { toServer, bytes in toServer ? [edit(Record.split(bytes)).flatMap(\.bytes)] : [bytes] }
            pair.start()
            pair.run(until: .seconds(90)) { $0.server.state.failure != nil }
            #expect(pair.server.state.failure == kind, "\(name): \(pair.server.state)")
            #expect(!pair.server.hasKeys && !pair.client.hasKeys)
        }
    }
}

import PetrelCore
import PetrelSecurity
import Testing

@Suite("DTLS use_srtp (C22)")
struct DTLSProfileTests {
    /// The extension as the client writes it: type, length, the profiles, no MKI.
    private let offered: [UInt8] = [0x00, 0x0E, 0x00, 0x09, 0x00, 0x06, 0x00, 0x07, 0x00, 0x08, 0x00, 0x01, 0x00]
    private let answered: [UInt8] = [0x00, 0x0E, 0x00, 0x05, 0x00, 0x02, 0x00, 0x07, 0x00]

    @Test(
        "no extension, or only profiles without encryption: the server refuses and waits for a better ClientHello",
        arguments: [
            [0x7F, 0x0E, 0x00, 0x09, 0x00, 0x06, 0x00, 0x07, 0x00, 0x08, 0x00, 0x01, 0x00],
            [0x00, 0x0E, 0x00, 0x09, 0x00, 0x06, 0x00, 0x05, 0x00, 0x06, 0x00, 0x05, 0x00],
        ])
    func refusedByServer(extension other: [UInt8]) {
        let pair = DTLSPair()
        var edited = 0
        pair.tamper = { toServer, bytes in
            guard toServer else { return [bytes] }
            #expect(bytes.position(of: offered) != nil)
            edited += 1
            return [bytes.replacing(offered, with: other)]
        }
        pair.start()
        pair.run(until: .milliseconds(100)) { _ in false }
        #expect(edited > 0 && pair.server.refusedHellos > 0)
        #expect(pair.server.state == .connecting)
        #expect(!pair.server.hasKeys)
        // The answer was an alert and nothing else.
        #expect(pair.sent.filter { !$0.toServer }.allSatisfy { $0.bytes.count == 15 && $0.bytes[0] == 21 })
        // The client's true ClientHello still connects.
        pair.tamper = nil
        #expect(pair.run(until: .milliseconds(400)))
        #expect(pair.agree)
    }

    @Test(
        "a server's answer without the extension, or with a profile that was not offered, fails the client",
        arguments: [
            [0x7F, 0x0E, 0x00, 0x05, 0x00, 0x02, 0x00, 0x07, 0x00],
            [0x00, 0x0E, 0x00, 0x05, 0x00, 0x02, 0x00, 0x02, 0x00],
            [0x00, 0x0E, 0x00, 0x05, 0x00, 0x02, 0x00, 0x05, 0x00],
        ])
    func refusedByClient(extension other: [UInt8]) {
        let pair = DTLSPair()
        pair.tamper = { toServer, bytes in
            toServer ? [bytes] : [bytes.replacing(answered, with: other)]
        }
        pair.start()
        pair.run(until: .seconds(5)) { $0.client.state.failure != nil }
        #expect([.handshake, .noSRTPProfile].contains(pair.client.state.failure))
        #expect(!pair.client.hasKeys)
        #expect(!pair.sent.contains { Record.split($0.bytes).contains { $0.messageType == 16 } })
    }

    @Test("an MKI is not taken: the server answers without one")
    func masterKeyIdentifier() {
        let pair = DTLSPair()
        pair.tamper = { toServer, bytes in
            guard toServer else { return [bytes] }
            // Two profiles and an MKI of two octets take the room of three profiles.
            return [bytes.replacing(offered, with: [0, 14, 0, 9, 0, 4, 0, 7, 0, 8, 2, 0xAB, 0xCD])]
        }
        pair.start()
        pair.run(until: .milliseconds(100)) { _ in false }
        let answer = pair.sent.first { !$0.toServer }
        #expect(answer?.bytes.position(of: answered) != nil)
        #expect(pair.server.state != .connected)
    }
}

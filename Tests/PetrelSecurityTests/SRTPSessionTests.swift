import Glibc
import PetrelCore
import PetrelSecurity
import Testing

/// Two sessions that share the keys of one made-up handshake.
struct SRTPPair {
    let client: SRTPSession
    let server: SRTPSession

    init(_ profile: SRTPProfile, window: Int = SRTPSession.replayWindow) throws {
        let length = 2 * (profile.keyLength + profile.saltLength)
        guard let material = SRTPKeyingMaterial(profile: profile, exported: (0..<length).map { UInt8($0 & 255) }) else {
            throw DropReason.badLength
        }
        client = try SRTPSession(material, role: .client, replayWindow: window)
        server = try SRTPSession(material, role: .server, replayWindow: window)
    }

    /// An RTP packet without extension.
    static func rtp(_ sequence: Int, ssrc: UInt32 = 0x1122_3344, payload: Int = 100) -> [UInt8] {
        [0x80, 96, UInt8(truncatingIfNeeded: sequence >> 8), UInt8(truncatingIfNeeded: sequence), 0, 0, 9, 9]
            + (0..<4).map { UInt8(truncatingIfNeeded: ssrc >> UInt32(24 - 8 * $0)) }
            + (0..<payload).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ sequence) }
    }

    /// A receiver report without blocks, and a BYE.
    static let rtcp: [UInt8] = [0x80, 201, 0, 1, 0x11, 0x22, 0x33, 0x44, 0x81, 203, 0, 1, 0x11, 0x22, 0x33, 0x44]
}

extension SRTPSession {
    func protect(_ plain: [UInt8], control: Bool = false) throws -> [UInt8] {
        var packet = plain + [UInt8](repeating: 0xEE, count: 24)
        let length = try packet.withUnsafeMutableBytes { bytes in
            control
                ? try protectRTCP(bytes, length: plain.count) : try protectRTP(bytes, length: plain.count)
        }
        // What lies behind the packet is not touched.
        #expect(packet[length...].allSatisfy { $0 == 0xEE })
        return Array(packet.prefix(length))
    }

    // Inlined where its result is not read, Swift 6.3.1 with -O frees the new array and fills it after that, which the
    // address sanitizer reports.
    @inline(never)
    func open(_ protected: [UInt8], control: Bool = false) throws -> [UInt8] {
        var packet = protected
        let length = try packet.withUnsafeMutableBytes { bytes in
            control
                ? try openRTCP(bytes, length: protected.count) : try openRTP(bytes, length: protected.count)
        }
        return Array(packet.prefix(length))
    }

    /// Why a packet is refused; nil where it is not.
    func refusal(_ protected: [UInt8], control: Bool = false) -> DropReason? {
        do {
            _ = try open(protected, control: control)
            return nil
        } catch { return error as? DropReason }
    }
}

@Suite("SRTP sessions")
struct SRTPSessionTests {
    @Test("round trip in both directions, RTP and RTCP", arguments: SRTPProfile.allCases)
    func roundTrip(profile: SRTPProfile) throws {
        let pair = try SRTPPair(profile)
        for (sender, receiver) in [(pair.client, pair.server), (pair.server, pair.client)] {
            for payload in [0, 1, 15, 16, 17, 160, 1188] {
                let plain = SRTPPair.rtp(payload, payload: payload)
                let protected = try sender.protect(plain)
                #expect(protected.count == plain.count + profile.tagLength)
                #expect(Array(protected.prefix(12)) == Array(plain.prefix(12)))
                #expect(try receiver.open(protected) == plain)
            }
            let control = try sender.protect(SRTPPair.rtcp, control: true)
            #expect(control.count == SRTPPair.rtcp.count + profile.controlTrailerLength)
            #expect(try receiver.open(control, control: true) == SRTPPair.rtcp)
            // Header extension and CSRC list stay readable (RFC 3711 section 3.1).
            var rich = SRTPPair.rtp(500)
            rich[0] = 0x92
            rich.insert(contentsOf: [0, 0, 0, 1, 0, 0, 0, 2, 0xBE, 0xDE, 0, 1, 0x10, 7, 0, 0], at: 12)
            let protected = try sender.protect(rich)
            #expect(Array(protected.prefix(28)) == Array(rich.prefix(28)))
            #expect(try receiver.open(protected) == rich)
        }
        #expect(pair.client.protectedPackets == 9 && pair.client.openedPackets == 9 && pair.client.drops.total == 0)
        #expect(pair.client.profile == profile)
    }

    /// Master key and salt of one sender, whole packets before and after. AES-CM: the reference packets of libsrtp's
    /// self test; GCM: computed with another implementation of RFC 3711 section 4.3 and RFC 7714.
    @Test(
        "known packets",
        arguments: [
            (
                SRTPProfile.aes128CMSHA1_80, "e1f97a0d3e018be0d64fa32c06de4139", "0ec675ad498afeebb6960b3aabe6",
                "800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb",
                "81c8000bcafebabe7128035be487b9bdbef89041f977a5a880000001993e08cd54d6c1230798"
            ),
            (
                .aeadAES128GCM, "000102030405060708090a0b0c0d0e0f", "a0a1a2a3a4a5a6a7a8a9aaab",
                "800f1234decafbadcafebabec5002ede04cfdd2eb91159e0880aa06ed2976826f796b201df3131a127e8a392",
                "81c8000bcafebabec98b8b5df0392a55852b6c21ac8e7025c52c6fbea2b3b446ea31123ba88ce61e80000001"
            ),
            (
                .aeadAES256GCM, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
                "a0a1a2a3a4a5a6a7a8a9aaab",
                "800f1234decafbadcafebabe0af7f21e8a90bdad7a425c9c31ed4bb1d90238917e7390a2793500e1681acaea",
                "81c8000bcafebabe8abfafa780070a90e80f9161cf4aac081ed93aaa53c15b0f3ed1a3b984167b0380000001"
            ),
        ])
    func knownPackets(profile: SRTPProfile, key: String, salt: String, srtp: String, srtcp: String) throws {
        let none = [UInt8](repeating: 0, count: profile.keyLength)
        let noSalt = [UInt8](repeating: 0, count: profile.saltLength)
        let payload = [UInt8](repeating: 0xAB, count: 16)
        let rtp = hex("800f1234decafbadcafebabe") + payload
        let rtcp = hex("81c8000bcafebabe") + payload
        // The client's key comes first, then the server's, then the salts: each side writes with its own.
        for role in [DTLSRole.client, .server] {
            let exported =
                role == .client ? hex(key) + none + hex(salt) + noSalt : none + hex(key) + noSalt + hex(salt)
            guard let material = SRTPKeyingMaterial(profile: profile, exported: exported) else {
                Issue.record("no material")
                return
            }
            let writer = try SRTPSession(material, role: role)
            #expect(try writer.protect(rtp) == hex(srtp))
            // libsrtp2 counts from one where RFC 3711 section 3.4 starts at zero; both are allowed.
            #expect(try writer.protect(rtcp, control: true) == hex(srtcp))
            let reader = try SRTPSession(material, role: role == .client ? .server : .client)
            #expect(try reader.open(hex(srtp)) == rtp)
            #expect(try reader.open(hex(srtcp), control: true) == rtcp)
        }
    }

    @Test("the packets of the corpus: AES-CM reference pair and key split")
    func corpus() throws {
        if let appendix = try Vectors.json("srtp-rfc/rfc3711-appendix-b.json") as? [String: [String: Any]],
            let pair = appendix["whole_packet_sha1_80"]
        {
            func field(_ name: String) -> [UInt8] { hex(pair[name] as? String ?? "") }
            let other = [UInt8](repeating: 1, count: 16)
            let exported =
                field("master_key") + other + field("master_salt") + [UInt8](repeating: 2, count: 14)
            guard let material = SRTPKeyingMaterial(profile: .aes128CMSHA1_80, exported: exported) else {
                Issue.record("no material")
                return
            }
            let session = try SRTPSession(material, role: .client)
            #expect(try session.protect(field("rtp_plain")) == field("srtp"))
            #expect(try session.protect(field("rtcp_plain"), control: true) == field("srtcp"))
        }
        for entry in try Vectors.json("srtp-rfc/dtls-srtp-key-split.json") as? [[String: String]] ?? [] {
            let profile: SRTPProfile =
                entry["profile"] == "SRTP_AEAD_AES_128_GCM" ? .aeadAES128GCM : .aes128CMSHA1_80
            func field(_ name: String) -> [UInt8] { hex(entry[name] ?? "") }
            let together =
                field("client_write_key") + field("server_write_key") + field("client_write_salt")
                + field("server_write_salt")
            guard let whole = SRTPKeyingMaterial(profile: profile, exported: field("keying_material")),
                let parts = SRTPKeyingMaterial(profile: profile, exported: together)
            else {
                Issue.record("no material")
                return
            }
            let isEqual = whole.isEqual(to: parts)
            #expect(isEqual)
        }
    }

    @Test("C31 the replay script of the corpus, exact at the edges of a window of 64")
    func replayScript() throws {
        guard let script = try Vectors.json("srtp-rfc/replay-window-64.json") as? [String: Any],
            let events = script["events"] as? [[String: Any]]
        else { return }
        for profile in SRTPProfile.allCases {
            let pair = try SRTPPair(profile, window: 64)
            var packets: [Int: [UInt8]] = [:]
            for index in Set(events.compactMap { $0["index"] as? Int }).sorted() {
                packets[index] = try pair.client.protect(SRTPPair.rtp(index & 0xFFFF))
            }
            for event in events {
                guard let index = event["index"] as? Int, let packet = packets[index] else { continue }
                let isTaken = event["expect"] as? String == "accept"
                #expect(pair.server.refusal(packet) == (isTaken ? nil : .srtpReplay), "index \(index)")
            }
        }
    }

    @Test("C31 the window of 1,024: its edges, and replayed SRTCP", arguments: SRTPProfile.allCases)
    func replayWindow(profile: SRTPProfile) throws {
        let pair = try SRTPPair(profile)
        let packets = try (0...1100).map { try pair.client.protect(SRTPPair.rtp(1000 + $0)) }
        #expect(pair.server.refusal(packets[1100]) == nil)
        #expect(pair.server.refusal(packets[1100]) == .srtpReplay)
        #expect(pair.server.refusal(packets[1100 - 1023]) == nil)
        #expect(pair.server.refusal(packets[1100 - 1023]) == .srtpReplay)
        #expect(pair.server.refusal(packets[1100 - 1024]) == .srtpReplay)
        let control = try (0..<3).map { _ in try pair.client.protect(SRTPPair.rtcp, control: true) }
        #expect(pair.server.refusal(control[2], control: true) == nil)
        #expect(pair.server.refusal(control[0], control: true) == nil)
        for packet in control { _ = pair.server.refusal(packet, control: true) }
        #expect(pair.server.refusal(control[1], control: true) == .srtpReplay)
        #expect(pair.server.drops[.srtpReplay] == 6)
    }

    /// Runs `body` with bytes that end where readable memory ends.
    private func atTheEdge(_ bytes: [UInt8], _ body: (UnsafeMutableRawBufferPointer) -> Void) {
        let page = 4096
        let area = mmap(nil, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let area, area != MAP_FAILED, mprotect(area + page, page, PROT_NONE) == 0 else {
            Issue.record("no memory")
            return
        }
        let start = area + page - bytes.count
        bytes.withUnsafeBytes { if let from = $0.baseAddress { start.copyMemory(from: from, byteCount: bytes.count) } }
        body(UnsafeMutableRawBufferPointer(start: start, count: bytes.count))
        munmap(area, 2 * page)
    }

    @Test(
        "C30 every length from 0 to 64, and counts that lie: refused, and nothing is read past the end",
        arguments: SRTPProfile.allCases)
    func shortPackets(profile: SRTPProfile) throws {
        let pair = try SRTPPair(profile)
        var tried = 0
        for length in 0...64 {
            for first in [0x80, 0x90, 0x8F, 0x9F, 0xBF, 0x40, 0xFF] as [UInt8] {
                for fill in [0x00, 0xFF, 0x01] as [UInt8] {
                    var bytes = [UInt8](repeating: fill, count: length)
                    if length > 0 { bytes[0] = first }
                    if length > 1 { bytes[1] = 96 }
                    for isControl in [false, true] {
                        atTheEdge(bytes) { packet in
                            #expect(throws: DropReason.self) {
                                _ =
                                    isControl
                                    ? try pair.server.openRTCP(packet, length: length)
                                    : try pair.server.openRTP(packet, length: length)
                            }
                            // Without room for the tag nothing is written either.
                            #expect(throws: DropReason.badLength) {
                                _ =
                                    isControl
                                    ? try pair.server.protectRTCP(packet, length: length)
                                    : try pair.server.protectRTP(packet, length: length)
                            }
                        }
                        tried += 2
                    }
                }
            }
        }
        #expect(pair.server.drops.total == UInt64(tried))
        #expect(pair.server.openedPackets == 0 && pair.server.protectedPackets == 0)
        // True packets cut short anywhere.
        let packet = try pair.client.protect(SRTPPair.rtp(1, payload: 30))
        let control = try pair.client.protect(SRTPPair.rtcp, control: true)
        for length in 0..<packet.count {
            atTheEdge(Array(packet.prefix(length))) { bytes in
                #expect(throws: DropReason.self) { _ = try pair.server.openRTP(bytes, length: length) }
            }
        }
        for length in 0..<control.count {
            atTheEdge(Array(control.prefix(length))) { bytes in
                #expect(throws: DropReason.self) { _ = try pair.server.openRTCP(bytes, length: length) }
            }
        }
        // A length beyond the memory is refused, not believed.
        var whole = packet
        whole.withUnsafeMutableBytes { bytes in
            #expect(throws: DropReason.srtpTooShort) { _ = try pair.server.openRTP(bytes, length: bytes.count + 1) }
            return
        }
        #expect(try pair.server.open(packet) == SRTPPair.rtp(1, payload: 30))
    }

    @Test("hostile.jsonl: short SRTP and SRTCP are dropped under every profile")
    func hostile() throws {
        for entry in try Vectors.hostile(["srtp"]) {
            guard let text = entry["hex"] as? String else { continue }
            let bytes = hex(text)
            for profile in SRTPProfile.allCases {
                let pair = try SRTPPair(profile)
                #expect(pair.server.refusal(bytes) != nil)
                #expect(pair.server.refusal(bytes, control: true) != nil)
            }
        }
        for (_, bytes) in try Vectors.files("mediasoup-fuzz-crashes") {
            for profile in SRTPProfile.allCases {
                let pair = try SRTPPair(profile)
                #expect(pair.server.refusal(bytes) != nil)
                #expect(pair.server.refusal(bytes, control: true) != nil)
            }
        }
    }

    @Test("one changed bit anywhere is refused, and changes nothing", arguments: SRTPProfile.allCases)
    func tampering(profile: SRTPProfile) throws {
        let pair = try SRTPPair(profile)
        var packet = try pair.client.protect(SRTPPair.rtp(1, payload: 30))
        for index in packet.indices {
            packet[index] ^= 1 << UInt8(index % 8)
            #expect(pair.server.refusal(packet) != nil, "octet \(index)")
            packet[index] ^= 1 << UInt8(index % 8)
        }
        #expect(pair.server.refusal(packet) == nil)
        var control = try pair.client.protect(SRTPPair.rtcp, control: true)
        for index in control.indices {
            control[index] ^= 1 << UInt8(index % 8)
            #expect(pair.server.refusal(control, control: true) != nil, "octet \(index)")
            control[index] ^= 1 << UInt8(index % 8)
        }
        #expect(pair.server.refusal(control, control: true) == nil)
        #expect(pair.server.openedPackets == 2)
    }

    @Test("C32 ten thousand forged packets half a wrap ahead move nothing", arguments: SRTPProfile.allCases)
    func forged(profile: SRTPProfile) throws {
        let pair = try SRTPPair(profile)
        for sequence in 100..<110 {
            #expect(pair.server.refusal(try pair.client.protect(SRTPPair.rtp(sequence))) == nil)
        }
        for count in 0..<10_000 {
            let forged = SRTPPair.rtp((110 + 32_768 + count) & 0xFFFF, payload: 60)
            #expect(pair.server.refusal(forged) == .srtpAuthentication)
        }
        // As many SSRCs that nobody has.
        for ssrc in UInt32(0)..<1000 {
            #expect(pair.server.refusal(SRTPPair.rtp(1, ssrc: ssrc, payload: 60)) == .srtpAuthentication)
        }
        for sequence in 110..<200 {
            #expect(pair.server.refusal(try pair.client.protect(SRTPPair.rtp(sequence))) == nil)
        }
        #expect(pair.server.drops[.srtpAuthentication] == 11_000)
    }

    @Test(
        "C34 losses around a wrap: opened again at once while the gap is below 2^15",
        arguments: [1, 2, 100, 1000, 20_000, 32_000, 32_767])
    func wrap(gap: Int) throws {
        for profile in [SRTPProfile.aeadAES128GCM, .aes128CMSHA1_80] {
            let pair = try SRTPPair(profile)
            var packets: [[UInt8]] = []
            // The sender begins near the wrap, and the receiver's first packet is one of those.
            for index in 65_520..<(65_531 + gap + 40) {
                packets.append(try pair.client.protect(SRTPPair.rtp(index & 0xFFFF, payload: 20)))
            }
            #expect(pair.server.refusal(packets[10]) == nil)
            for packet in packets[(10 + gap)...] { #expect(pair.server.refusal(packet) == nil) }
        }
    }

    @Test("C34 a gap of more than 2^15 around a wrap is lost until there are new keys")
    func gapTooLong() throws {
        let pair = try SRTPPair(.aeadAES128GCM)
        #expect(pair.server.refusal(try pair.client.protect(SRTPPair.rtp(65_530))) == nil)
        for index in 65_531...(65_530 + 80_000) {
            let packet = try pair.client.protect(SRTPPair.rtp(index & 0xFFFF, payload: 20))
            if index >= 65_530 + 40_000 { #expect(pair.server.refusal(packet) != nil) }
        }
        let renewed = try SRTPPair(.aeadAES128GCM)
        #expect(renewed.server.refusal(try renewed.client.protect(SRTPPair.rtp(39_995))) == nil)
        // A sender that starts at the very wrap and loses that packet is another such case: it must start below 2^15.
        let young = try SRTPPair(.aeadAES128GCM)
        _ = try young.client.protect(SRTPPair.rtp(65_535))
        #expect(young.server.refusal(try young.client.protect(SRTPPair.rtp(0))) == .srtpAuthentication)
    }

    @Test(
        "C35 a packet protected again is the same packet; the directions have keys of their own",
        arguments: SRTPProfile.allCases)
    func repeats(profile: SRTPProfile) throws {
        let pair = try SRTPPair(profile)
        let first = try pair.client.protect(SRTPPair.rtp(7))
        for sequence in 8..<100 { _ = try pair.client.protect(SRTPPair.rtp(sequence)) }
        #expect(try pair.client.protect(SRTPPair.rtp(7)) == first)
        // The same SSRC and sequence number from the other side.
        #expect(try pair.server.protect(SRTPPair.rtp(7)) != first)
        // A packet from before the window cannot be protected any more.
        _ = try pair.client.protect(SRTPPair.rtp(2000))
        #expect(throws: DropReason.srtpReplay) { _ = try pair.client.protect(SRTPPair.rtp(7)) }
        // What one sends it does not take back.
        #expect(pair.client.refusal(first) == .srtpAuthentication)
    }

    @Test("the session without encryption leaves packets as they are and still checks lengths")
    func withoutEncryption() throws {
        let session = SRTPSession.noEncryptionForBenchmarks()
        #expect(session.profile == nil)
        #expect(try session.protect(SRTPPair.rtp(1)) == SRTPPair.rtp(1))
        #expect(try session.open(SRTPPair.rtp(1)) == SRTPPair.rtp(1))
        #expect(session.refusal([0x80, 0, 0]) == .srtpTooShort)
        // No profile number leads to a cipher that hides nothing (RFC 5764 section 4.1.2: 5 and 6 are NULL ciphers).
        #expect(SRTPProfile(rawValue: 5) == nil && SRTPProfile(rawValue: 6) == nil)
    }
}

import Foundation
import PetrelCore
import PetrelWire
import Testing

@Suite struct STUNMessageTests {
    // RFC 5769: facts, given there in hexadecimal.
    static let request21 =
        "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff"
        + "80290008932ff9b151263b36000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249"
        + "c1b571a280280004e57a3bcf"
    static let response22 =
        "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643"
        + "000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96"
    static let response23 =
        "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a1470113a9fa"
        + "a5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c"
    static let request24 =
        "000100602112a44278ad3433c6ad72c029da412e00060012e3839ee38388e383aae38383e382afe382b900000015001c"
        + "662f2f3439396b39353464364f4c33346f4c394653547679363473410014000b6578616d706c652e6f72670000080014"
        + "f67024656dd64a3e02b8e0712e85c9a28ca89666"
    static let password = Array("VOkJxbRl1RmTxUk/WvJxBt".utf8)
    static let id = STUNTransactionID(high: 0xB7E7_A701, low: 0xBC34_D686_FA87_DFAE)

    private func text(_ bytes: [UInt8], _ range: Range<Int>?) -> String? {
        range.map { String(decoding: bytes[$0], as: UTF8.self) }
    }

    @Test func rfc5769Section2_1() throws {
        let bytes = STUNVectors.bytes(hex: Self.request21)
        let message = try STUNVectors.parse(bytes)
        #expect(message.messageClass == .request && message.method == STUNMessage.binding)
        #expect(message.transaction == Self.id && message.length == 108)
        #expect(text(bytes, message.software) == "STUN test client")
        #expect(text(bytes, message.username) == "evtj:h6vY")
        #expect(message.priority == 1_845_494_271)
        #expect(message.iceControlled == 0x932F_F9B1_5126_3B36 && message.iceControlling == nil)
        #expect(message.hasFingerprint && !message.useCandidate && message.unknownRequiredCount == 0)
        #expect(try STUNVectors.isAuthentic(bytes, key: Self.password))
        #expect(try !STUNVectors.isAuthentic(bytes, key: Self.password + [0x20]))
    }

    @Test func rfc5769Sections2_2And2_3() throws {
        let four = STUNVectors.bytes(hex: Self.response22), six = STUNVectors.bytes(hex: Self.response23)
        #expect(try STUNVectors.parse(four).messageClass == .success)
        #expect(try STUNVectors.parse(four).xorMappedAddress == TransportAddress("192.0.2.1", port: 32853))
        #expect(
            try STUNVectors.parse(six).xorMappedAddress
                == TransportAddress("2001:db8:1234:5678:11:2233:4455:6677", port: 32853))
        #expect(try STUNVectors.isAuthentic(four, key: Self.password))
        #expect(try STUNVectors.isAuthentic(six, key: Self.password))
    }

    @Test func rfc5769Section2_4() throws {
        let bytes = STUNVectors.bytes(hex: Self.request24)
        let message = try STUNVectors.parse(bytes)
        #expect(text(bytes, message.username) == "マトリックス")
        #expect(text(bytes, message.realm) == "example.org")
        #expect(text(bytes, message.nonce) == "f//499k954d6OL34oL9FSTvy64sA")
        #expect(!message.hasFingerprint)
        // MD5("マトリックス:example.org:TheMatrIX"), by another implementation.
        #expect(try STUNVectors.isAuthentic(bytes, key: STUNVectors.bytes(hex: "e8ca7ad59d5eb0518e312911d2dab2a9")))
    }

    private func write(
        _ messageClass: STUNMessage.Class, _ id: STUNTransactionID, key: [UInt8] = password, fingerprint: Bool = true,
        room: Int = 600, _ body: (inout STUNWriter) -> Void
    ) -> [UInt8]? {
        var buffer = [UInt8](repeating: 0xC7, count: room)
        let length = buffer.withUnsafeMutableBytes { raw in
            var writer = STUNWriter(into: raw, messageClass, transaction: id)
            body(&writer)
            writer.appendIntegrity { STUNVectors.hmacSHA1($0, key: key) }
            if fingerprint { writer.appendFingerprint() }
            return writer.finish()
        }
        return length.map { Array(buffer[..<$0]) }
    }

    /// The vectors 2.1 to 2.3 pad with spaces; ours is zero, so that the expected octets were computed again from the
    /// vectors with another implementation. 2.4 is the vector itself.
    @Test func c17TheWriterMakesTheVectorsWithZeroPadding() {
        let request = write(.request, Self.id) { writer in
            writer.append(STUNAttributeType.software, Array("STUN test client".utf8))
            writer.append(STUNAttributeType.priority, UInt32(1_845_494_271))
            writer.append(STUNAttributeType.iceControlled, UInt64(0x932F_F9B1_5126_3B36))
            writer.append(STUNAttributeType.username, Array("evtj:h6vY".utf8))
        }
        #expect(
            request
                == STUNVectors.bytes(
                    hex:
                        "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001"
                        + "ff80290008932ff9b151263b36000600096576746a3a68367659000000000800147907c2d2edbfea480e4c76d82962"
                        + "d5c3742af9e380280004e352928d"))
        let four = write(.success, Self.id) { writer in
            writer.append(STUNAttributeType.software, Array("test vector".utf8))
            writer.appendXORMappedAddress(TransportAddress(ipv4: 0xC000_0201, port: 32853))
        }
        #expect(
            four
                == STUNVectors.bytes(
                    hex:
                        "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7200002000080001a147e112a6"
                        + "43000800145d6b58bead94e07eef0dfc1282a2bd08431410288028000425167a15"))
        let six = write(.success, Self.id) { writer in
            writer.append(STUNAttributeType.software, Array("test vector".utf8))
            writer.appendXORMappedAddress(
                TransportAddress(ipv6High: 0x2001_0DB8_1234_5678, low: 0x0011_2233_4455_6677, port: 32853))
        }
        #expect(
            six
                == STUNVectors.bytes(
                    hex:
                        "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7200002000140002a1470113a9"
                        + "faa5d3f179bc25f4b5bed2b9d900080014bd036d6a331750dfe2edc58e643455cff5c8e264802800044f260293"))
        let long = write(
            .request, STUNTransactionID(high: 0x78AD_3433, low: 0xC6AD_72C0_29DA_412E),
            key: STUNVectors.bytes(hex: "e8ca7ad59d5eb0518e312911d2dab2a9"), fingerprint: false
        ) { writer in
            writer.append(STUNAttributeType.username, Array("マトリックス".utf8))
            writer.append(STUNAttributeType.nonce, Array("f//499k954d6OL34oL9FSTvy64sA".utf8))
            writer.append(STUNAttributeType.realm, Array("example.org".utf8))
        }
        #expect(long == STUNVectors.bytes(hex: Self.request24))
    }

    @Test func theVectorFilesAreTheSame() throws {
        for (name, bytes) in STUNVectors.files("stun-rfc5769") where name.hasSuffix(".stun") {
            let known = [Self.request21, Self.response22, Self.response23, Self.request24].map(STUNVectors.bytes)
            #expect(known.contains(bytes), "\(name)")
        }
    }

    @Test func errorsAndUnknownAttributesRoundTrip() throws {
        let bytes = write(.error, Self.id) { writer in
            writer.appendErrorCode(420)
            writer.appendUnknownAttributes([0x7F0F, 0x0003, 0x7777])
        }
        let message = try STUNVectors.parse(bytes ?? [])
        #expect(message.messageClass == .error && message.errorCode == 420)
        #expect(message.unknownAttributes.map { Array((bytes ?? [])[$0]) } == [0x7F, 0x0F, 0, 3, 0x77, 0x77])
        #expect(message.unknownRequiredCount == 0)
    }

    @Test func allClassesAndMethodsRoundTrip() throws {
        for messageClass in [STUNMessage.Class.request, .indication, .success, .error] {
            for method in [UInt16(1), 0x003, 0x009, 0x0F0, 0xF0F, 0xFFF] {
                var buffer = [UInt8](repeating: 0, count: 20)
                buffer.withUnsafeMutableBytes {
                    _ = STUNWriter(into: $0, messageClass, method: method, transaction: Self.id)
                }
                let message = try STUNVectors.parse(buffer)
                #expect(message.messageClass == messageClass && message.method == method)
            }
        }
        #expect(STUNVectors.bytes(hex: Self.response22)[..<2] == [0x01, 0x01])
    }

    @Test func aMessageThatDoesNotFitIsGivenUp() {
        for room in 0..<100 {
            let bytes = write(.request, Self.id, room: room) { $0.append(STUNAttributeType.username, [1, 2, 3, 4, 5]) }
            #expect((bytes != nil) == (room >= 20 + 12 + 24 + 8), "\(room)")
        }
        #expect(write(.request, Self.id, room: 4000) { $0.append(0x8022, [UInt8](repeating: 1, count: 1300)) } == nil)
        #expect(write(.error, Self.id) { $0.appendErrorCode(200) } == nil)
    }

    @Test func c01LengthFieldAndCookie() {
        let good = STUNVectors.bytes(hex: Self.request21)
        func reason(_ change: (inout [UInt8]) -> Void) -> DropReason? {
            var bytes = good
            change(&bytes)
            do {
                _ = try bytes.withUnsafeBytes { try STUNMessage(parsing: $0.bytes) }
                return nil
            } catch {
                return error as? DropReason
            }
        }
        #expect(reason { _ in } == nil)
        for length in [0, 1, 3, 0x54, 0x57, 0x59, 0x5C, 0xFFFC, 0xFFFF] {
            #expect(
                reason {
                    $0[2] = UInt8(length >> 8); $0[3] = UInt8(length & 255)
                } == .badLength, "\(length)")
        }
        #expect(reason { $0[4] = 0x20 } == .stunBadCookie)
        #expect(reason { $0[0] = 0x40 } == .badValue)
        #expect(reason { $0[0] = 0x80 } == .badValue)
        for count in 0..<20 { #expect(reason { $0.removeLast($0.count - count) } == .truncated) }
        for count in 20..<108 { #expect(reason { $0.removeLast($0.count - count) } == .badLength) }
        for bit in 0..<(8 * 108) where !(16..<64).contains(bit) && bit >= 2 {
            // Whatever is changed, FINGERPRINT (or its absence) tells.
            let changed = reason { $0[bit / 8] ^= 0x80 >> UInt8(bit % 8) }
            if changed == nil {
                var bytes = good
                bytes[bit / 8] ^= 0x80 >> UInt8(bit % 8)
                #expect((try? STUNVectors.parse(bytes).hasFingerprint) == false, "bit \(bit)")
            }
        }
    }

    @Test func c02AttributesOfTheWrongShape() {
        func reason(_ attributes: [UInt8]) -> DropReason? {
            let header: [UInt8] =
                [0, 1, UInt8(attributes.count >> 8), UInt8(attributes.count & 255), 0x21, 0x12, 0xA4, 0x42]
                + [UInt8](repeating: 7, count: 12)
            let bytes = header + attributes
            do {
                _ = try bytes.withUnsafeBytes { try STUNMessage(parsing: $0.bytes) }
                return nil
            } catch {
                return error as? DropReason
            }
        }
        func attribute(_ type: UInt16, _ count: Int) -> [UInt8] {
            [UInt8(type >> 8), UInt8(type & 255), UInt8(count >> 8), UInt8(count & 255)]
                + [UInt8](repeating: 1, count: (count + 3) & ~3)
        }
        #expect(reason([]) == nil)
        #expect(reason(attribute(STUNAttributeType.username, 0)) == nil, "empty, but well formed")
        for count in [3, 5, 0, 8] { #expect(reason(attribute(STUNAttributeType.fingerprint, count)) == .badLength) }
        for count in [19, 21, 16, 0, 24] {
            #expect(reason(attribute(STUNAttributeType.messageIntegrity, count)) == .badLength)
        }
        for count in [0, 3, 7, 9, 12, 19, 21] {
            #expect(reason(attribute(STUNAttributeType.xorMappedAddress, count)) == .badLength, "\(count)")
        }
        for family in [0, 3, 255] as [UInt8] {
            #expect(reason([0, 0x20, 0, 8, 0, family, 1, 1, 1, 1, 1, 1]) == .badValue)
            #expect(reason([0, 0x01, 0, 8, 0, family, 1, 1, 1, 1, 1, 1]) == .badValue)
        }
        for count in [0, 3, 5, 8] { #expect(reason(attribute(STUNAttributeType.priority, count)) == .badLength) }
        for count in [0, 4, 7, 9] { #expect(reason(attribute(STUNAttributeType.iceControlling, count)) == .badLength) }
        #expect(reason(attribute(STUNAttributeType.useCandidate, 1)) == .badLength)
        #expect(reason([0, 6, 0, 6, 1, 2, 3, 4]) == .badLength, "overrun")
        #expect(reason([0, 6, 0xFF, 0xFF]) == .badLength)
        #expect(reason([0, 9, 0, 4, 0, 0, 2, 0]) == .badValue, "class 2")
        #expect(reason([0, 9, 0, 4, 0, 0, 7, 0]) == .badValue, "class 7")
        #expect(reason([0, 9, 0, 4, 0, 0, 4, 100]) == .badValue)
        #expect(reason([UInt8]((0..<32).flatMap { _ in [0xC0, 1, 0, 0] as [UInt8] })) == nil)
        #expect(reason([UInt8]((0..<33).flatMap { _ in [0xC0, 1, 0, 0] as [UInt8] })) == .tooMany)
        #expect(reason([UInt8]((0..<1000).flatMap { _ in [0xC0, 1, 0, 0] as [UInt8] })) == .datagramTooLong)
    }

    @Test func c03WhatFollowsMessageIntegrityIsNotRead() throws {
        var buffer = [UInt8](repeating: 0, count: 300)
        let length = buffer.withUnsafeMutableBytes { raw in
            var writer = STUNWriter(into: raw, .request, transaction: Self.id)
            writer.append(STUNAttributeType.username, Array("a:b".utf8))
            writer.appendIntegrity { STUNVectors.hmacSHA1($0, key: Self.password) }
            writer.append(STUNAttributeType.useCandidate)
            writer.append(STUNAttributeType.priority, UInt32(5))
            writer.append(0x7F0F, [1, 2, 3])
            writer.appendFingerprint()
            return writer.finish() ?? 0
        }
        let bytes = Array(buffer[..<length])
        let message = try STUNVectors.parse(bytes)
        #expect(!message.useCandidate && message.priority == nil && message.unknownRequiredCount == 0)
        #expect(message.hasFingerprint)
        #expect(try STUNVectors.isAuthentic(bytes, key: Self.password))
    }

    @Test func c07UnknownRequiredTypesAreListedOnce() throws {
        let bytes = write(.request, Self.id) { writer in
            for type in [0x7F0F, 0x0030, 0x7F0F, 0xC057] as [UInt16] { writer.append(type, [1]) }
        }
        #expect(try STUNVectors.parse(bytes ?? []).unknownRequiredTypes == [0x7F0F, 0x0030])
    }

    @Test func corporaAndTheirMutationsParseOrThrow() throws {
        var seeds = STUNVectors.files("libwebrtc-fuzz/stun") + STUNVectors.files("pion-fuzz/stun")
        for (name, bytes) in seeds where name == "frombrowsers.csv" {
            // Messages that browsers sent, in base64.
            for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n").dropFirst() {
                let columns = line.split(separator: ",")
                guard columns.count > 1, let data = Data(base64Encoded: String(columns[1])) else { continue }
                #expect(throws: Never.self, "\(columns[0])") { _ = try STUNVectors.parse(Array(data)) }
                seeds.append((String(columns[0]), Array(data)))
            }
        }
        seeds.append(("2.1", STUNVectors.bytes(hex: Self.request21)))
        seeds.append(("2.3", STUNVectors.bytes(hex: Self.response23)))
        var random = RandomSource(seed: 1)
        var parsed = 0
        for (_, bytes) in seeds {
            if (try? STUNVectors.parse(bytes)) != nil { parsed += 1 }
            for _ in 0..<500 where !bytes.isEmpty {
                var mutant = bytes
                for _ in 0..<(1 + Int(random.next() % 4)) {
                    let place = Int(random.next() % UInt64(mutant.count))
                    mutant[place] = UInt8(truncatingIfNeeded: random.next())
                }
                if random.next() % 4 == 0 { mutant.removeLast(Int(random.next() % UInt64(mutant.count))) }
                guard let message = try? STUNVectors.parse(mutant) else { continue }
                #expect(message.length == mutant.count)
                for range in [
                    message.username, message.software, message.realm, message.nonce, message.errorReason,
                    message.unknownAttributes,
                ] {
                    if let range { #expect(range.lowerBound >= 20 && range.upperBound <= mutant.count) }
                }
                _ = try STUNVectors.isAuthentic(mutant, key: [1])
            }
        }
        print("STUN corpora: \(parsed) of \(seeds.count) are well formed")
    }
}

import PetrelCore
import PetrelWire
import Testing

@Suite("RTX")
struct RTXTests {
    private func wrap(_ packet: [UInt8], size: Int = 100) throws -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: size)
        let header = try rtp(packet)
        let length = buffer.withUnsafeMutableBytes {
            RTX.wrap(
                packet.span.bytes, header: header, into: $0, payloadType: 97, sequenceNumber: 0x0909,
                ssrc: 0x0A0B_0C0D)
        }
        return length.map { Array(buffer[..<$0]) }
    }

    private func unwrap(_ packet: [UInt8], size: Int = 100) throws(DropReason) -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: size)
        let header = try rtp(packet)
        var result: Result<Int?, DropReason> = .success(nil)
        buffer.withUnsafeMutableBytes { buffer in
            result = outcome { () throws(DropReason) in
                try RTX.unwrap(packet.span.bytes, header: header, into: buffer, payloadType: 96, ssrc: 0x11)
            }
        }
        return try result.get().map { Array(buffer[..<$0]) }
    }

    @Test("wrapping, by hand from RFC 4588 section 4")
    func wrapping() throws {
        let original = hex("90e0 1234 00000005 00000011 bede0001 10300000 aabbcc")
        #expect(try wrap(original) == hex("90e1 0909 00000005 0a0b0c0d bede0001 10300000 1234 aabbcc"))
        #expect(try unwrap(try #require(try wrap(original))) == original)
    }

    @Test("padding of the original is removed, and of the retransmission too")
    func padding() throws {
        #expect(try wrap(hex("a060 1234 00000005 00000011 aabb 0002")) == hex("8061 0909 00000005 0a0b0c0d 1234 aabb"))
        #expect(
            try unwrap(hex("a061 0909 00000005 0a0b0c0d 1234 aabb 0002")) == hex("8060 1234 00000005 00000011 aabb"))
    }

    @Test("packets without an original (C38)")
    func withoutOriginal() throws {
        #expect(try unwrap(hex("a061 0909 00000005 0a0b0c0d 00000004")) == nil)
        #expect(throws: DropReason.payloadEmpty) { try unwrap(hex("8061 0909 00000005 0a0b0c0d")) }
        #expect(throws: DropReason.payloadMalformed) { try unwrap(hex("8061 0909 00000005 0a0b0c0d 12")) }
        #expect(throws: DropReason.payloadMalformed) { try unwrap(hex("a061 0909 00000005 0a0b0c0d 12 02 02")) }
        #expect(try unwrap(hex("8061 0909 00000005 0a0b0c0d 1234")) == hex("8060 1234 00000005 00000011"))
    }

    @Test("the original sequence number alone")
    func numberAlone() {
        var buffer: [UInt8] = [0, 0, 0xEE]
        #expect(buffer.withUnsafeMutableBytes { RTX.write(originalSequenceNumber: 0x1234, into: $0) } == 2)
        #expect(buffer == [0x12, 0x34, 0xEE])
        let short = buffer.withUnsafeMutableBytes {
            RTX.write(originalSequenceNumber: 1, into: .init(rebasing: $0[..<1]))
        }
        #expect(short == nil)
    }

    @Test("buffers that are too short")
    func short() throws {
        let original = hex("8060 1234 00000005 00000011 aabbcc")
        for size in 0..<17 { #expect(try wrap(original, size: size) == nil) }
        let packet = try #require(try wrap(original, size: 17))
        for size in 0..<15 { #expect(throws: DropReason.badLength) { try unwrap(packet, size: size) } }
        #expect(try unwrap(packet, size: 15) == original)
    }

    @Test("a layout of another packet is refused, not believed")
    func foreignLayout() throws {
        let header = try rtp(hex("8061 0909 00000005 0a0b0c0d 1234 aabbccdd"))
        let other = hex("8061 0909 00000005 0a0b0c0d 12")
        #expect(throws: DropReason.payloadMalformed) {
            try RTX.originalSequenceNumber(in: other.span.bytes, header: header)
        }
    }

    @Test("the corpus fec-rtx-red, kind rtx-rfc4588")
    func corpus() throws {
        guard let list = try Vectors.objects("fec-rtx-red/vectors.json").first?["vectors"] as? [[String: Any]] else {
            return
        }
        let entries = list.filter { $0["kind"] as? String == "rtx-rfc4588" }
        #expect(!entries.isEmpty)
        for entry in entries {
            let original = hex(try #require(entry["original"] as? String))
            let packet = hex(try #require(entry["rtx"] as? String))
            let header = try rtp(packet)
            let originalHeader = try rtp(original)
            #expect(
                try RTX.originalSequenceNumber(in: packet.span.bytes, header: header)
                    == originalHeader.sequenceNumber)
            var buffer = [UInt8](repeating: 0, count: 1500)
            let wrapped = buffer.withUnsafeMutableBytes {
                RTX.wrap(
                    original.span.bytes, header: originalHeader, into: $0, payloadType: header.payloadType,
                    sequenceNumber: header.sequenceNumber, ssrc: header.ssrc)
            }
            #expect(Array(buffer[..<(wrapped ?? 0)]) == packet)
            let unwrapped = try buffer.withUnsafeMutableBytes {
                try RTX.unwrap(
                    packet.span.bytes, header: header, into: $0, payloadType: originalHeader.payloadType,
                    ssrc: originalHeader.ssrc)
            }
            #expect(Array(buffer[..<(unwrapped ?? 0)]) == original)
        }
    }
}

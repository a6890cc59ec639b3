import PetrelCore
import PetrelWire
import Testing

@Suite("RTP header")
struct RTPHeaderTests {
    @Test("every field of a packet with sources, extension and padding")
    func allFields() throws {
        // V=2 P=1 X=1 CC=2, M=1 PT=96
        let bytes = hex("b2e0 1234 89abcdef 01020304 0000000a 0000000b bede0001 10ff0000 aabbcc 000003")
        let header = try rtp(bytes)
        #expect(header.marker)
        #expect(header.payloadType == 96)
        #expect(header.sequenceNumber == 0x1234)
        #expect(header.timestamp == 0x89AB_CDEF)
        #expect(header.ssrc == 0x0102_0304)
        #expect(header.csrcCount == 2)
        #expect(header.csrc(1, in: bytes.span.bytes) == 0x0B)
        #expect(header.csrc(2, in: bytes.span.bytes) == nil)
        #expect(header.csrc(-1, in: bytes.span.bytes) == nil)
        #expect(header.csrc(1, in: Array(bytes[..<16]).span.bytes) == nil)
        #expect(header.hasExtension)
        #expect(header.extensionProfile == 0xBEDE)
        #expect(header.extensionOffset == 24)
        #expect(header.extensionLength == 4)
        #expect(header.headerLength == 28)
        #expect(header.payloadRange == 28..<31)
        #expect(header.paddingLength == 3)
        #expect(header.packetLength == bytes.count)

        let encrypted = try RTPHeader(parsingHeaderOf: bytes.span.bytes)
        #expect(encrypted.payloadLength == 6)
        #expect(encrypted.paddingLength == 0)
        #expect(encrypted.headerLength == 28)
    }

    @Test("packets that must not be used (RFC 3550 appendix A.1)")
    func malformed() {
        let cases: [(String, DropReason)] = [
            ("", .truncated),
            ("8060 0001 00000000 000000", .truncated),
            ("4060 0001 00000000 00000000", .badVersion),
            ("0060 0001 00000000 00000000", .badVersion),
            ("c060 0001 00000000 00000000", .badVersion),
            ("8160 0001 00000000 00000000", .truncated),
            ("8f60 0001 00000000 00000000 0000", .truncated),
            ("9060 0001 00000000 00000000", .rtpBadExtension),
            ("9060 0001 00000000 00000000 bede", .rtpBadExtension),
            ("9060 0001 00000000 00000000 bede0001", .rtpBadExtension),
            ("9060 0001 00000000 00000000 bedeffff 00000000", .rtpBadExtension),
            ("a060 0001 00000000 00000000", .rtpBadPadding),
            ("a060 0001 00000000 00000000 00", .rtpBadPadding),
            ("a060 0001 00000000 00000000 aa03", .rtpBadPadding),
            ("b060 0001 00000000 00000000 bede0001 00000005", .rtpBadPadding),
            ("8040 0001 00000000 00000000", .rtpUnknownPayloadType),
            ("805f 0001 00000000 00000000", .rtpUnknownPayloadType),
            ("80c8 0001 00000000 00000000", .rtpUnknownPayloadType),
        ]
        for (text, reason) in cases {
            let bytes = hex(text)
            #expect(throws: reason, "\(text)") { try rtp(bytes) }
        }
        let long = hex("8060 0001 00000000 00000000") + [UInt8](repeating: 0, count: 65_536)
        #expect(throws: DropReason.datagramTooLong) { try rtp(long) }
    }

    @Test("padding that is the whole payload is a probe")
    func paddingOnly() throws {
        let header = try rtp(hex("a060 0001 00000000 00000000 00000004"))
        #expect(header.payloadLength == 0)
        #expect(header.paddingLength == 4)
    }

    @Test("an empty extension and an empty payload are legal")
    func empty() throws {
        #expect(try rtp(hex("8060 0001 00000000 00000000")).payloadLength == 0)
        let header = try rtp(hex("9060 0001 00000000 00000000 bede0000"))
        #expect(header.hasExtension)
        #expect(header.extensionLength == 0)
        #expect(header.headerLength == 16)
    }

    @Test("padding is not judged before decryption")
    func encryptedPadding() throws {
        let bytes = hex("a060 0001 00000000 00000000 00")
        #expect(try RTPHeader(parsingHeaderOf: bytes.span.bytes).payloadLength == 1)
    }

    @Test("writing gives the bytes of the standard's figure")
    func writing() {
        var packet = [UInt8](repeating: 0xEE, count: 16)
        let length = packet.withUnsafeMutableBytes {
            RTPHeader.write(
                into: $0, marker: true, payloadType: 111, sequenceNumber: 0xFFFE, timestamp: 0xDEAD_BEEF,
                ssrc: 0x1122_3344, hasPadding: true)
        }
        #expect(length == 12)
        #expect(packet == hex("a0ef fffe deadbeef 11223344 eeeeeeee"))
        let short = packet.withUnsafeMutableBytes {
            RTPHeader.write(
                into: .init(rebasing: $0[..<11]), payloadType: 1, sequenceNumber: 1, timestamp: 1, ssrc: 1)
        }
        #expect(short == nil)
        packet.withUnsafeMutableBytes {
            RTPHeader.patch(sequenceNumber: 0x0102, in: $0)
            RTPHeader.patch(timestamp: 0x0304_0506, in: $0)
            RTPHeader.patch(ssrc: 0x0708_090A, payloadType: 0x7F, in: $0)
        }
        #expect(packet == hex("a0ff 0102 03040506 0708090a eeeeeeee"))
    }

    @Test("what is written is read back")
    func roundTrip() throws {
        var random = SeededGenerator(seed: 3550)
        for _ in 0..<2000 {
            var payloadType = UInt8.random(in: 0...127, using: &random)
            if (64...95).contains(payloadType) { payloadType -= 64 }
            let marker = Bool.random(using: &random)
            let number = UInt16.random(in: .min ... .max, using: &random)
            let timestamp = UInt32.random(in: .min ... .max, using: &random)
            let ssrc = UInt32.random(in: .min ... .max, using: &random)
            var packet = [UInt8](repeating: 0, count: 40)
            var offsets = RTPExtensionOffsets()
            var elements = packet.mutableSpan
            var span = elements.mutableBytes
            let length = RTPHeader.write(
                into: &span, marker: marker, payloadType: payloadType, sequenceNumber: number, timestamp: timestamp,
                ssrc: ssrc, extensions: RTPExtensions(transportSequenceNumber: number),
                map: .init(transportSequenceNumber: 3),
                offsets: &offsets)
            #expect(length == 20)
            let header = try rtp(packet)
            #expect(header.marker == marker)
            #expect(header.payloadType == payloadType)
            #expect(header.sequenceNumber == number)
            #expect(header.timestamp == timestamp)
            #expect(header.ssrc == ssrc)
            #expect(header.payloadRange == 20..<40)
        }
    }
}

import PetrelCore
import PetrelWire
import Testing

@Suite("RTP header extensions")
struct RTPExtensionsTests {
    static let map = RTPExtensionMap(
        mid: 1, rid: 2, absSendTime: 3, transportSequenceNumber: 4, absCaptureTime: 5, audioLevel: 6)

    static let all = RTPExtensions(
        mid: ShortToken("audio-0"), rid: ShortToken("hi"), absSendTime: AbsSendTime(bits: 0x123456),
        transportSequenceNumber: 0xABCD,
        absCaptureTime: AbsCaptureTime(captureTime: NTPTime(bits: 0x0102_0304_0506_0708), clockOffset: -2),
        audioLevel: AudioLevel(level: 42, isVoice: true))

    /// A packet whose extension block has this profile and content.
    private func packet(_ profile: String, _ content: String) -> [UInt8] {
        let words = (hex(content).count + 3) / 4
        let padding = [UInt8](repeating: 0, count: words * 4 - hex(content).count)
        return hex("9060 0001 00000000 00000000" + profile) + [UInt8(words >> 8), UInt8(words & 255)] + hex(content)
            + padding + hex("aabbcc")
    }

    private func read(_ packet: [UInt8], _ map: RTPExtensionMap = Self.map) throws -> RTPExtensions {
        RTPExtensions(reading: packet.span.bytes, header: try rtp(packet), map: map)
    }

    /// A written packet and where its extensions lie.
    private func write(
        _ extensions: RTPExtensions, _ map: RTPExtensionMap, size: Int = 200
    ) -> (bytes: [UInt8], offsets: RTPExtensionOffsets)? {
        var bytes = [UInt8](repeating: 0xEE, count: size)
        var offsets = RTPExtensionOffsets()
        let length = bytes.withUnsafeMutableBytes {
            RTPHeader.write(
                into: $0, payloadType: 96, sequenceNumber: 1, timestamp: 2, ssrc: 3, extensions: extensions, map: map,
                offsets: &offsets)
        }
        guard let length else { return nil }
        return (Array(bytes[..<length]), offsets)
    }

    @Test("one-byte form, by hand from RFC 8285 section 4.2")
    func oneByte() throws {
        let read = try read(packet("bede", "10 30  32 123456  41 abcd  60 aa 00 00"))
        #expect(read.mid.map { $0 == "0" } == true)
        #expect(read.absSendTime?.bits == 0x123456)
        #expect(read.transportSequenceNumber == 0xABCD)
        #expect(read.audioLevel == AudioLevel(level: 0x2A, isVoice: true))
        #expect(read.rid == nil)
        #expect(read.absCaptureTime == nil)
    }

    @Test("two-byte form, by hand from RFC 8285 section 4.3, with every value of appbits")
    func twoByte() throws {
        for appbits in "0123456789abcdef" {
            let read = try read(packet("100\(appbits)", "04 02 abcd 00 05 08 0102030405060708 06 01 2a"))
            #expect(read.transportSequenceNumber == 0xABCD)
            #expect(read.absCaptureTime == AbsCaptureTime(captureTime: NTPTime(bits: 0x0102_0304_0506_0708)))
            #expect(read.audioLevel == AudioLevel(level: 42, isVoice: false))
        }
        #expect(try read(packet("1100", "04 02 abcd")) == RTPExtensions())
        #expect(try read(packet("0fff", "04 02 abcd")) == RTPExtensions())
    }

    @Test("the bad extension is ignored alone (one-byte form)")
    func ignoredAlone() throws {
        let good = "41 abcd"
        let number = RTPExtensions(transportSequenceNumber: 0xABCD)
        // abs-send-time of 2 and 4 bytes, sequence number of 3, audio level of 2, capture time of 9, MID not a token
        for bad in ["31 1234", "33 12345678", "61 aabb", "58 010203040506070809", "10 00", "11 c328", "10 22"] {
            #expect(try read(packet("bede", bad + good)) == number, "\(bad) before")
            #expect(try read(packet("bede", good + bad)) == number, "\(bad) behind")
        }
        #expect(try read(packet("bede", "42 010203" + "60 2a")).transportSequenceNumber == nil)
        // unknown ids
        #expect(try read(packet("bede", "73 01020304 e0 01" + good)) == number)
        // id 0 with a length and id 15 end the reading, but not the packet
        #expect(try read(packet("bede", good + "03 11223344 60 2a")) == number)
        #expect(try read(packet("bede", good + "f0 01 60 2a")) == number)
        #expect(try read(packet("bede", "f0 01" + good)) == RTPExtensions())
        // an element over the end
        #expect(try read(packet("bede", good + "1f")) == number)
        #expect(try read(packet("bede", "00 00 41")) == RTPExtensions())
    }

    @Test("the bad extension is ignored alone (two-byte form)")
    func ignoredAloneTwoByte() throws {
        let number = RTPExtensions(transportSequenceNumber: 0xABCD)
        let good = "0402abcd"
        for bad in ["0100", "0302 1234", "0600", "0500", "0f01aa", "ff00"] {
            #expect(try read(packet("1000", bad + good)) == number, "\(bad) before")
            #expect(try read(packet("1000", good + bad)) == number, "\(bad) behind")
        }
        let long = "01c8" + String(repeating: "61", count: 200)
        #expect(try read(packet("1000", long + good)) == number)
        #expect(try read(packet("1000", good + "01ff 61616161")) == number)
        #expect(try read(packet("1000", good + "000000 01")) == number)
    }

    @Test("a MID of 16 bytes is the longest")
    func longMID() throws {
        let text = "abcdefghijklmnop"
        let sixteen = text.utf8.map { String($0, radix: 16) }.joined()
        #expect(try read(packet("bede", "1f" + sixteen)).mid == ShortToken(text))
        #expect(try read(packet("1000", "0110" + sixteen)).mid == ShortToken(text))
        #expect(try read(packet("1000", "0111" + sixteen + "71")).mid == nil)
    }

    @Test("everything at once, in both forms, is read back")
    func roundTripAll() throws {
        for (map, profile) in [(Self.map, "bede"), (higher(Self.map), "1000")] {
            let written = try #require(write(Self.all, map))
            #expect(written.bytes.count == 12 + Self.all.writtenLength(map: map))
            #expect(written.bytes.count == RTPHeader.writtenLength(extensions: Self.all, map: map))
            #expect(Array(written.bytes[12..<14]) == hex(profile))
            #expect(try read(written.bytes, map) == Self.all)
            #expect(try rtp(written.bytes).headerLength == written.bytes.count)
        }
    }

    private func higher(_ map: RTPExtensionMap) -> RTPExtensionMap {
        var map = map
        map.audioLevel = 200
        return map
    }

    @Test("exact bytes in the one-byte form")
    func exactBytes() throws {
        let extensions = RTPExtensions(
            mid: ShortToken("7"), absSendTime: AbsSendTime(bits: 0xAABBCC), transportSequenceNumber: 0x0102,
            audioLevel: AudioLevel(level: 127, isVoice: false))
        let written = try #require(write(extensions, Self.map))
        #expect(
            written.bytes
                == hex("9060 0001 00000002 00000003 bede0003 41 0102 32 aabbcc 10 37 60 7f 00".replacing(" ", with: ""))
        )
    }

    @Test("nothing negotiated or nothing present writes no block")
    func nothing() throws {
        #expect(try #require(write(Self.all, .none)).bytes == hex("8060 0001 00000002 00000003"))
        #expect(try #require(write(RTPExtensions(), Self.map)).bytes.count == 12)
        #expect(Self.all.writtenLength(map: .none) == 0)
    }

    @Test("a buffer that is too short is left by nil")
    func short() throws {
        let full = try #require(write(Self.all, Self.map)).bytes.count
        for size in 0..<full { #expect(write(Self.all, Self.map, size: size) == nil) }
        #expect(write(Self.all, Self.map, size: full) != nil)
    }

    @Test("abs-send-time and transport number are patched where they lie")
    func patching() throws {
        for map in [Self.map, higher(Self.map)] {
            var (bytes, offsets) = try #require(write(Self.all, map))
            bytes.withUnsafeMutableBytes {
                offsets.patch(absSendTime: AbsSendTime(bits: 0xFFFFFE), in: $0)
                offsets.patch(transportSequenceNumber: 0xFFFD, in: $0)
            }
            var expected = Self.all
            expected.absSendTime = AbsSendTime(bits: 0xFFFFFE)
            expected.transportSequenceNumber = 0xFFFD
            #expect(try read(bytes, map) == expected)
        }
        // Absent: nothing is touched.
        var (bytes, offsets) = try #require(write(RTPExtensions(mid: ShortToken("0")), Self.map))
        let before = bytes
        bytes.withUnsafeMutableBytes {
            offsets.patch(absSendTime: AbsSendTime(bits: 1), in: $0)
            offsets.patch(transportSequenceNumber: 1, in: $0)
        }
        #expect(bytes == before)
    }

    @Test("random subsets of extensions with random ids are read back")
    func roundTripRandom() throws {
        var random = SeededGenerator(seed: 8285)
        for _ in 0..<3000 {
            let top: UInt8 = Bool.random(using: &random) ? 14 : 255
            var ids = Set<UInt8>()
            while ids.count < 6 { ids.insert(UInt8.random(in: 1...top, using: &random)) }
            let id = ids.sorted()
            let map = RTPExtensionMap(
                mid: id[0], rid: id[1], absSendTime: id[2], transportSequenceNumber: id[3], absCaptureTime: id[4],
                audioLevel: id[5])
            var value = RTPExtensions()
            if Bool.random(using: &random) { value.mid = token(&random) }
            if Bool.random(using: &random) { value.rid = token(&random) }
            if Bool.random(using: &random) {
                value.absSendTime = AbsSendTime(bits: UInt32.random(in: 0...0xFF_FFFF, using: &random))
            }
            if Bool.random(using: &random) {
                value.transportSequenceNumber = UInt16.random(in: .min ... .max, using: &random)
            }
            if Bool.random(using: &random) {
                value.absCaptureTime = AbsCaptureTime(
                    captureTime: NTPTime(bits: random.next()),
                    clockOffset: Bool.random(using: &random) ? Int64(bitPattern: random.next()) : nil)
            }
            if Bool.random(using: &random) {
                value.audioLevel = AudioLevel(
                    level: UInt8.random(in: 0...127, using: &random), isVoice: Bool.random(using: &random))
            }
            let written = try #require(write(value, map))
            #expect(written.bytes.count % 4 == 0)
            #expect(try read(written.bytes, map) == value)
        }
    }

    private func token(_ random: inout SeededGenerator) -> ShortToken? {
        let letters = Array("abcXYZ019-_.~!".utf8)
        let count = Int.random(in: 1...16, using: &random)
        return ShortToken((0..<count).map { _ in letters.randomElement(using: &random) ?? 0x61 })
    }

    @Test("cut and flipped packets never trap")
    func hostile() throws {
        for map in [Self.map, higher(Self.map)] {
            let written = try #require(write(Self.all, map)).bytes + hex("10203040")
            mutations(of: written, readEverything)
        }
    }

    @Test("URIs enter the map")
    func uris() {
        var map = RTPExtensionMap()
        let known: [(UInt8, String)] = [
            (4, "urn:ietf:params:rtp-hdrext:sdes:mid"),
            (5, "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"),
            (6, "urn:ietf:params:rtp-hdrext:ssrc-audio-level"),
            (7, "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"),
            (8, "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time"),
            (9, "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"),
        ]
        for (id, uri) in known {
            let isKnown = map.set(id, for: uri)
            #expect(isKnown)
        }
        let unknown = map.set(3, for: "urn:ietf:params:rtp-hdrext:toffset")
        let zero = map.set(0, for: RTPExtensionURI.mid)
        #expect(!unknown && !zero)
        #expect(
            map
                == RTPExtensionMap(
                    mid: 4, rid: 9, absSendTime: 7, transportSequenceNumber: 5, absCaptureTime: 8, audioLevel: 6))
    }
}

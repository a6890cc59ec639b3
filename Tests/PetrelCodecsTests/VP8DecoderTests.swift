import PetrelCodecs
import PetrelCore
import Testing

@Suite("VP8 decoder")
struct VP8DecoderTests {
    /// A key frame's beginning that claims a size, then `rest` bytes of nothing (RFC 6386 section 9.1).
    static func claim(width: Int, height: Int, rest: Int = 64) -> [UInt8] {
        let tag = 0 | 1 << 4 | rest << 5
        return [
            UInt8(tag & 255), UInt8(tag >> 8 & 255), UInt8(tag >> 16 & 255), 0x9D, 0x01, 0x2A, UInt8(width & 255),
            UInt8(width >> 8), UInt8(height & 255), UInt8(height >> 8),
        ] + [UInt8](repeating: 0, count: rest)
    }

    static func decode(_ decoder: VP8Decoder, _ bytes: [UInt8]) -> Result<Bool, CodecError> {
        bytes.withUnsafeBytes { bytes in
            do throws(CodecError) { return .success(try decoder.decode(bytes)) } catch { return .failure(error) }
        }
    }

    @Test(
        "A key frame that claims too much is refused before libvpx allocates",
        arguments: [(16383, 16383), (4097, 4096)])
    func refusesSize(width: Int, height: Int) throws {
        let decoder = try VP8Decoder()
        let before = residentKilobytes("VmHWM:")
        for _ in 0..<20 {
            let result = Self.decode(decoder, Self.claim(width: width, height: height))
            #expect(result == .failure(CodecError(.decode, .pictureSize(width: width, height: height))))
        }
        // One picture of 16383x16383 alone would be 402 MB.
        #expect(residentKilobytes("VmHWM:") - before < 100_000)
        #expect(decoder.needsKeyFrame)
        #expect(CodecError(.decode, .pictureSize(width: width, height: height)).dropReason == .pictureTooLarge)
    }

    @Test("A key frame without a size is no frame", arguments: [(0, 0), (0, 720), (1280, 0)])
    func refusesNothing(width: Int, height: Int) throws {
        let decoder = try VP8Decoder()
        let result = Self.decode(decoder, Self.claim(width: width, height: height))
        #expect(result == .failure(CodecError(.decode, .malformed)))
        #expect(decoder.needsKeyFrame)
    }

    @Test("The limit is on the area and can be set")
    func limit() throws {
        let decoder = try VP8Decoder(maximumArea: 320 * 240)
        let refused = CodecError(.decode, .pictureSize(width: 640, height: 240))
        #expect(Self.decode(decoder, Self.claim(width: 640, height: 240)) == .failure(refused))
        let small = try encodeOne(width: 320, height: 240)
        #expect(Self.decode(decoder, small) == .success(true))
        #expect(decoder.withPicture { [$0.width, $0.height] } == [320, 240])
        // The claim of a larger size in between leaves the decoder waiting for a key frame, and it recovers.
        #expect(Self.decode(decoder, Self.claim(width: 640, height: 240)) == .failure(refused))
        #expect(decoder.withPicture { $0.width } == nil)
        #expect(Self.decode(decoder, small) == .success(true))
    }

    @Test("The size may change with every key frame")
    func resize() throws {
        let decoder = try VP8Decoder()
        var pool = I420BufferPool(limit: 2)
        for (width, height) in [(176, 144), (1, 1), (641, 361), (16, 16), (33, 17)] {
            #expect(Self.decode(decoder, try encodeOne(width: width, height: height)) == .success(true))
            let picture = try #require(decoder.copy(from: &pool))
            #expect(picture.width == width && picture.height == height)
        }
    }

    @Test("The memory of a large picture returns with the next small one")
    func memoryReturns() throws {
        let decoder = try VP8Decoder()
        let small = try encodeOne(width: 16, height: 16)
        #expect(Self.decode(decoder, small) == .success(true))
        let before = residentKilobytes("VmRSS:")
        for _ in 0..<4 {
            _ = Self.decode(decoder, Self.claim(width: 4096, height: 4096))
            #expect(Self.decode(decoder, small) == .success(true))
        }
        // Each time libvpx makes pictures of 25 MB, several of them.
        #expect(residentKilobytes("VmRSS:") - before < 60_000)
    }

    @Test("Without a key frame first, other frames are refused")
    func needsKeyFrame() throws {
        let decoder = try VP8Decoder()
        #expect(Self.decode(decoder, []) == .failure(CodecError(.decode, .emptyPayload)))
        #expect(Self.decode(decoder, [0x01]) == .failure(CodecError(.decode, .malformed)))
        #expect(Self.decode(decoder, [0x11, 0, 0, 1, 2, 3]) == .failure(CodecError(.decode, .keyFrameNeeded)))
        #expect(Self.decode(decoder, [0x10, 0, 0, 1, 2, 3, 4, 5, 6, 7]) == .failure(CodecError(.decode, .malformed)))
    }

    @Test("Cut and damaged frames give an error or a picture, and a key frame always helps")
    func damage() throws {
        let frames = try encode(TestCardSequence(width: 176, height: 144, count: 4), kilobits: 300)
        let decoder = try VP8Decoder()
        var random = SeededGenerator(seed: 3)
        for round in 0..<400 {
            var bytes = frames[round % frames.count]
            switch random.next() % 3 {
            case 0: bytes = Array(bytes.prefix(Int(random.next() % UInt64(bytes.count))))
            case 1: for _ in 0..<8 { bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(random.next() & 255) }
            default: bytes = (0..<Int(random.next() % 200)).map { _ in UInt8(random.next() & 255) }
            }
            // Damage in the size field makes large pictures; they are within the limit and slow, so leave them out.
            if bytes.count > 10, bytes[0] & 1 == 0 { bytes.replaceSubrange(6..<10, with: [176, 0, 144, 0]) }
            if case .failure(let error) = Self.decode(decoder, bytes), error.reason != .emptyPayload {
                #expect(decoder.needsKeyFrame)
            }
        }
        #expect(Self.decode(decoder, frames[0]) == .success(true))
        #expect(Self.decode(decoder, frames[1]) == .success(true))
    }

    @Test("A frame that ends early is an error, not a picture")
    func truncated() throws {
        let frames = try encode(TestCardSequence(width: 176, height: 144, count: 2), kilobits: 500)
        let decoder = try VP8Decoder()
        let half = Array(frames[0].prefix(frames[0].count / 2))
        if case .success = Self.decode(decoder, half) { Issue.record("half a key frame gave a picture") }
        #expect(Self.decode(decoder, frames[1]) == .failure(CodecError(.decode, .keyFrameNeeded)))
    }
}

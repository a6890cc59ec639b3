import PetrelCore
import PetrelWire
import Testing

@Suite("VP8 frame header")
struct VP8FrameHeaderTests {
    private func parse(_ text: String) throws(DropReason) -> VP8FrameHeader {
        try VP8FrameHeader(parsing: hex(text).span.bytes)
    }

    @Test("a key frame, from a captured stream: 240 x 180")
    func keyFrame() throws {
        let header = try parse("300c00 9d012a f000 b400 3939")
        #expect(header.isKeyFrame)
        #expect(header.version == 0)
        #expect(header.isShown)
        #expect(header.firstPartitionLength == 0x0C30 >> 5)
        #expect(header.width == 240)
        #expect(header.height == 180)
    }

    @Test("the scaling is not part of the size")
    func scaling() throws {
        let header = try parse("100200 9d012a 80c2 e081")
        #expect(header.width == 0x280)
        #expect(header.height == 0x1E0)
    }

    @Test("a delta frame")
    func deltaFrame() throws {
        let header = try parse("d10200")
        #expect(!header.isKeyFrame)
        #expect(header.isShown)
        #expect(header.firstPartitionLength == 22)
        #expect(header.width == 0)
        #expect(try !parse("010000").isShown)
    }

    @Test("the head of a frame of our own encoder, cut at every length")
    func everyLength() throws {
        let text = "501d009d012ab0409080"
        let header = try parse(text)
        #expect(header.isKeyFrame && header.isShown && header.version == 0)
        #expect(header.firstPartitionLength == 0x1D50 >> 5)
        #expect(header.width == 176 && header.height == 144)
        for length in 0..<10 {
            #expect(throws: DropReason.truncated) { try parse(String(text.prefix(2 * length))) }
        }
    }

    @Test("frames that must not be used")
    func malformed() {
        #expect(throws: DropReason.truncated) { try parse("") }
        #expect(throws: DropReason.truncated) { try parse("1002") }
        #expect(throws: DropReason.truncated) { try parse("100200 9d012a 8002 e0") }
        #expect(throws: DropReason.payloadMalformed) { try parse("100200 9d012b 8002 e001") }
        #expect(throws: DropReason.payloadMalformed) { try parse("100200 9d012a 0000 e001") }
        #expect(throws: DropReason.payloadMalformed) { try parse("100200 9d012a 8002 00c0") }
    }
}

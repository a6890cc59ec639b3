import PetrelCodecs
import PetrelCore
import Testing

@Suite("Stamp in the picture")
struct PictureStampTests {
    @Test("Every number, at several sizes", arguments: [(1280, 720), (640, 360), (320, 180), (176, 144), (49, 17)])
    func numbers(width: Int, height: Int) {
        let picture = I420Buffer(width: width, height: height)
        for counter in 0..<PictureStamp.modulus {
            PictureStamp.write(counter: counter, into: picture)
            #expect(PictureStamp.read(picture) == counter)
        }
        PictureStamp.write(counter: 1024 + 7, into: picture)
        #expect(PictureStamp.read(picture) == 7)
    }

    @Test("The layout: 24 equal blocks, a fifteenth of the height")
    func layout() {
        let picture = I420Buffer(width: 240, height: 150)
        picture.fill(y: 77, u: 10, v: 20)
        PictureStamp.write(counter: 0b10_0000_0001, into: picture)
        let expected = "WB" + "WBBBBBBBBW" + "BWWWWWWWWB" + "BW"
        for (block, letter) in expected.enumerated() {
            for column in [block * 10, block * 10 + 9] {
                for row in [0, 9] {
                    #expect(picture.y[row * picture.strideY + column] == (letter == "W" ? 235 : 16))
                }
            }
        }
        #expect(picture.y[10 * picture.strideY] == 77)
        #expect(picture.u[4 * picture.strideUV + 119] == 128 && picture.u[5 * picture.strideUV] == 10)
    }

    @Test("No stamp, no number")
    func nothing() {
        #expect(PictureStamp.read(I420Buffer(width: 1280, height: 720)) == nil)
        #expect(PictureStamp.read(I420Buffer(width: 40, height: 10)) == nil)
        var card = TestCard(width: 320, height: 180)
        #expect(PictureStamp.read(card.frame(3)) == nil)
        let picture = I420Buffer(width: 320, height: 180)
        for block in 0..<24 {
            PictureStamp.write(counter: 341, into: picture)
            let left = block * 320 / 24
            let width = (block + 1) * 320 / 24 - left
            let flipped: UInt8 = picture.y[left + width / 2] > 128 ? 16 : 235
            picture.fill(x: left, y: 0, width: width, height: 12, luma: flipped, blue: 128, red: 128)
            #expect(PictureStamp.read(picture) == nil, "block \(block) flipped")
        }
    }

    @Test("It survives VP8 at 200 kbit/s in 720p, and 320x180 after that")
    func survives() throws {
        var sequence = TestCardSequence(width: 1280, height: 720, count: 40)
        let encoder = VP8Encoder(configuration: .init(bitrate: .kilobitsPerSecond(200), framesPerSecond: 25))
        let decoder = try VP8Decoder()
        var pool = I420BufferPool()
        let frame = FrameBuffer()
        for index in 0..<sequence.count {
            let picture = sequence.card.frame(index)
            let counter = index * 397 % 1024
            PictureStamp.write(counter: counter, into: picture)
            _ = try encoder.encode(picture, timestamp90k: Int64(index) * 3600, into: frame)
            #expect(try decoder.decode(frame.bytes))
            let decoded = try #require(decoder.copy(from: &pool))
            #expect(PictureStamp.read(decoded) == counter)
            if index % 5 == 0 { #expect(PictureStamp.read(decoded.scaled(width: 320, height: 180)) == counter) }
        }
    }
}

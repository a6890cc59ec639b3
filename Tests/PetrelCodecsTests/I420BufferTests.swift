import PetrelCodecs
import PetrelCore
import Testing

@Suite("I420 pictures")
struct I420BufferTests {
    @Test("Raw bytes come out as they went in", arguments: [(1, 1), (2, 2), (3, 5), (33, 17), (64, 64), (101, 99)])
    func roundTrip(width: Int, height: Int) throws {
        let count = width * height + 2 * ((width + 1) / 2) * ((height + 1) / 2)
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 7 + $0 / 256) }
        let picture = try #require(bytes.withUnsafeBytes { I420Buffer(width: width, height: height, i420: $0) })
        #expect(picture.strideY % 32 == 0 && picture.strideUV % 32 == 0)
        var out: [UInt8] = []
        picture.copy().append(to: &out)
        #expect(out == bytes)
        #expect(bytes.dropLast().withUnsafeBytes { I420Buffer(width: width, height: height, i420: $0) } == nil)
        #expect(bytes.withUnsafeBytes { I420Buffer(width: 0, height: height, i420: $0) } == nil)
    }

    @Test("The pool hands out what nobody holds, and gives up other sizes")
    func pool() {
        var pool = I420BufferPool(limit: 2)
        var first: I420Buffer? = pool.take(width: 64, height: 48)
        let second = pool.take(width: 64, height: 48)
        #expect(first !== second)
        let third = pool.take(width: 64, height: 48)
        #expect(third !== first && third !== second)
        let identity = ObjectIdentifier(first!)
        first = nil
        #expect(ObjectIdentifier(pool.take(width: 64, height: 48)) == identity)
        let other = pool.take(width: 32, height: 32)
        #expect(other.width == 32)
    }

    @Test("Scaling keeps flat colours, means and ramps")
    func scaling() {
        let flat = I420Buffer(width: 127, height: 65)
        flat.fill(y: 93, u: 40, v: 222)
        for (width, height) in [(1, 1), (64, 32), (320, 180), (127, 30), (50, 130)] {
            var bytes: [UInt8] = []
            flat.scaled(width: width, height: height).append(to: &bytes)
            #expect(Set(bytes.prefix(width * height)) == [93])
            #expect(Set(bytes.dropFirst(width * height)) == [40, 222])
        }
        // A ramp halved is the mean of its pairs; doubled, it stays a ramp.
        let ramp = I420Buffer(width: 64, height: 2)
        for row in 0..<2 { for column in 0..<64 { ramp.y[row * ramp.strideY + column] = UInt8(column * 3) } }
        let half = ramp.scaled(width: 32, height: 1)
        for column in 0..<32 { #expect(abs(Int(half.y[column]) - (6 * column + 2)) <= 1) }
        let twice = ramp.scaled(width: 128, height: 4)
        for column in 1..<127 { #expect(abs(Double(twice.y[column]) - (Double(column) - 0.5) * 1.5) <= 1) }
    }

    @Test("PSNR of a constant difference is 20 log10(255/d), SSIM of flat pictures is the luminance term")
    func quality() throws {
        let (a, b) = (I420Buffer(width: 65, height: 49), I420Buffer(width: 65, height: 49))
        a.fill(y: 100, u: 1, v: 2)
        #expect(PictureQuality.psnrY(a, a) == PictureQuality.identical)
        for (difference, expected) in [(1, 48.1308), (5, 34.1514), (20, 22.1102)] {
            b.fill(y: UInt8(100 + difference), u: 128, v: 128)
            #expect(abs(try #require(PictureQuality.psnrY(a, b)) - expected) < 0.001)
            let (x, y, c) = (100.0, Double(100 + difference), 6.5025)
            let similarity = (2 * x * y + c) / (x * x + y * y + c)
            #expect(abs(try #require(PictureQuality.ssim(a, b)) - similarity) < 1e-6)
        }
        #expect(abs(try #require(PictureQuality.ssim(a, a)) - 1) < 1e-9)
        #expect(PictureQuality.psnrY(a, I420Buffer(width: 64, height: 49)) == nil)
        #expect(PictureQuality.ssim(a, I420Buffer(width: 64, height: 49)) == nil)
        // One pixel of many: 10 log10(255^2 * 3185 / 10^2).
        let c = a.copy()
        c.y[0] = 110
        #expect(abs(try #require(PictureQuality.psnrY(a, c)) - 63.1620) < 0.01)
    }

    @Test("Structure counts: a shifted texture is less similar than a brighter one")
    func structure() throws {
        var card = TestCard(width: 320, height: 180)
        let picture = card.frame(0)
        let brighter = picture.copy()
        for index in brighter.y.indices { brighter.y[index] = UInt8(min(255, Int(brighter.y[index]) + 6)) }
        let noisy = picture.copy()
        for index in noisy.y.indices {
            noisy.y[index] = UInt8(max(0, min(255, Int(noisy.y[index]) + (index & 1) * 12 - 6)))
        }
        let bright = try #require(PictureQuality.ssim(picture, brighter))
        let noise = try #require(PictureQuality.ssim(picture, noisy))
        #expect(bright > 0.9 && noise < bright - 0.1)
    }
}

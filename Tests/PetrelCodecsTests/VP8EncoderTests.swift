import Foundation
import PetrelCodecs
import PetrelCore
import Testing

@Suite("VP8 encoder", .serialized)
struct VP8EncoderTests {
    @Test("720p at 1.5 Mbit/s: more than 30 dB, near the rate, one key frame")
    func quality() throws {
        var sequence = TestCardSequence(width: 1280, height: 720, count: 50)
        let encoder = VP8Encoder(configuration: .init(bitrate: .kilobitsPerSecond(1500), framesPerSecond: 25))
        let decoder = try VP8Decoder()
        var pool = I420BufferPool()
        let frame = FrameBuffer()
        var total = 0
        var worst = 100.0
        for index in 0..<sequence.count {
            let picture = sequence.picture(index)
            let result = try #require(try encoder.encode(picture, timestamp90k: Int64(index) * 3600, into: frame))
            #expect(result.isKeyFrame == (index == 0))
            #expect(result.size == frame.count && (0...127).contains(result.quantizer))
            total += result.size
            #expect(try decoder.decode(frame.bytes))
            let decoded = try #require(decoder.copy(from: &pool))
            #expect(PictureStamp.read(decoded) == index)
            if index % 7 == 0 {
                let psnr = try #require(PictureQuality.psnrY(picture, decoded))
                let ssim = try #require(PictureQuality.ssim(picture, decoded))
                // The rate controller starts carefully: the first half second is coarser.
                #expect(psnr > (index < 12 ? 25 : 30) && ssim > (index < 12 ? 0.8 : 0.9))
                if index >= 12 { worst = min(worst, psnr) }
            }
        }
        let kilobits = Double(total) * 8 * 25 / Double(sequence.count) / 1000
        print("720p test card: \(kilobits) kbit/s, worst \(worst) dB")
        #expect(kilobits < 1500 * 1.3)
    }

    @Test("The same input gives the same bytes, on a busy machine too")
    func determinism() throws {
        let quiet = try encode(TestCardSequence(width: 640, height: 360, count: 25), kilobits: 600)
        let threads = (0..<4).map { _ in
            let thread = Thread {
                var value: UInt64 = 1
                while !Thread.current.isCancelled { for _ in 0..<10_000 { value = value &* 3 &+ 1 } }
            }
            thread.start()
            return thread
        }
        let busy = try encode(TestCardSequence(width: 640, height: 360, count: 25), kilobits: 600)
        threads.forEach { $0.cancel() }
        #expect(quiet == busy)
        #expect(quiet.count == 25)
    }

    @Test("Key frames come when asked for, and their limit holds")
    func keyFrames() throws {
        func size(_ percent: Int) throws -> Int {
            var sequence = TestCardSequence(width: 640, height: 360, count: 40)
            var configuration = VP8Encoder.Configuration(bitrate: .kilobitsPerSecond(800), framesPerSecond: 25)
            configuration.maximumKeyFramePercent = percent
            let encoder = VP8Encoder(configuration: configuration)
            let frame = FrameBuffer()
            var asked = 0
            for index in 0..<sequence.count {
                let result = try #require(
                    try encoder.encode(
                        sequence.picture(index), timestamp90k: Int64(index) * 3600, forceKeyFrame: index == 30,
                        into: frame))
                #expect(result.isKeyFrame == (index == 0 || index == 30))
                if index == 30 { asked = result.size }
            }
            return asked
        }
        let (tight, loose) = (try size(150), try size(0))
        print("key frame at 800 kbit/s: \(tight) bytes limited to 150 %, \(loose) unlimited")
        #expect(tight < loose)
    }

    @Test("The rate follows while the stream goes on")
    func rates() throws {
        var sequence = TestCardSequence(width: 640, height: 360, count: 150)
        let encoder = VP8Encoder(configuration: .init(bitrate: .kilobitsPerSecond(1000), framesPerSecond: 25))
        let frame = FrameBuffer()
        var bytes = [0, 0, 0]
        for index in 0..<sequence.count {
            if index == 50 { try encoder.setRate(.kilobitsPerSecond(200), framesPerSecond: 25) }
            if index == 100 { try encoder.setRate(.kilobitsPerSecond(600), framesPerSecond: 25) }
            let result = try #require(
                try encoder.encode(sequence.picture(index), timestamp90k: Int64(index) * 3600, into: frame))
            #expect(result.isKeyFrame == (index == 0))
            // The first second after a change still settles.
            if index % 50 >= 25 { bytes[index / 50] += result.size }
        }
        let rates = bytes.map { Double($0) * 8 / 1000 }
        print("asked for 1000, 200, 600 kbit/s; got \(rates)")
        #expect(rates[1] < 280)
        #expect(rates[2] > rates[1] * 1.5 && rates[2] < 780)
    }

    @Test("With dropping allowed, a rate far too low drops frames and is kept")
    func drops() throws {
        var sequence = TestCardSequence(width: 640, height: 360, count: 100)
        var configuration = VP8Encoder.Configuration(bitrate: .kilobitsPerSecond(50), framesPerSecond: 25)
        configuration.dropsFrames = true
        let encoder = VP8Encoder(configuration: configuration)
        let frame = FrameBuffer()
        var dropped = 0
        for index in 0..<sequence.count
        where try encoder.encode(sequence.picture(index), timestamp90k: Int64(index) * 3600, into: frame) == nil {
            #expect(frame.count == 0)
            dropped += 1
        }
        #expect(dropped > 10)
    }

    @Test("Any size, rate and frame rate in any order (C43)")
    func abuse() throws {
        let sizes = [
            (1, 1), (2, 2), (15, 17), (16, 16), (33, 1), (1, 33), (176, 144), (177, 145), (320, 180), (641, 359),
        ]
        let rates: [Int64] = [0, 1, 9_999, 300_000, 1_500_000, 4_000_000_000, .max]
        let frameRates = [0, 1, 1000, 30, .nan, .infinity, -5]
        let encoder = VP8Encoder()
        let decoder = try VP8Decoder()
        let frame = FrameBuffer()
        var random = SeededGenerator(seed: 43)
        var last = (0, 0)
        var cards = sizes.map { TestCard(width: $0.0, height: $0.1) }
        for index in 0..<300 {
            let which =
                index % 3 == 0 ? Int(random.next() % UInt64(sizes.count)) : (sizes.firstIndex { $0 == last } ?? 0)
            try encoder.setRate(
                DataRate(bitsPerSecond: rates[Int(random.next() % UInt64(rates.count))]),
                framesPerSecond: frameRates[Int(random.next() % UInt64(frameRates.count))])
            if random.next() % 10 == 0 {
                var configuration = encoder.configuration
                configuration.errorResilient.toggle()
                configuration.speed = Int(random.next() % 40) - 10
                configuration.maximumKeyFramePercent = Int(random.next() % 2000) - 500
                configuration.minimumQuantizer = Int(random.next() % 100) - 10
                configuration.bufferSize = .milliseconds(Int(random.next() % 20_000))
                configuration.dropsFrames.toggle()
                try encoder.configure(configuration)
                last = (0, 0)
            }
            // Times that stand still, run back and jump.
            let time = index % 7 == 0 ? Int64(bitPattern: random.next()) : Int64(index) * 3000
            let duration: Int64? = index % 5 == 0 ? Int64(bitPattern: random.next()) : nil
            guard
                let result = try encoder.encode(
                    cards[which].frame(index), timestamp90k: time, duration: duration,
                    forceKeyFrame: random.next() % 20 == 0, into: frame)
            else { continue }
            if last != sizes[which] { #expect(result.isKeyFrame) }
            last = sizes[which]
            #expect(try decoder.decode(frame.bytes))
            #expect(try #require(decoder.withPicture { ($0.width, $0.height) }) == sizes[which])
        }
    }

    @Test("A picture above the limit is refused, and the encoder goes on")
    func tooLarge() throws {
        let encoder = VP8Encoder(maximumArea: 320 * 240)
        let frame = FrameBuffer()
        #expect(throws: CodecError(.encode, .pictureSize(width: 640, height: 480))) {
            try encoder.encode(I420Buffer(width: 640, height: 480), timestamp90k: 0, into: frame)
        }
        #expect(
            try encoder.encode(I420Buffer(width: 320, height: 240), timestamp90k: 0, into: frame)?.isKeyFrame == true)
    }
}

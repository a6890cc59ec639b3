import PetrelCodecs
import PetrelCore
import Testing

@testable import PetrelScenario

/// Film and speech for rehearsed calls, and the judgement of what was seen of them.
@Suite struct VirtualFilmTests {
    /// A film of `count` pictures of one grey each: 10, 20, 30, ...
    static func y4m(width: Int, height: Int, count: Int, format: String = "C420mpeg2 ") -> [UInt8] {
        var bytes = Array("YUV4MPEG2 W\(width) H\(height) F30:1 Ip \(format)A1:1\n".utf8)
        for number in 1...max(1, count) where count > 0 {
            bytes += Array("FRAME\n".utf8)
            bytes += [UInt8](repeating: UInt8(10 * number), count: width * height)
            bytes += [UInt8](repeating: 128, count: 2 * ((width + 1) / 2) * ((height + 1) / 2))
        }
        return bytes
    }

    static func film(_ bytes: [UInt8], size: (width: Int, height: Int)? = nil) -> VirtualFilm? {
        bytes.withUnsafeBytes { VirtualFilm(y4m: $0, framesPerSecond: 30, size: size) }
    }

    @Test func readsPicturesInOrder() throws {
        for (width, height) in [(64, 48), (33, 17)] {
            let film = try #require(Self.film(Self.y4m(width: width, height: height, count: 3)))
            #expect(film.width == width && film.height == height && film.pictures.count == 3)
            #expect(film.pictures.map { $0.y[0] } == [10, 20, 30])
            #expect(film.pictures.allSatisfy { $0.u[0] == 128 && $0.v[0] == 128 })
        }
    }

    @Test func scalesWhereAsked() throws {
        let film = try #require(Self.film(Self.y4m(width: 64, height: 48, count: 2), size: (32, 24)))
        #expect(film.width == 32 && film.height == 24)
        #expect(film.pictures.map { $0.y[5] } == [10, 20])
    }

    @Test func goesForwardsAndBackwards() throws {
        let film = try #require(Self.film(Self.y4m(width: 16, height: 16, count: 4)))
        #expect((0..<9).map { film.picture($0).y[0] } == [10, 20, 30, 40, 30, 20, 10, 20, 30])
        #expect(VirtualFilm.position(of: 7, count: 1) == 0)
    }

    @Test func takesWholePicturesOnly() throws {
        let bytes = Self.y4m(width: 16, height: 16, count: 3)
        #expect(Self.film(Array(bytes.dropLast()))?.pictures.count == 2)
    }

    @Test func refusesWhatIsNoFilm() {
        #expect(Self.film([]) == nil)
        #expect(Self.film(Array("RIFF".utf8)) == nil)
        #expect(Self.film(Self.y4m(width: 16, height: 16, count: 0)) == nil)
        #expect(Self.film(Self.y4m(width: 16, height: 16, count: 1, format: "C420p10 ")) == nil)
        #expect(Self.film(Self.y4m(width: 16, height: 16, count: 1, format: "C444 ")) == nil)
        #expect(Self.film(Array("YUV4MPEG2 W16 H99999\nFRAME\n".utf8)) == nil)
        #expect(Self.film(Array("YUV4MPEG2 W-4 H4\nFRAME\n".utf8)) == nil)
        #expect(Self.film([UInt8](repeating: 65, count: 5000)) == nil)
        #expect(VirtualFilm(pictures: [], framesPerSecond: 30) == nil)
        #expect(VirtualFilm(pictures: [I420Buffer(width: 8, height: 8)], framesPerSecond: 0) == nil)
    }

    @Test func speechBeginsAgainAtItsEnd() throws {
        #expect(VirtualSpeech(samples: []) == nil)
        let speech = try #require(VirtualSpeech(samples: [1, 2, 3]))
        var block = [Int16](repeating: 0, count: 5)
        block.withUnsafeMutableBufferPointer { speech.fill($0, from: 7) }
        #expect(block == [2, 3, 1, 2, 3])
    }

    /// A judge of pictures that are one grey each: number n has the luma 10 n.
    static func judge(everyNth: Int) -> PictureJudge {
        PictureJudge(everyNth: everyNth) { grey($0) }
    }

    static func grey(_ number: Int) -> I420Buffer {
        let picture = I420Buffer(width: 16, height: 16)
        picture.fill(y: UInt8(10 * number), u: 128, v: 128)
        return picture
    }

    static func time(_ milliseconds: Int) -> Instant { .zero + .milliseconds(milliseconds) }

    @Test func judgesThePictureItself() throws {
        var judge = Self.judge(everyNth: 2)
        judge.shown(0, Self.grey(0), captured: Self.time(0), at: Self.time(50))
        for number in 1...4 {
            judge.captured(number, at: Self.time(33 * number))
            judge.shown(number, Self.grey(number), captured: Self.time(33 * number), at: Self.time(33 * number + 50))
        }
        #expect(judge.comparisons.map(\.index) == [2, 4])
        #expect(judge.comparisons.map(\.seen) == [2, 4])
        #expect(judge.comparisons.allSatisfy { $0.psnrY == PictureQuality.identical })
    }

    @Test func aFrozenPictureCountsAsWhatWasStillSeen() throws {
        var judge = Self.judge(everyNth: 1)
        judge.shown(1, Self.grey(1), captured: Self.time(0), at: Self.time(50))
        judge.captured(2, at: Self.time(33))
        judge.captured(3, at: Self.time(66))
        // Number 2 never comes, number 3 comes long after it was due.
        judge.shown(3, Self.grey(3), captured: Self.time(66), at: Self.time(3000))
        #expect(judge.comparisons.map(\.index) == [2, 3])
        #expect(judge.comparisons.map(\.seen) == [1, 1])
        // A difference of 10 and of 20 everywhere: 10 log10(255^2 / d^2).
        let expected = [28.1308, 22.1102]
        for (comparison, value) in zip(judge.comparisons, expected) {
            #expect(abs(comparison.psnrY - value) < 0.001)
        }
    }

    @Test func aSkippedPictureIsStoodForByTheOneBefore() throws {
        var judge = Self.judge(everyNth: 1)
        judge.shown(1, Self.grey(1), captured: Self.time(0), at: Self.time(50))
        for number in 2...4 { judge.captured(number, at: Self.time(33 * number)) }
        judge.shown(2, Self.grey(2), captured: Self.time(66), at: Self.time(116))
        judge.shown(4, Self.grey(4), captured: Self.time(132), at: Self.time(182))
        judge.settle(until: Self.time(5000))
        #expect(judge.comparisons.map(\.index).sorted() == [2, 3, 4])
        #expect(judge.comparisons.first { $0.index == 3 }?.seen == 2)
    }

    @Test func picturesBeforeTheFirstShownAreLeftOut() {
        var judge = Self.judge(everyNth: 1)
        judge.captured(1, at: Self.time(0))
        judge.settle(until: Self.time(5000))
        #expect(judge.comparisons.isEmpty)
    }

    @Test func aCallShowsTheFilm() throws {
        var card = TestCard(width: 160, height: 90)
        let film = try #require(
            VirtualFilm(pictures: (0..<20).map { card.frame($0).copy() }, framesPerSecond: 30))
        var configuration = try VirtualCallConfiguration(link: "delay=20")
        configuration.video = .film(film)
        configuration.speech = VirtualSpeech(samples: (0..<48_000).map { Int16(truncatingIfNeeded: $0 * 37 % 8000) })
        configuration.judgesEveryNth = 5
        configuration.duration = .seconds(4)
        let result = try VirtualCall(configuration).run()
        for seen in [result.callerToCallee, result.calleeToCaller] {
            #expect(seen.pictures.count > 90)
            #expect(seen.pictures.allSatisfy { $0.index != nil && $0.width == 160 && $0.height == 90 })
            #expect(seen.sentPictures.map(\.bytes).reduce(0, +) == seen.videoBytesSent)
            #expect(seen.comparisons.count >= 18)
            #expect(seen.comparisons.allSatisfy { $0.seen == $0.index && $0.psnrY > 25 && $0.ssim > 0.8 })
            #expect(seen.audioBytesSent > 4_000)
        }
    }
}

import PetrelCodecs
import PetrelCore
import Testing

@Suite("Built-in signals")
struct TestSignalTests {
    @Test("The card is the same again, and moves", arguments: [(1280, 720), (321, 181), (16, 16), (1, 1)])
    func card(width: Int, height: Int) throws {
        var first = TestCard(width: width, height: height)
        var second = TestCard(width: width, height: height)
        _ = second.frame(5)
        for index in [0, 1, 7, 100_000, -3] {
            #expect(PictureQuality.psnrY(first.frame(index), second.frame(index)) == PictureQuality.identical)
        }
        if width > 100 {
            let psnr = try #require(PictureQuality.psnrY(first.frame(0), first.frame(1)))
            #expect(psnr < 35)
        }
    }

    @Test("A tone has its frequency and its level")
    func tone() {
        let tone = TestTone(frequency: 1000, amplitude: 0.5)
        var pcm = [Int16](repeating: 0, count: 48_000)
        pcm.withUnsafeMutableBufferPointer { tone.fill($0, channels: 1, from: 0) }
        let crossings = (1..<pcm.count).count { pcm[$0 - 1] < 0 && pcm[$0] >= 0 }
        #expect(abs(crossings - 1000) <= 1)
        #expect(abs(rms(pcm) - 0.5 * 32767 / 2.0.squareRoot()) < 20)
        #expect(pcm[12] == 16383 && pcm[36] == -16383)
    }

    @Test("Speech depends on position and seed alone, and has pauses")
    func speech() {
        let speech = SpeechLikeSignal(seed: 1)
        var whole = [Int16](repeating: 0, count: 2 * 48_000)
        whole.withUnsafeMutableBufferPointer { speech.fill($0, channels: 1, from: 500) }
        var part = [Int16](repeating: 0, count: 2 * 960)
        part.withUnsafeMutableBufferPointer { speech.fill($0, channels: 2, from: 500 + 960) }
        for index in 0..<960 {
            #expect(part[2 * index] == whole[960 + index] && part[2 * index + 1] == whole[960 + index])
        }
        var other = [Int16](repeating: 0, count: 960)
        other.withUnsafeMutableBufferPointer { SpeechLikeSignal(seed: 2).fill($0, channels: 1, from: 1460) }
        #expect(other != Array(whole[960..<1920]))
        #expect(rms(whole) > 1000 && whole.allSatisfy { $0 > -32768 })
        var pause = [Int16](repeating: 1, count: 960)
        pause.withUnsafeMutableBufferPointer { speech.fill($0, channels: 1, from: 8 * SpeechLikeSignal.syllable + 10) }
        #expect(pause.allSatisfy { $0 == 0 })
        #expect(speech.sample(-1) == speech.sample(-1))
    }
}

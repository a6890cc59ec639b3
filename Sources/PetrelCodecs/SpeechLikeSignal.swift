internal import PetrelCore

/// A sound with what codecs look for in speech: a voice whose pitch moves, vowels with formants, syllables about four
/// times a second, and pauses. Its samples depend on the seed and their position alone.
public struct SpeechLikeSignal: Hashable, Sendable {
    /// Samples in a syllable: 240 ms.
    public static let syllable: Int64 = 11_520
    /// Every this many syllables there is a pause of two.
    static let phrase: Int64 = 10
    private static let harmonics = 16
    /// Formants of five vowels in Hz, first and second.
    private static let vowels: [(Double, Double)] = [(730, 1090), (530, 1840), (270, 2290), (570, 840), (300, 870)]

    /// The same seed gives the same sound.
    public let seed: UInt64
    /// The voice's mean pitch in Hz, from the seed: 100 to 220.
    public let pitch: Double
    /// How strong each harmonic is in each vowel.
    private let weights: [[Float]]

    public init(seed: UInt64 = 0) {
        self.seed = seed
        var random = SeededGenerator(seed: seed)
        let pitch = 100 + 120 * random.unit()
        self.pitch = pitch
        weights = Self.vowels.map { first, second in
            let raw = (1...Self.harmonics).map { harmonic -> Float in
                let frequency = Double(harmonic) * pitch
                // Two resonances of 120 Hz width over a voice that falls off with frequency.
                let one = 1 / (1 + ((frequency - first) / 120) * ((frequency - first) / 120))
                let two = 0.5 / (1 + ((frequency - second) / 120) * ((frequency - second) / 120))
                return Float(one + two + 0.15 / Double(harmonic))
            }
            let sum = raw.reduce(0, +)
            return raw.map { $0 / sum }
        }
    }

    /// The sample at `position` (samples since the beginning).
    public func sample(_ position: Int64) -> Int16 {
        let number = position.quotientFloored(by: Self.syllable)
        let offset = position - number * Self.syllable
        if Self.isPause(number) { return 0 }
        var random = SeededGenerator(seed: seed ^ UInt64(bitPattern: number) &* 0xD1B5_4A32_D192_ED03)
        let vowel = weights[Int(random.next() % UInt64(weights.count))]
        let loudness = Float(0.5 + 0.5 * random.unit())
        // Rises and falls within the syllable and is silent at both ends, so that the vowel can change there.
        let rise = SineTable.sine(turns: Double(offset) / Double(2 * Self.syllable))
        // The pitch sways by a tenth, once in 1.7 s; the phase is its integral.
        let seconds = Double(position) / Double(PCM.sampleRate)
        let sway = Double(SineTable.sine(turns: seconds / 1.7))
        let phase = pitch * (seconds + 0.1 * 1.7 / (2 * Double.pi) * sway)
        var sum: Float = 0
        for harmonic in 0..<Self.harmonics {
            sum += vowel[harmonic] * SineTable.sine(turns: phase * Double(harmonic + 1))
        }
        return Int16(max(-32767, min(32767, sum * rise * loudness * 24_000)))
    }

    /// Fills `pcm` with interleaved samples from `position` on, the same in every channel.
    public func fill(_ pcm: UnsafeMutableBufferPointer<Int16>, channels: Int, from position: Int64) {
        interleave(pcm, channels, position, sample)
    }

    /// Whether nobody speaks in syllable `number`.
    static func isPause(_ number: Int64) -> Bool { number - number.quotientFloored(by: phrase) * phrase >= phrase - 2 }
}

extension Int64 {
    fileprivate func quotientFloored(by divisor: Int64) -> Int64 {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }
}

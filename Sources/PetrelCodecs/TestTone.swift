/// A pure tone at 48 kHz. Its samples depend on their position alone, not on how they are asked for.
public struct TestTone: Hashable, Sendable {
    /// Hz.
    public let frequency: Double
    /// 0 to 1 of full scale.
    public let amplitude: Double

    public init(frequency: Double = 440, amplitude: Double = 0.4) {
        self.frequency = frequency.isFinite ? frequency : 0
        self.amplitude = amplitude.isNaN ? 0 : max(0, min(1, amplitude))
    }

    /// The sample at `position` (samples since the beginning).
    public func sample(_ position: Int64) -> Int16 {
        let turns = Double(position) * frequency / Double(PCM.sampleRate)
        return Int16(Double(SineTable.sine(turns: turns)) * amplitude * 32767)
    }

    /// Fills `pcm` with interleaved samples from `position` on, the same in every channel.
    public func fill(_ pcm: UnsafeMutableBufferPointer<Int16>, channels: Int, from position: Int64) {
        interleave(pcm, channels, position, sample)
    }
}

func interleave(
    _ pcm: UnsafeMutableBufferPointer<Int16>, _ channels: Int, _ position: Int64, _ sample: (Int64) -> Int16
) {
    guard channels > 0 else { return }
    for index in 0..<(pcm.count / channels) {
        let value = sample(position &+ Int64(index))
        for channel in 0..<channels { pcm[index * channels + channel] = value }
    }
}

public import PetrelCore

/// What all sound in Petrel has in common: 48,000 samples per second and channel, as in the RTP clock of Opus
/// (RFC 7587 section 4.1); 16-bit samples; left and right alternating where there are two channels.
public enum PCM {
    /// Samples per second and channel, everywhere in Petrel: 48,000 (RFC 7587 section 4.1).
    public static let sampleRate = 48_000
    /// The samples per channel of the usual 20 ms.
    public static let samplesPer20ms = 960
    /// The most samples per channel in one Opus packet: 120 ms (RFC 6716 section 2.1.4).
    public static let maximumSamples = 5760

    /// The time that `samples` per channel take.
    public static func duration(samples: Int) -> TimeDelta {
        MediaTime(ticks: Int64(samples), clockRate: Int32(sampleRate)).delta
    }
}

/// A piece of sound and the moment its first sample was captured.
public struct PCMFrame: Sendable {
    /// 1 or 2.
    public let channels: Int
    /// Interleaved samples.
    public var samples: [Int16]
    public var captureTime: Instant

    public init(channels: Int, samples: [Int16], captureTime: Instant) {
        self.channels = max(1, min(2, channels))
        self.samples = samples
        self.captureTime = captureTime
    }

    /// The length, in samples per channel and as time.
    public var samplesPerChannel: Int { samples.count / channels }
    public var duration: TimeDelta { PCM.duration(samples: samplesPerChannel) }
}

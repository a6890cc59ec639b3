/// The skew between picture and sound: video render minus audio render at equal capture time, in milliseconds;
/// positive where the picture comes late.
public struct LipSync: Equatable, Sendable {
    /// One value per shown frame for whose capture time audio was played: when it was shown, and the skew.
    public private(set) var samples: [Sample] = []

    public struct Sample: Equatable, Sendable {
        public var renderMs: Double
        public var skewMs: Double
    }

    /// Within this skew sound and picture pass as together: the limit of EBU R37 for late pictures is 40 ms and for
    /// early ones 60 ms; the figure the reports of this project are gated on lies between.
    public static let inSyncMs = 45.0
    /// For how long the skew has to stay within it, so that a chance hit does not pass as sync.
    static let settledMs = 1000.0
    /// Capture times further apart than this are not bridged: there the audio had a hole.
    static let longestAudioStepMs = 250.0

    /// - Parameters:
    ///   - frames: capture and render time of each frame shown.
    ///   - audio: capture and render time of audio, in the order of playing.
    public init(
        frames: [(captureMs: Double, renderMs: Double)], audio: [(captureMs: Double, renderMs: Double)]
    ) {
        let audio = audio.sorted { $0.captureMs < $1.captureMs }
        for frame in frames.sorted(by: { $0.renderMs < $1.renderMs }) {
            guard let played = Self.interpolate(audio, at: frame.captureMs) else { continue }
            samples.append(Sample(renderMs: frame.renderMs, skewMs: frame.renderMs - played))
        }
    }

    private static func interpolate(_ audio: [(captureMs: Double, renderMs: Double)], at capture: Double) -> Double? {
        var low = 0
        var high = audio.count
        while low < high {
            let middle = (low + high) / 2
            if audio[middle].captureMs <= capture { low = middle + 1 } else { high = middle }
        }
        guard low > 0 else { return nil }
        let before = audio[low - 1]
        guard low < audio.count else { return before.captureMs == capture ? before.renderMs : nil }
        let after = audio[low]
        let step = after.captureMs - before.captureMs
        guard step > 0, step <= longestAudioStepMs else { return nil }
        return before.renderMs + (after.renderMs - before.renderMs) * (capture - before.captureMs) / step
    }

    public var p50: Double? { Percentiles(samples.map(\.skewMs))(50) }
    public var p95Abs: Double? { Percentiles(samples.map(\.skewMs.magnitude))(95) }

    /// The render time of the first frame from which on a whole second was in sync (or all there is, where less than a
    /// second is left); nil where that never happened.
    public var firstInSyncMs: Double? {
        var start: Double?
        for sample in samples {
            if sample.skewMs.magnitude > Self.inSyncMs {
                start = nil
            } else if let begun = start {
                if sample.renderMs - begun >= Self.settledMs { return begun }
            } else {
                start = sample.renderMs
            }
        }
        return start
    }
}

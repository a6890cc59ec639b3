/// How evenly pictures were shown: frames per second, freezes and gaps, from the times at which they were.
public struct FrameTiming: Equatable, Sendable {
    /// Steps from frame to frame per second, from the first frame shown to the end.
    public private(set) var fps: Double?
    /// The 5th percentile of the frame counts of whole seconds from the first frame on.
    public private(set) var fpsP5: Double?
    public private(set) var freezes: [Freeze] = []
    /// The longest time without a new frame, from the first frame shown to the end.
    public private(set) var longestGapMs: Double?

    /// A time in which the viewer saw a standing picture.
    public struct Freeze: Equatable, Sendable {
        public var startMs: Double
        public var lengthMs: Double
    }

    /// W3C webrtc-stats, freezeCount: a freeze is a gap above max(3d, d + 150 ms), d the mean of the last 30 gaps.
    static let freezeWindow = 30
    static let freezeFactor = 3.0
    static let freezeExtraMs = 150.0

    /// - Parameters:
    ///   - renderTimesMs: when frames were shown, ascending.
    ///   - endMs: until when a frame could have been shown; a standing picture at the end counts as a gap too.
    public init(renderTimesMs times: [Double], endMs: Double) {
        guard let first = times.first, let last = times.last else { return }
        let end = max(endMs, last)
        if end > first { fps = Double(times.count - 1) / (end - first) * 1000 }
        fpsP5 = Self.windows(times, from: first, to: end).map { Percentiles($0.map(Double.init)) }?(5)

        var recent: [Double] = []
        var next = 0
        for index in times.indices {
            let until = index + 1 < times.count ? times[index + 1] : end
            let gap = until - times[index]
            longestGapMs = max(longestGapMs ?? 0, gap)
            if !recent.isEmpty {
                let mean = recent.reduce(0, +) / Double(recent.count)
                if gap > max(Self.freezeFactor * mean, mean + Self.freezeExtraMs) {
                    freezes.append(Freeze(startMs: times[index], lengthMs: gap))
                }
            }
            if recent.count < Self.freezeWindow {
                recent.append(gap)
            } else {
                recent[next] = gap
                next = (next + 1) % Self.freezeWindow
            }
        }
    }

    /// Frames in each whole second; nil where not a single second is whole.
    static func windows(_ times: [Double], from start: Double, to end: Double) -> [Int]? {
        let seconds = Int((end - start) / 1000)
        guard seconds > 0, seconds < 1_000_000 else { return nil }
        var counts = [Int](repeating: 0, count: seconds)
        for time in times {
            let second = Int((time - start) / 1000)
            if counts.indices.contains(second) { counts[second] += 1 }
        }
        return counts
    }
}

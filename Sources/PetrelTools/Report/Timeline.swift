/// A direction of a call over time, for drawing: `Scripts/report.py` makes the picture of a report from it.
///
/// Times are seconds since the first frame or sample of the call was sent.
public struct Timeline: Sendable {
    public var name: String
    /// Capture to render of each frame shown: when it was captured, and how long it took in ms.
    public var videoLatency: [(Double, Double)] = []
    public var audioLatency: [(Double, Double)] = []
    /// When a freeze began, and its length in seconds.
    public var freezes: [(Double, Double)] = []
    /// Capture times of frames never shown.
    public var neverShown: [Double] = []
    /// kbit/s of everything sent, second by second.
    public var wireKbps: [(Double, Double)] = []
    /// kbit/s out of the encoders, second by second.
    public var mediaKbps: [(Double, Double)] = []
    public var estimateKbps: [(Double, Double)] = []
    /// Percent of the packets of each second that the network lost.
    public var lossPercent: [(Double, Double)] = []
    public var skewMs: [(Double, Double)] = []
    public var pictures: [Picture] = []

    /// A frame as sent beside the frame as seen.
    public struct Picture: Sendable {
        public var counter: Int
        public var seenCounter: Int
        /// When it was captured.
        public var seconds: Double
        public var psnrY: Double
        /// File names inside the report.
        public var sentFile: String
        public var seenFile: String

        public init(
            counter: Int, seenCounter: Int, seconds: Double, psnrY: Double, sentFile: String, seenFile: String
        ) {
            (self.counter, self.seenCounter, self.seconds) = (counter, seenCounter, seconds)
            (self.psnrY, self.sentFile, self.seenFile) = (psnrY, sentFile, seenFile)
        }
    }

    /// - Parameter originMs: the wall time that is second 0.
    public init(_ way: DirectionAnalysis, originMs origin: Double) {
        name = way.name
        func seconds(_ wall: Double) -> Double { (wall - origin) / 1000 }
        var shown: Set<Int> = []
        for frame in way.firstShowings {
            guard let capture = frame.captureMs, let counter = frame.counter else { continue }
            shown.insert(counter)
            videoLatency.append((seconds(capture), frame.renderMs - capture))
        }
        neverShown = way.sender.videoSent.filter { !shown.contains($0.counter) }.map { seconds($0.captureMs) }
        audioLatency = way.receiver.audioRendered.map { (seconds($0.captureMs), $0.renderMs - $0.captureMs) }
        freezes = way.timing.freezes.map { (seconds($0.startMs), $0.lengthMs / 1000) }
        skewMs = way.lipSync.samples.map { (seconds($0.renderMs), $0.skewMs) }
        estimateKbps = way.sender.counters.compactMap { sample in
            sample.counters.estimateKbps.map { (seconds(sample.wallMs), Double($0)) }
        }
        let wire = Series(way.sender, \.wireBytes)
        let (audio, video) = (Series(way.sender, \.audioMediaBytes), Series(way.sender, \.videoMediaBytes))
        let (sent, received) = (Series(way.sender, \.packetsSent), Series(way.receiver, \.packetsReceived))
        let usual = way.videoLatency(50) ?? 0
        var start = origin
        let end = way.sender.videoSent.last?.captureMs ?? way.sender.audioSent.last?.captureMs ?? origin
        // The last frame lies a frame before the end of its second.
        while start + 1000 <= end + 100, wireKbps.count < 100_000 {
            let middle = seconds(start + 500)
            if let bytes = wire.growth(start, start + 1000) { wireKbps.append((middle, bytes * 8 / 1000)) }
            if let bytes = video.growth(start, start + 1000) {
                mediaKbps.append((middle, (bytes + (audio.growth(start, start + 1000) ?? 0)) * 8 / 1000))
            }
            // What was sent in this second arrives later by about the latency of the network; the latency of the
            // picture is a little more than that, and the error is that of a fraction of a second.
            if let packets = sent.growth(start, start + 1000), packets > 0,
                let arrived = received.growth(start + usual / 2, start + 1000 + usual / 2, slack: 0)
            {
                lossPercent.append((middle, min(100, max(0, (packets - arrived) / packets * 100))))
            }
            start += 1000
        }
    }

    /// A growing counter, read off at any time between its samples.
    private struct Series {
        private let points: [(wall: Double, value: Double)]

        init(_ log: PeerLog, _ path: KeyPath<PeerCounters, Int?>) {
            points = log.counters.compactMap { sample in
                sample.counters[keyPath: path].map { (sample.wallMs, Double($0)) }
            }
        }

        /// - Parameter slack: up to this long before the first sample or behind the last one the nearest serves, ms.
        func growth(_ from: Double, _ to: Double, slack: Double = 1000) -> Double? {
            guard let first = value(from, slack), let last = value(to, slack) else { return nil }
            return last - first
        }

        private func value(_ wall: Double, _ slack: Double) -> Double? {
            let next = points.partitioningIndex { $0.wall > wall }
            guard next > 0 else { return points.first.flatMap { $0.wall - wall <= slack ? $0.value : nil } }
            let before = points[next - 1]
            guard next < points.count else { return wall - before.wall <= slack ? before.value : nil }
            let after = points[next]
            return before.value + (after.value - before.value) * (wall - before.wall) / (after.wall - before.wall)
        }
    }

    public var json: JSONText {
        func points(_ values: [(Double, Double)]) -> JSONText {
            .array(values.map { .array([.decimal($0.0, digits: 3), .decimal($0.1, digits: 2)]) })
        }
        return .object([
            ("name", .string(name)), ("videoLatencyMs", points(videoLatency)),
            ("audioLatencyMs", points(audioLatency)), ("freezes", points(freezes)),
            ("neverShown", .array(neverShown.map { .decimal($0, digits: 3) })), ("wireKbps", points(wireKbps)),
            ("mediaKbps", points(mediaKbps)), ("estimateKbps", points(estimateKbps)),
            ("lossPercent", points(lossPercent)), ("skewMs", points(skewMs)),
            (
                "pictures",
                .array(
                    pictures.map {
                        .object([
                            ("counter", .integer($0.counter)), ("seenCounter", .integer($0.seenCounter)),
                            ("t", .decimal($0.seconds, digits: 3)), ("psnrY", .decimal($0.psnrY, digits: 2)),
                            ("sent", .string($0.sentFile)), ("seen", .string($0.seenFile)),
                        ])
                    })
            ),
        ])
    }
}

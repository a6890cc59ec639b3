/// One way of a call: what one peer sent and the other one showed and played, matched frame by frame.
public struct DirectionAnalysis: Sendable {
    public let name: String
    public let sender: PeerLog
    public let receiver: PeerLog
    /// Every picture shown, in order, with the frame it was found to be.
    public let shown: [ShownFrame]

    /// A picture that the viewer saw.
    public struct ShownFrame: Equatable, Sendable {
        /// The running counter of the frame; nil where the stamp could not be read or fits no frame sent.
        public var counter: Int?
        public var captureMs: Double?
        public var renderMs: Double
        public var width: Int
        public var height: Int
        /// The frame's position in the receiver's recording.
        public var recorded: Int?
    }

    /// The stamp in the picture counts modulo this.
    public static let stampModulus = 1024

    public init(name: String, sender: PeerLog, receiver: PeerLog) {
        (self.name, self.sender, self.receiver) = (name, sender, receiver)
        shown = Self.match(sender.videoSent, receiver.videoRendered)
    }

    /// A stamp is the newest frame sent with that remainder which was captured before the picture was shown. Frames
    /// of one remainder lie half a minute apart, so that the answer is wrong only where a picture came later than that.
    private static func match(_ sent: [PeerLog.VideoSent], _ rendered: [PeerLog.VideoRendered]) -> [ShownFrame] {
        var byStamp = [[PeerLog.VideoSent]](repeating: [], count: stampModulus)
        for frame in sent where frame.counter >= 0 { byStamp[frame.counter % stampModulus].append(frame) }
        return rendered.sorted { $0.renderMs < $1.renderMs }.map { picture in
            var shown = ShownFrame(
                counter: nil, captureMs: nil, renderMs: picture.renderMs, width: picture.width, height: picture.height,
                recorded: picture.recorded)
            if let stamp = picture.stamp, byStamp.indices.contains(stamp),
                let frame = byStamp[stamp].last(where: { $0.captureMs <= picture.renderMs })
            {
                shown.counter = frame.counter
                shown.captureMs = frame.captureMs
            }
            return shown
        }
    }

    /// The first showing of every frame that was shown, in the order of showing.
    public var firstShowings: [ShownFrame] {
        var seen: Set<Int> = []
        return shown.filter { frame in frame.counter.map { seen.insert($0).inserted } ?? false }
    }

    /// Until when the viewer could expect pictures: the last one sent, later by the usual latency.
    var endOfShowMs: Double? {
        guard let last = sender.videoSent.last?.captureMs else { return nil }
        return last + (videoLatency(50) ?? 0)
    }

    func videoLatency(_ percent: Double) -> Double? { Percentiles(videoLatencies)(percent) }

    private var videoLatencies: [Double] {
        firstShowings.compactMap { frame in frame.captureMs.map { frame.renderMs - $0 } }
    }

    /// How evenly the pictures were shown. A picture shown twice is one picture.
    public var timing: FrameTiming {
        let times = shown.enumerated().filter { index, frame in
            index == 0 || frame.counter == nil || frame.counter != shown[index - 1].counter
        }.map(\.element.renderMs)
        return FrameTiming(renderTimesMs: times, endMs: endOfShowMs ?? times.last ?? 0)
    }

    public var lipSync: LipSync {
        LipSync(
            frames: firstShowings.compactMap { frame in frame.captureMs.map { ($0, frame.renderMs) } },
            audio: receiver.audioRendered.map { ($0.captureMs, $0.renderMs) })
    }

    /// The direction as it stands in the report, without picture quality.
    public func direction() -> CallReport.Direction {
        var direction = CallReport.Direction(name: name)
        direction.video = video()
        direction.audio = audio()
        let sync = lipSync
        direction.avSkew.p50 = sync.p50
        direction.avSkew.p95Abs = sync.p95Abs
        if let inSync = sync.firstInSyncMs, let first = shown.first?.renderMs {
            direction.avSkew.firstInSyncMs = inSync - first
        }
        direction.network = network()
        return direction
    }

    private func video() -> CallReport.Video {
        var video = CallReport.Video()
        guard !sender.videoSent.isEmpty else { return video }
        let rendered = firstShowings.count
        video.framesSent = sender.videoSent.count
        video.framesRendered = rendered
        video.framesNeverShown = sender.videoSent.count - rendered
        video.bitrateKbps = rate(\.videoMediaBytes)
        guard !shown.isEmpty else { return video }
        var sizes: [[Int]: Int] = [:]
        for frame in shown { sizes[[frame.width, frame.height], default: 0] += 1 }
        // Ties go to the larger picture, so that the answer does not hang on the order of a dictionary.
        if let size = sizes.max(by: { ($0.value, $0.key[0]) < ($1.value, $1.key[0]) })?.key {
            video.width = size[0]
            video.height = size[1]
        }
        let timing = timing
        video.fps = timing.fps
        video.fpsP5 = timing.fpsP5
        video.freezes = timing.freezes.count
        video.freezeSeconds = timing.freezes.map(\.lengthMs).reduce(0, +) / 1000
        video.longestGapMs = timing.longestGapMs
        video.latency = Percentiles(videoLatencies).latency
        return video
    }

    private func audio() -> CallReport.Audio {
        var audio = CallReport.Audio()
        audio.latency = Percentiles(receiver.audioRendered.map { $0.renderMs - $0.captureMs }).latency
        if let last = receiver.counters.last?.counters {
            if let played = last.samplesPlayed, played > 0 {
                if let concealed = last.samplesConcealed {
                    audio.concealedPercent =
                        Double(max(0, concealed - (last.samplesSilentConcealed ?? 0))) / Double(played) * 100
                }
                audio.recoveredPercent = last.samplesRecovered.map { Double($0) / Double(played) * 100 }
            }
            audio.interruptions = last.interruptions
        }
        audio.bitrateKbps = rate(\.audioMediaBytes)
        return audio
    }

    private func network() -> CallReport.Network {
        var network = CallReport.Network()
        if let sent = sender.counters.last?.counters {
            network.packetsSent = sent.packetsSent
            network.wireBytes = sent.wireBytes
            if sent.audioMediaBytes != nil || sent.videoMediaBytes != nil {
                network.mediaBytes = (sent.audioMediaBytes ?? 0) + (sent.videoMediaBytes ?? 0)
            }
            network.expansion = ratio(sent.wireBytes, network.mediaBytes)
            network.videoExpansion = ratio(sent.videoPayloadBytes, sent.videoMediaBytes)
            network.nacks = sent.nacks
            network.retransmissions = sent.retransmissions
            network.plis = sent.plis
            if let packets = sent.packetsSent, packets > 0,
                let received = receiver.counters.last?.counters.packetsReceived
            {
                // Duplicates of the network can make up for losses; less than no loss there is not.
                network.packetsLostPercent = Double(max(0, packets - received)) / Double(packets) * 100
            }
        }
        network.estimateKbps = sender.counters.last(where: { $0.counters.estimateKbps != nil })?.counters.estimateKbps
        network.queueDelayP95 = Percentiles(sender.counters.compactMap(\.counters.queueDelayMs).map(Double.init))(95)
        network.fecRecovered = receiver.counters.last?.counters.fecRecovered
        return network
    }

    private func ratio(_ above: Int?, _ below: Int?) -> Double? {
        guard let above, let below, below > 0 else { return nil }
        return Double(above) / Double(below)
    }

    /// Bytes by the whole time of sending, as kbit/s.
    private func rate(_ path: KeyPath<PeerCounters, Int?>) -> Double? {
        guard let seconds = sender.sendingSeconds,
            let bytes = sender.counters.last(where: { $0.counters[keyPath: path] != nil })?.counters[keyPath: path]
        else { return nil }
        return Double(bytes) * 8 / 1000 / seconds
    }
}

/// The report of a call: what `petrel call --json` prints. A contract: fields may be added, never renamed.
///
/// Times in milliseconds, rates in kbit/s; a value that is not known is nil and printed as `null`, never as 0.
public struct CallReport: Sendable {
    /// The version of this shape.
    public static let schema = 1

    public var seed: UInt64?
    /// How long media was sent.
    public var seconds: Double?
    /// The description of the link per direction, for example `delay=20,loss=5`.
    public var link = Link()
    public var connect = Connect()
    public var directions: [Direction] = []
    public var process: [Process] = []
    public var relay = Relay()
    /// What to know beside the numbers: sources that had to be replaced, pictures that could not be compared.
    public var notes: [String] = []

    public init() {}

    public struct Link: Sendable {
        public var ab: String?
        public var ba: String?
        public init(ab: String? = nil, ba: String? = nil) { (self.ab, self.ba) = (ab, ba) }
    }

    /// Steps of the set-up in milliseconds from creating the offer, seen at the callee.
    public struct Connect: Sendable {
        public var iceMs: Double?
        public var dtlsMs: Double?
        public var firstAudioMs: Double?
        public var firstFrameMs: Double?
        public init() {}
    }

    /// Three percentiles of a latency.
    public struct Latency: Equatable, Sendable {
        public var p50: Double?
        public var p95: Double?
        public var p99: Double?
        public init(p50: Double? = nil, p95: Double? = nil, p99: Double? = nil) {
            (self.p50, self.p95, self.p99) = (p50, p95, p99)
        }
    }

    public struct Direction: Sendable {
        /// `caller->callee` or `callee->caller`.
        public var name: String
        public var video = Video()
        public var audio = Audio()
        public var avSkew = Skew()
        public var network = Network()
        public init(name: String) { self.name = name }
    }

    public struct Video: Sendable {
        /// The size most frames were shown in.
        public var width: Int?
        public var height: Int?
        public var framesSent: Int?
        /// Different frames of those sent that were shown.
        public var framesRendered: Int?
        public var fps: Double?
        /// The 5th percentile of the frames per second over windows of one second.
        public var fpsP5: Double?
        public var framesNeverShown: Int?
        public var freezes: Int?
        public var freezeSeconds: Double?
        public var longestGapMs: Double?
        /// Capture to render of the same frame.
        public var latency = Latency()
        public var psnrY: Double?
        public var ssim: Double?
        /// Every how many source frames psnrY and ssim looked at one.
        public var qualityEveryNth: Int?
        public var bitrateKbps: Double?
        public init() {}
    }

    public struct Audio: Sendable {
        public var latency = Latency()
        /// Samples made up by concealment, silent concealment left out, of all played.
        public var concealedPercent: Double?
        /// Samples whose packets were lost and repaired in time, of all played.
        public var recoveredPercent: Double?
        public var interruptions: Int?
        public var bitrateKbps: Double?
        public init() {}
    }

    /// Video render minus audio render at equal capture time.
    public struct Skew: Sendable {
        public var p50: Double?
        /// The 95th percentile of the skew without its sign.
        public var p95Abs: Double?
        /// From the first frame shown to the first one from which on a whole second stayed in sync.
        public var firstInSyncMs: Double?
        public init() {}
    }

    public struct Network: Sendable {
        public var packetsSent: Int?
        public var packetsLostPercent: Double?
        /// Encoder output, audio and video.
        public var mediaBytes: Int?
        /// All UDP payloads sent, feedback and control included.
        public var wireBytes: Int?
        /// wireBytes / mediaBytes.
        public var expansion: Double?
        /// Video in RTP payloads / video out of the encoder.
        public var videoExpansion: Double?
        public var nacks: Int?
        public var retransmissions: Int?
        public var fecRecovered: Int?
        public var plis: Int?
        public var estimateKbps: Int?
        public var queueDelayP95: Double?
        public init() {}
    }

    public struct Process: Sendable {
        public var name: String
        /// Of one core, while the call ran.
        public var cpuPercent: Double?
        public var maxRssMB: Double?
        /// Of its child processes (the readers of media files), of one core.
        public var childrenCpuPercent: Double?
        public init(name: String) { self.name = name }
    }

    public struct Relay: Sendable {
        /// The share of the peers' datagrams that crossed the relay.
        public var seenPercent: Double?
        public init(seenPercent: Double? = nil) { self.seenPercent = seenPercent }
    }
}

extension CallReport {
    /// The report as JSON.
    public var json: JSONText {
        .object([
            ("schema", .integer(Self.schema)),
            ("seed", seed.map { $0 <= UInt64(Int.max) ? .integer(Int($0)) : .string(String($0)) } ?? .null),
            ("seconds", .optional(seconds)),
            (
                "link",
                .object([
                    ("ab", link.ab.map { .string($0) } ?? .null), ("ba", link.ba.map { .string($0) } ?? .null),
                ])
            ),
            (
                "connect",
                .object([
                    ("iceMs", .optional(connect.iceMs)), ("dtlsMs", .optional(connect.dtlsMs)),
                    ("firstAudioMs", .optional(connect.firstAudioMs)),
                    ("firstFrameMs", .optional(connect.firstFrameMs)),
                ])
            ),
            ("directions", .array(directions.map(\.json))),
            ("process", .array(process.map(\.json))),
            ("relay", .object([("seenPercent", .optional(relay.seenPercent, digits: 3))])),
            ("notes", .array(notes.map { .string($0) })),
        ])
    }

    /// The report as text to print, without a line break at its end.
    public var text: String { json.text(pretty: true) }
}

extension CallReport.Latency {
    var json: JSONText {
        .object([("p50", .optional(p50)), ("p95", .optional(p95)), ("p99", .optional(p99))])
    }
}

extension CallReport.Direction {
    var json: JSONText {
        .object([
            ("name", .string(name)),
            (
                "video",
                .object([
                    ("width", .optional(video.width)), ("height", .optional(video.height)),
                    ("framesSent", .optional(video.framesSent)), ("framesRendered", .optional(video.framesRendered)),
                    ("fps", .optional(video.fps)), ("fpsP5", .optional(video.fpsP5)),
                    ("framesNeverShown", .optional(video.framesNeverShown)),
                    ("freezes", .optional(video.freezes)),
                    ("freezeSeconds", .optional(video.freezeSeconds, digits: 3)),
                    ("longestGapMs", .optional(video.longestGapMs)), ("latencyMs", video.latency.json),
                    ("psnrY", .optional(video.psnrY)), ("ssim", .optional(video.ssim, digits: 4)),
                    ("qualityEveryNth", .optional(video.qualityEveryNth)),
                    ("bitrateKbps", .optional(video.bitrateKbps, digits: 1)),
                ])
            ),
            (
                "audio",
                .object([
                    ("latencyMs", audio.latency.json),
                    ("concealedPercent", .optional(audio.concealedPercent)),
                    ("recoveredPercent", .optional(audio.recoveredPercent)),
                    ("interruptions", .optional(audio.interruptions)),
                    ("bitrateKbps", .optional(audio.bitrateKbps, digits: 1)),
                ])
            ),
            (
                "avSkewMs",
                .object([
                    ("p50", .optional(avSkew.p50)), ("p95Abs", .optional(avSkew.p95Abs)),
                    ("firstInSyncMs", .optional(avSkew.firstInSyncMs)),
                ])
            ),
            (
                "network",
                .object([
                    ("packetsSent", .optional(network.packetsSent)),
                    ("packetsLostPercent", .optional(network.packetsLostPercent)),
                    ("mediaBytes", .optional(network.mediaBytes)), ("wireBytes", .optional(network.wireBytes)),
                    ("expansion", .optional(network.expansion, digits: 3)),
                    ("videoExpansion", .optional(network.videoExpansion, digits: 3)),
                    ("nacks", .optional(network.nacks)), ("retransmissions", .optional(network.retransmissions)),
                    ("fecRecovered", .optional(network.fecRecovered)), ("plis", .optional(network.plis)),
                    ("estimateKbps", .optional(network.estimateKbps)),
                    ("queueDelayMs", .object([("p95", .optional(network.queueDelayP95))])),
                ])
            ),
        ])
    }
}

extension CallReport.Process {
    var json: JSONText {
        .object([
            ("name", .string(name)), ("cpuPercent", .optional(cpuPercent, digits: 1)),
            ("maxRssMB", .optional(maxRssMB, digits: 1)),
            ("childrenCpuPercent", .optional(childrenCpuPercent, digits: 1)),
        ])
    }
}

public import PetrelCongestion
public import PetrelCore
public import PetrelICE
public import PetrelLab
public import PetrelMedia
public import PetrelPeer
public import PetrelPlayout

/// A call to be rehearsed in virtual time.
public struct VirtualCallConfiguration: Sendable {
    /// What is sent as a picture.
    public enum Video: Sendable {
        case none
        /// A moving test card with a stamped counter, through the real encoder and decoder.
        case testCard(width: Int, height: Int, framesPerSecond: Double)
        /// Recorded pictures with a stamped counter, through the real encoder and decoder.
        case film(VirtualFilm)
        /// Frames of made-up bytes, for thousands of runs that ask about the transport only. They are shown as they
        /// come whole: nothing is decoded.
        case synthetic(framesPerSecond: Double, bytesPerFrame: Int, bytesPerKeyFrame: Int)

        var framesPerSecond: Double {
            switch self {
            case .none: 1
            case .testCard(_, _, let rate), .synthetic(let rate, _, _): rate
            case .film(let film): film.framesPerSecond
            }
        }
    }

    /// What one side of the call does differently.
    public struct Side: Sendable {
        /// How much faster than true time its clock runs, in parts per million.
        public var clockDriftPPM = 0.0
        /// Where its monotonic clock stands when the call begins.
        public var clockStart = TimeDelta.seconds(1000)
        /// First sequence numbers and timestamps, to begin just before a wrap.
        public var streamStart: SendStream.Start?
        /// Its certificate is another one than it announces: it must never be talked to.
        public var announcesWrongFingerprint = false
        public init() {}
    }

    /// Everything random comes from it.
    public var seed: UInt64 = 1
    /// How long the call lasts, from the creation of the offer on.
    public var duration = TimeDelta.seconds(10)
    /// The link from the caller to the callee, and back.
    public var callerToCallee: LinkDescription
    public var calleeToCaller: LinkDescription
    public var video = Video.testCard(width: 1280, height: 720, framesPerSecond: 30)
    /// Made-up frames go through the buffer of the screen like real ones, to ask about its delay; otherwise they are
    /// shown as they come whole.
    public var buffersSynthetic = false
    public var hasAudio = true
    /// What is said; nil: a voice made up from the seed.
    public var speech: VirtualSpeech?
    /// Every how many pictures one is compared with what the viewer saw; nil: none, which saves time.
    public var judgesEveryNth: Int?
    public var caller = Side()
    public var callee = Side()
    /// The time an offer or answer takes to reach the other side.
    public var signallingDelay = TimeDelta.zero
    /// Candidates follow the descriptions one by one (RFC 8838), each after this long; nil: they are in them.
    public var trickleDelay: TimeDelta?
    /// Changes the offer on its way, as another stack would have written it.
    public var rewriteOffer: (@Sendable (String) -> String)?
    /// Changes the answer on its way, as another stack would have written it.
    public var rewriteAnswer: (@Sendable (String) -> String)?
    /// Both sides have IPv6 addresses only.
    public var usesIPv6 = false
    /// Whether the two may agree on the repair code of their own; otherwise they are to each other what a browser is.
    public var usesRepairCode = true
    public var bandwidth = BandwidthEstimator.Configuration()
    /// Both sides say what frames lean on and which of them they have decoded, as Petrel's peers do among themselves.
    public var usesFrameReferences = true
    /// The rate the video encoder is set to at the most.
    public var maximumVideoRate = DataRate.kilobitsPerSecond(1800)
    /// What codecs take, as constants: a call must not depend on how busy the machine is.
    public var encodeTime = TimeDelta.milliseconds(8)
    public var decodeTime = TimeDelta.milliseconds(3)
    public var audioEncodeTime = TimeDelta.microseconds(300)

    public init(callerToCallee: LinkDescription, calleeToCaller: LinkDescription) {
        self.callerToCallee = callerToCallee
        self.calleeToCaller = calleeToCaller
    }

    /// The same link both ways, by its description (`delay=20,loss=5`).
    public init(link: String) throws {
        let description = try LinkDescription(parsing: link)
        self.init(callerToCallee: description, calleeToCaller: description)
    }
}

/// What happened in a rehearsed call. All times are true time since the offer was created.
public struct VirtualCallResult: Sendable {
    /// A picture that was shown.
    public struct Picture: Sendable {
        /// When it was captured and shown.
        public var captured: Instant
        public var rendered: Instant
        /// The counter read from the picture; nil for synthetic frames, or where it could not be read.
        public var stamp: Int?
        /// Its number among the pictures captured, found by its stamp, and its size; nil where it has no stamp.
        public var index: Int?
        public var width: Int?
        public var height: Int?
    }
    /// A picture that was handed to the transport.
    public struct SentPicture: Sendable {
        /// Its number among the pictures captured, and when it was.
        public var index: Int
        public var captured: Instant
        /// What it is as a frame of the encoder.
        public var bytes: Int
        public var isKeyFrame: Bool
        /// What the encoder was set to by then.
        public var rate: DataRate
    }
    /// A picture captured and the one the viewer had instead of it, or itself.
    public struct Comparison: Sendable {
        /// When it was captured, its number, and the number of the one seen.
        public var captured: Instant
        public var index: Int
        public var seen: Int
        /// ``PictureQuality`` of what was seen.
        public var psnrY: Double
        public var ssim: Double
    }
    /// 10 ms of sound that were played.
    public struct Sound: Sendable {
        /// Where the sound comes from.
        public enum Kind: Sendable, Hashable { case normal, silence, recovered, concealed }
        /// When it was captured, as far as known, when it was played, and where it comes from.
        public var captured: Instant?
        public var played: Instant
        public var kind: Kind
        /// The loudness of the block: root of the mean square, 0...32768.
        public var level: Double
    }
    /// One direction, as its receiver saw it.
    public struct Direction: Sendable {
        /// What was sent.
        public var picturesCaptured = 0
        public var picturesSent = 0
        public var videoBytesSent = 0
        /// Every picture handed to the transport, and the bytes of sound that were.
        public var sentPictures: [SentPicture] = []
        public var audioBytesSent = 0
        /// What was shown and heard.
        public var pictures: [Picture] = []
        public var sounds: [Sound] = []
        /// What the audio buffer counted.
        public var audioStatistics = AudioReceiverStatistics()
        /// Pictures compared with their originals, where the configuration asks for it.
        public var comparisons: [Comparison] = []
        /// Freezes of the picture, errors of the decoder, key frames.
        public var freezes = 0
        public var decoderErrors = 0
        public var keyFramesSent = 0
        /// From the creation of the offer to the first picture.
        public var firstPicture: Instant? { pictures.first?.rendered }

        /// From capture to render of each picture.
        public var videoLatencies: [TimeDelta] { pictures.map { $0.rendered - $0.captured } }
        /// From capture to playout of each 10 ms.
        public var audioLatencies: [TimeDelta] {
            sounds.compactMap { sound in sound.captured.map { sound.played - $0 } }
        }
        /// The share of sound, silence left out, that was made up.
        public var concealedShare: Double {
            let heard = sounds.filter { $0.kind != .silence }
            return heard.isEmpty ? 0 : Double(heard.count { $0.kind == .concealed }) / Double(heard.count)
        }
        /// Picture delay less sound delay at each picture, in milliseconds.
        public var skews: [Double] = []
        public init() {}
    }

    /// Both directions, and when each side was connected.
    public var callerToCallee = Direction()
    public var calleeToCaller = Direction()
    public var callerConnected: Instant?
    public var calleeConnected: Instant?
    /// State changes of each side, in words.
    public var callerStates: [(at: Instant, state: String)] = []
    public var calleeStates: [(at: Instant, state: String)] = []
    /// A hash over every datagram: time, addresses, bytes, fate.
    public var traceHash: UInt64 = 0
    public var datagrams: UInt64 = 0
    public init() {}
}

/// What else one side of a rehearsed call has noticed. All times are true time since the offer was created.
public struct VirtualCallLog: Sendable {
    /// What ICE, the path and the other side's tracks went through, in order.
    public var iceStates: [(at: Instant, state: String)] = []
    public var paths: [(at: Instant, path: ICEPath)] = []
    public var tracksAdded: [(at: Instant, track: RemoteTrackID, kind: StreamKind)] = []
    public var tracksRemoved: [(at: Instant, track: RemoteTrackID)] = []
    /// What came of each track of the other side.
    public var videoFrames: [RemoteTrackID: Int] = [:]
    public var audioPackets: [RemoteTrackID: Int] = [:]
    public var lastAudioPacket: Instant?
}

/// Order statistics of a list.
public enum Quantile {
    /// The value below which the share `quantile` of all lies (nearest rank); nil for none.
    public static func of<Value: Comparable>(_ values: [Value], _ quantile: Double) -> Value? {
        guard !values.isEmpty else { return nil }
        let sorted = values.sorted()
        let rank = Int((quantile * Double(sorted.count)).rounded(.up)) - 1
        return sorted[min(max(rank, 0), sorted.count - 1)]
    }
}

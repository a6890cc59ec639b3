public import PetrelCore

/// Keeps picture and sound of one source together: from what each stream's delay is, the least delays that both
/// receivers shall keep.
///
/// Skew is the render time of the picture less that of the sound captured with it: positive where the sound is
/// early. The stream that would be early waits for the other, up to a tolerance below what anybody notices
/// (ITU-R BT.1359-1: 45 ms early, 125 ms late); the later one is never delayed. So the call is never slower than
/// its slower stream.
public struct AVSync: Sendable {
    public struct Configuration: Sendable, Hashable {
        /// Skew that is left alone. Correcting less would delay a stream for what nobody perceives.
        public var tolerance: TimeDelta
        /// The most that sound is delayed for the picture.
        public var maximumAudioDelay: TimeDelta
        /// The most that the picture is delayed for the sound.
        public var maximumVideoDelay: TimeDelta
        /// How fast the wanted delay of the sound moves, as a share of time. Stretching follows at its own speed.
        public var audioRate: Double
        /// How fast the wanted delay of the picture moves, as a share of time.
        public var videoRate: Double

        public init(
            tolerance: TimeDelta = .milliseconds(12), maximumAudioDelay: TimeDelta = .milliseconds(200),
            maximumVideoDelay: TimeDelta = .milliseconds(400), audioRate: Double = 0.1, videoRate: Double = 0.2
        ) {
            self.tolerance = tolerance
            self.maximumAudioDelay = maximumAudioDelay
            self.maximumVideoDelay = maximumVideoDelay
            self.audioRate = audioRate
            self.videoRate = videoRate
        }
    }

    /// The delay of one stream now.
    public struct StreamDelay: Sendable, Hashable {
        /// From capture to render, output device included, of what is rendered now.
        public var captureToRender: TimeDelta
        /// The part of it that the receiver's buffer makes up (``AudioPull/bufferDelay``,
        /// ``VideoTimeline/currentDelay``).
        public var buffer: TimeDelta
        /// What the buffer would be without a minimum (``AudioReceiver/jitterDelay``, ``VideoTimeline/ownDelay``).
        public var own: TimeDelta

        public init(captureToRender: TimeDelta, buffer: TimeDelta, own: TimeDelta) {
            self.captureToRender = captureToRender
            self.buffer = buffer
            self.own = own
        }
    }

    /// How long from the first update on the delays are set at once instead of moved: there is nothing yet that a
    /// viewer could compare with. 500 ms.
    public static let opening: TimeDelta = .milliseconds(500)

    /// How it was set up.
    public let configuration: Configuration
    /// The least buffer delay for the sound: for ``AudioReceiver/setMinimumDelay(_:)``.
    public private(set) var audioMinimum: TimeDelta = .zero
    /// The least buffer delay for the picture: for ``VideoReceiver/setMinimumDelay(_:)``.
    public private(set) var videoMinimum: TimeDelta = .zero
    /// The skew at the last update, as measured.
    public private(set) var skew: TimeDelta?
    /// By how much the sound is held back for the picture.
    public private(set) var audioExtra: TimeDelta = .zero
    /// By how much the picture is held back for the sound.
    public private(set) var videoExtra: TimeDelta = .zero

    private var smoothed: Double?
    /// 0 up to 5 % loss, 1 from 10 % on.
    private var heavyLoss = 0.0
    /// The most that sound waits for a picture under heavy loss: 60 ms.
    private static let longestWaitUnderLoss = TimeDelta.milliseconds(60)
    /// By how much each buffer exceeds its own wish when nobody asks it to: audio moves in blocks.
    private var audioSlack: TimeDelta = .milliseconds(6)
    private var videoSlack: TimeDelta = .zero
    /// Slack is a matter of one block of sound or so: 15 ms. Beyond, a buffer is still on its way.
    private static let longestSlack: TimeDelta = .milliseconds(15)
    private var first: Instant?
    private var isOpening = true
    private var last: Instant?

    public init(configuration: Configuration = Configuration()) { self.configuration = configuration }

    /// How soon ``update(audio:video:at:)`` wants to be called again: often in the opening, ten times per second after it.
    public var interval: TimeDelta { isOpening ? .milliseconds(25) : .milliseconds(100) }

    /// Tells how much of the sound is lost on its way, 0...1. Where much is lost the picture waits for its repair; sound
    /// that would wait for it fully would spoil the conversation: it then stays somewhat early, and waits 60 ms at most.
    public mutating func setLoss(_ loss: Double) { heavyLoss = max(0, min(1, (loss - 0.05) / 0.05)) }

    /// Skew that is left alone at the loss told: up to 20 ms more than the configuration says.
    private var tolerance: TimeDelta { configuration.tolerance + .milliseconds(20) * heavyLoss }

    private var maximumAudioDelay: TimeDelta {
        let most = configuration.maximumAudioDelay
        return most - max(.zero, most - Self.longestWaitUnderLoss) * heavyLoss
    }

    /// Takes both delays and moves the minima. Call it once as soon as both streams have something to render, and then
    /// every ``interval``: in the ``opening`` it sets the delays without moving there slowly.
    public mutating func update(audio: StreamDelay, video: StreamDelay, at now: Instant) {
        skew = video.captureToRender - audio.captureToRender
        if audioExtra == .zero { audioSlack = Self.slack(audioSlack, audio) }
        if videoExtra == .zero { videoSlack = Self.slack(videoSlack, video) }
        // What the skew would be if nobody waited for anybody.
        let naturalAudio = audio.captureToRender - audio.buffer + audio.own + audioSlack
        let naturalVideo = video.captureToRender - video.buffer + video.own + videoSlack
        let natural = (naturalVideo - naturalAudio).seconds
        let passed = last.map { max(0, min(1, (now - $0).seconds)) } ?? 0
        let begin = first ?? now
        first = begin
        last = now
        isOpening = now - begin < Self.opening
        // Half a second of smoothing: single blocks and frames move by their grid. The first frame may have waited for
        // the connection and says little: at the beginning what comes last counts for more.
        let smoothing = isOpening ? 0.05 : 0.5
        let value = smoothed.map { $0 + (natural - $0) * min(1, passed / smoothing) } ?? natural
        smoothed = value.isFinite ? value : 0

        let beyond = max(0, abs(value) - tolerance.seconds)
        let wantedAudio = value > 0 ? min(TimeDelta.seconds(beyond), maximumAudioDelay) : .zero
        let wantedVideo = value < 0 ? min(TimeDelta.seconds(beyond), configuration.maximumVideoDelay) : .zero
        audioExtra =
            isOpening ? wantedAudio : move(audioExtra, to: wantedAudio, by: configuration.audioRate * passed)
        videoExtra =
            isOpening ? wantedVideo : move(videoExtra, to: wantedVideo, by: configuration.videoRate * passed)
        audioMinimum = audioExtra > .zero ? audio.own + audioSlack + audioExtra : .zero
        videoMinimum = videoExtra > .zero ? video.own + videoSlack + videoExtra : .zero
    }

    /// One stream ended or was muted: nobody waits for it.
    public mutating func release() {
        audioExtra = .zero
        videoExtra = .zero
        audioMinimum = .zero
        videoMinimum = .zero
        smoothed = nil
        skew = nil
        first = nil
        last = nil
        isOpening = true
    }

    private static func slack(_ slack: TimeDelta, _ stream: StreamDelay) -> TimeDelta {
        let measured = max(.zero, min(longestSlack, stream.buffer - stream.own))
        return slack + (measured - slack) * 0.2
    }

    private func move(_ value: TimeDelta, to wanted: TimeDelta, by seconds: Double) -> TimeDelta {
        let step = TimeDelta.seconds(seconds)
        return wanted > value ? min(wanted, value + step) : max(wanted, value - step)
    }
}

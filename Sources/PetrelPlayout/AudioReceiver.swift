public import PetrelCodecs
public import PetrelCore

/// From Opus packets as they come to 10 ms of sound whenever it is asked: an adaptive jitter buffer with decoder,
/// time stretching and loss concealment.
///
/// Sans-I/O and deterministic: it is told the time, the same calls give the same samples. Use it from one thread
/// at a time. After warm-up neither ``insert(timestamp:sequence:payload:arrival:captureTime:)`` nor
/// ``pull(at:into:)`` allocates.
///
/// How it thinks: the fastest packet of the last seconds defines when each sample could have been here (the
/// baseline). The *buffer delay* is how much later than that a sample is played. Jitter gives a target for it;
/// time stretching moves it there without a seam; where packets are missing it moves at once. When a packet is late
/// and nothing follows it, playout holds its place, so that late speech is heard late instead of cut. When a packet
/// is missing and a later one is here, its time is filled and passes.
public final class AudioReceiver {
    /// How a receiver is set up.
    public struct Configuration: Sendable, Hashable {
        /// Interleaved channels of the output: 1 or 2.
        public var channels: Int
        /// The buffer delay aimed for until jitter has been measured (half a second).
        public var startDelay: TimeDelta
        /// The most delay ever aimed for, by jitter or by ``AudioReceiver/setMinimumDelay(_:)``. If it grows beyond
        /// ``maximumPackets`` packets, packets are discarded instead of kept.
        public var maximumDelay: TimeDelta
        /// The most packets kept: 256 is 5.1 s of 20 ms packets. If it grows, so does what a hostile sender can make
        /// us hold.
        public var maximumPackets: Int
        /// By how much decoded sound lags behind its timestamp (the encoder's lookahead): 6.5 ms for Opus in its
        /// common modes. Capture times of ``AudioPull`` are corrected by it.
        public var codecDelay: TimeDelta

        public init(
            channels: Int = 1, startDelay: TimeDelta = .milliseconds(15), maximumDelay: TimeDelta = .milliseconds(1000),
            maximumPackets: Int = 256, codecDelay: TimeDelta = .microseconds(6500)
        ) {
            self.channels = channels
            self.startDelay = startDelay
            self.maximumDelay = maximumDelay
            self.maximumPackets = maximumPackets
            self.codecDelay = codecDelay
        }
    }

    /// Samples per channel in one pull: 10 ms at 48 kHz.
    public static let samplesPerPull = 480
    /// The longest payload taken, in bytes: six frames of 1275 bytes (RFC 6716 section 3.2.5) and their header.
    public static let maximumPayload = 7680
    /// Concealment of this length counts as an interruption: 150 ms.
    public static let interruptionLength: TimeDelta = .milliseconds(150)

    /// How it was set up.
    public let configuration: Configuration
    /// What it has counted.
    public internal(set) var statistics = AudioReceiverStatistics()

    let decoder: any AudioFrameDecoder
    let stretch = TimeStretch()
    let samples: PlayoutSamples
    /// Concealment that continues old sound, to blend new sound in after a jump.
    let seam: UnsafeMutableBufferPointer<Int16>
    var queue: AudioPacketQueue
    var delay: AudioDelayTarget
    var repair = AudioRepairDelay()
    var pulls = PullClock()

    /// The external minimum, in ticks.
    var minimumDelay: Int64 = 0
    /// The timestamp of the sample that is decoded next; nil before the first packet plays.
    var nextTimestamp: Int64?
    /// The sequence number of the packet decoded last.
    var lastSequence: Int64?
    /// Samples per channel of the packet decoded last.
    var packetLength = 960
    /// The packet decoded last said that the sender pauses (DTX).
    var isPaused = false
    /// Samples concealed without a decoded packet between them.
    var concealedRun = 0
    /// Samples of pause without a packet between them.
    var pausedRun = 0
    /// The gain of concealment, 1 down to 0, and the gain at which the next sound starts.
    var gain: Float = 1
    /// The next decoded packet does not follow what was played: blend it in.
    var joinPending = false
    /// The share of recent packets that carry FEC.
    var fecShare = 0.0
    /// The timestamp of the packet whose FEC was played.
    var usedFEC: Int64?
    var highestTimestamp: Int64?
    var recentlyPlayed = RecentPackets()
    var suspicion = Suspicion()
    var waits = RecentLeast(partLength: 12_000)
    var budget = StretchBudget()

    /// - Throws: ``CodecError`` where the decoder cannot be created.
    public convenience init(configuration: Configuration = Configuration()) throws(CodecError) {
        self.init(configuration: configuration, decoder: try OpusDecoder(channels: configuration.channels))
    }

    init(configuration: Configuration, decoder: any AudioFrameDecoder) {
        var configuration = configuration
        configuration.channels = configuration.channels == 2 ? 2 : 1
        configuration.maximumPackets = max(8, min(4096, configuration.maximumPackets))
        configuration.maximumDelay = max(.milliseconds(20), min(.seconds(10), configuration.maximumDelay))
        configuration.startDelay = max(.zero, min(configuration.maximumDelay, configuration.startDelay))
        self.configuration = configuration
        self.decoder = decoder
        samples = PlayoutSamples(channels: configuration.channels)
        seam = .allocate(capacity: Self.samplesPerPull * configuration.channels)
        seam.initialize(repeating: 0)
        queue = AudioPacketQueue(limit: configuration.maximumPackets)
        delay = AudioDelayTarget(start: AudioTicks.of(configuration.startDelay))
    }

    deinit { seam.deallocate() }

    /// Sets the least buffer delay to aim for: for sync with video (``AVSync``), or because a repair scheme needs the
    /// time. Clamped to 0 and ``Configuration/maximumDelay``. Playout moves there by stretching.
    public func setMinimumDelay(_ minimum: TimeDelta) {
        minimumDelay = AudioTicks.of(max(.zero, min(configuration.maximumDelay, minimum)))
    }

    /// Starts anew with the next packet: for another SSRC. What waits is dropped; the measured jitter stays.
    public func reset() {
        queue.removeAll()
        delay.reset(keepingJitter: true)
        repair.reset()
        restart()
    }

    /// The number of packets that wait.
    public var packetCount: Int { queue.count }

    /// The buffer delay aimed for now.
    public var targetDelay: TimeDelta { AudioTicks.delta(target) }
    /// The share of packets that did not arrive themselves, lately; whether they were recovered does not matter.
    public var packetLoss: Double { repair.loss }
    /// The part of ``targetDelay`` that jitter asks for.
    public var jitterDelay: TimeDelta { AudioTicks.delta(jitterTicks) }

    /// What jitter, repair and irregular pulls ask for.
    var jitterTicks: Int64 {
        var ticks = delay.ticks
        // What repair brings is as late as repair is, and as unsteady as the packets it comes in.
        if repair.ticks > 0 { ticks = max(ticks, repair.ticks + delay.inOrder) }
        ticks += Int64(pulls.lead)
        // From 1 % loss on it pays to wait for the next packet, which carries the lost one.
        if fecShare > 0.3, delay.lostShare > 0.01 { ticks += Int64(packetLength) }
        return min(ticks, maximumTicks)
    }

    var target: Int64 { min(max(jitterTicks, minimumDelay), maximumTicks) }

    private var maximumTicks: Int64 {
        min(
            AudioTicks.of(configuration.maximumDelay),
            Int64(configuration.maximumPackets) * Int64(packetLength) * 3 / 4)
    }

    func restart() {
        statistics.resynchronisations += 1
        nextTimestamp = nil
        lastSequence = nil
        highestTimestamp = nil
        isPaused = false
        joinPending = true
        suspicion = Suspicion()
        waits.reset()
    }
}

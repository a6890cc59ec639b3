internal import Logging
internal import PetrelCodecs
internal import PetrelCore
internal import PetrelIO
internal import PetrelPeer
internal import PetrelWire

/// Sound that this endpoint sends: 48 kHz, 16 bit, one channel or two.
///
/// Sound comes from an ``AudioSource`` at its pace, or from the application with ``send(_:)-([Int16])`` in pieces of any length.
/// It is encoded in packets of 20 ms on a thread of the track's own.
public final class LocalAudioTrack: Sendable {
    /// Samples per channel in one packet: 20 ms.
    public static let samplesPerPacket = 960
    /// Samples that wait for the encoder at the most: beyond 200 ms the oldest go.
    static let waitingLimit = 10

    struct Block: Sendable {
        var samples: [Int16]
        var captured: Instant
        var ticks: Int64
    }

    struct Feed: Sendable {
        /// Samples of a packet that is not whole yet, and the media time of its first.
        var rest: [Int16] = []
        var ticks: Int64 = 0
        /// When the last sample so far was captured.
        var end: Instant?
        var isMuted = false
        var isLive = false
        /// The other side asks for forward error correction (RFC 7587 section 6.1).
        var wantsFEC = false
        var bitrate: DataRate
    }

    /// A gap between what is handed over that counts as one, and is not the unevenness of the caller.
    static let gap = TimeDelta.milliseconds(100)

    let id: LocalTrackID
    /// The number of the track within the call, as in ``CallStatistics/Outbound/trackNumber``.
    public var number: Int { id.number }
    /// 1 or 2.
    public let channels: Int
    private let engine: CallEngine
    private let feed: Lock<Feed>
    private let blocks = Mailbox<Block>(limit: LocalAudioTrack.waitingLimit)
    private let encoderThread: WorkerThread
    private let source = SourceThread()

    init(
        id: LocalTrackID, channels: Int, engine: CallEngine, configuration: CallConfiguration
    ) throws(ThreadError) {
        self.id = id
        self.channels = channels
        self.engine = engine
        let feed = Lock(Feed(bitrate: .kilobitsPerSecond(configuration.audioKilobitsPerSecond)))
        self.feed = feed
        let (blocks, isDiscontinuous) = (blocks, configuration.discontinuousAudio)
        encoderThread = try WorkerThread { _ in
            AudioEncoding(
                id: id, channels: channels, isDiscontinuous: isDiscontinuous, feed: feed, blocks: blocks, engine: engine
            ).run()
        }
    }

    /// Hands over samples (interleaved where there are two channels), the last of which was captured now.
    ///
    /// Nothing handed over for a while is a silence of that length: media time goes on.
    public func send(_ samples: UnsafeBufferPointer<Int16>) {
        let now = MonotonicClock.now
        let ready = feed.withLock { feed -> [Block] in
            let first = now - PCM.duration(samples: samples.count / channels)
            if let end = feed.end, first - end > Self.gap {
                feed.ticks += Int64(feed.rest.count / channels)
                feed.ticks += MediaTime(delta: first - end, clockRate: Int32(PCM.sampleRate)).ticks
                feed.rest.removeAll(keepingCapacity: true)
            }
            feed.end = now
            feed.rest.append(contentsOf: samples)
            var ready: [Block] = []
            let size = Self.samplesPerPacket * channels
            var used = 0
            while feed.rest.count - used >= size {
                // Counted back from now: a clock of the caller's that runs a little off does not add up.
                let captured = now - PCM.duration(samples: (feed.rest.count - used) / channels)
                let block =
                    feed.isMuted ? Array(repeating: 0, count: size) : Array(feed.rest[used..<(used + size)])
                if feed.isLive { ready.append(Block(samples: block, captured: captured, ticks: feed.ticks)) }
                feed.ticks += Int64(Self.samplesPerPacket)
                used += size
            }
            feed.rest.removeFirst(used)
            return ready
        }
        for block in ready { blocks.post(block) }
    }

    /// Hands over samples as an array.
    public func send(_ samples: [Int16]) { samples.withUnsafeBufferPointer { send($0) } }

    /// Takes sound from `source` from now on, in place of the source before. Nil: from the application only.
    ///
    /// The source is asked at its pace as long as the call lasts, connected or not, like a microphone.
    public func replaceSource(_ source: (any AudioSource)?) {
        if let source, source.channels != 1, source.channels != 2 {
            engine.log(.error, "an audio source cannot be asked", ["reason": "it has \(source.channels) channels"])
        }
        let body = source.flatMap { (1...2).contains($0.channels) ? $0 : nil }.map { source in
            { @Sendable [weak self, channels] (thread: WorkerThread) in
                let samples = UnsafeMutableBufferPointer<Int16>.allocate(
                    capacity: LocalAudioTrack.samplesPerPacket * source.channels)
                samples.initialize(repeating: 0)
                defer { samples.deallocate() }
                Pacing.run(thread, rate: 50) {
                    guard try source.read(into: samples), let self else { return false }
                    // Another source took its place while it was asked.
                    guard !thread.isStopped else { return false }
                    if source.channels == channels {
                        self.send(UnsafeBufferPointer(samples))
                    } else {
                        self.send(Self.remix(samples, from: source.channels))
                    }
                    return true
                } failed: { error in
                    self?.engine.log(.warning, "an audio source ended", ["reason": "\(error)"])
                }
            }
        }
        do { try self.source.replace(body) } catch {
            engine.log(.error, "an audio source cannot be asked", ["reason": "\(error)"])
        }
    }

    /// One channel doubled, or two mixed.
    private static func remix(_ samples: UnsafeMutableBufferPointer<Int16>, from channels: Int) -> [Int16] {
        if channels == 1 { return samples.flatMap { [$0, $0] } }
        return stride(from: 0, to: samples.count - 1, by: 2).map {
            Int16((Int(samples[$0]) + Int(samples[$0 + 1])) / 2)
        }
    }

    /// While muted, silence is sent: the other side hears that the call lives.
    public var isMuted: Bool {
        get { feed.withLock { $0.isMuted } }
        set { feed.withLock { $0.isMuted = newValue } }
    }

    /// The bitrate from now on, in kbit/s: 6 to 510, and what lies outside is taken for the nearest.
    public func limit(kilobitsPerSecond: Int) {
        let rate = DataRate.kilobitsPerSecond(kilobitsPerSecond)
        let possible = OpusEncoder.bitrates
        feed.withLock { $0.bitrate = min(max(rate, possible.lowerBound), possible.upperBound) }
    }

    func set(_ sending: CallEngine.Sending) {
        feed.withLock { ($0.isLive, $0.wantsFEC) = (sending.isPossible, sending.wantsOpusFEC) }
    }

    /// Stops the threads and waits for them.
    func close() async {
        await source.close()
        blocks.close()
        await encoderThread.ended()
    }
}

/// The encoder and its thread.
private struct AudioEncoding {
    let id: LocalTrackID
    let channels: Int
    let isDiscontinuous: Bool
    let feed: Lock<LocalAudioTrack.Feed>
    let blocks: Mailbox<LocalAudioTrack.Block>
    let engine: CallEngine

    func run() {
        var settings = OpusEncoder.Configuration()
        (settings.bitrate, settings.inbandFEC) = feed.withLock { ($0.bitrate, $0.wantsFEC) }
        settings.expectedLossPercent = 10
        settings.dtx = isDiscontinuous
        let encoder: OpusEncoder
        do { encoder = try OpusEncoder(channels: channels, configuration: settings) } catch {
            engine.log(.error, "no Opus encoder", ["reason": "\(error)"])
            return
        }
        var pool = FrameBufferPool(limit: 16)
        var wasSilent = true
        while let block = blocks.take() {
            let output = pool.take(capacity: OpusEncoder.maximumPacket)
            do {
                let wanted = feed.withLock { ($0.bitrate, $0.wantsFEC) }
                if wanted != (settings.bitrate, settings.inbandFEC) {
                    (settings.bitrate, settings.inbandFEC) = wanted
                    try encoder.configure(settings)
                }
                let result = try block.samples.withUnsafeBufferPointer { samples throws(CodecError) in
                    try encoder.encode(samples, into: output)
                }
                // Opus asks for nothing to be sent while it answers DTX.
                if result.isDTX, isDiscontinuous {
                    wasSilent = true
                    continue
                }
                engine.sendAudio(
                    output, ticks: block.ticks, isFirstAfterSilence: wasSilent, level: Self.level(of: block.samples),
                    track: id, captured: block.captured)
                wasSilent = false
            } catch {
                engine.log(.error, "sound could not be encoded", ["reason": "\(error)"])
            }
        }
    }

    /// The level as RFC 6464 section 3 defines it: 0 is the loudest sine, 127 silence, in -dBov.
    static func level(of samples: [Int16]) -> AudioLevel {
        var energy = 0.0
        for sample in samples { energy += Double(sample) * Double(sample) }
        guard energy > 0, !samples.isEmpty else { return AudioLevel(level: 127, isVoice: false) }
        let decibels = 10 * Decibels.logarithm(energy / Double(samples.count) / (32768.0 * 32768.0))
        let level = UInt8(min(127, max(0, (-decibels).rounded())))
        return AudioLevel(level: level, isVoice: level < 50)
    }
}

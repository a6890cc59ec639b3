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
        var rest: [Int16] = []
        var restCaptured: Instant?
        var ticks: Int64 = 0
        var isMuted = false
        var isLive = false
    }

    let id: LocalTrackID
    let name: String
    /// 1 or 2.
    public let channels: Int
    private let engine: CallEngine
    private let feed = Lock(Feed())
    private let blocks = Mailbox<Block>(limit: LocalAudioTrack.waitingLimit)
    private let encoderThread: WorkerThread
    private let captureThread = Lock<WorkerThread?>(nil)

    init(id: LocalTrackID, name: String, channels: Int, engine: CallEngine, configuration: CallConfiguration) {
        self.id = id
        self.name = name
        self.channels = channels
        self.engine = engine
        let blocks = blocks
        encoderThread = WorkerThread { _ in
            AudioEncoding(id: id, channels: channels, blocks: blocks, engine: engine).run(configuration)
        }
    }

    /// Hands over samples (interleaved where there are two channels), the last of which was captured now.
    public func send(_ samples: UnsafeBufferPointer<Int16>) {
        let now = MonotonicClock.now
        let ready = feed.withLock { feed -> [Block] in
            let first = now - PCM.duration(samples: samples.count / channels)
            if feed.rest.isEmpty { feed.restCaptured = first }
            feed.rest.append(contentsOf: samples)
            var ready: [Block] = []
            let size = Self.samplesPerPacket * channels
            while feed.rest.count >= size {
                let captured = feed.restCaptured ?? first
                var block = Array(feed.rest[..<size])
                feed.rest.removeFirst(size)
                feed.restCaptured = captured + PCM.duration(samples: Self.samplesPerPacket)
                if feed.isMuted { block = Array(repeating: 0, count: size) }
                if feed.isLive { ready.append(Block(samples: block, captured: captured, ticks: feed.ticks)) }
                feed.ticks += Int64(Self.samplesPerPacket)
            }
            return ready
        }
        for block in ready { blocks.post(block) }
    }

    /// Hands over samples as an array.
    public func send(_ samples: [Int16]) { samples.withUnsafeBufferPointer { send($0) } }

    /// Takes sound from `source` from now on, in place of the source before. Nil: from the application only.
    public func replaceSource(_ source: (any AudioSource)?) {
        let previous = captureThread.withLock { thread in
            let previous = thread
            thread = source.map { source in
                WorkerThread { [weak self] thread in
                    let channels = self?.channels ?? 1
                    let samples = UnsafeMutableBufferPointer<Int16>.allocate(
                        capacity: LocalAudioTrack.samplesPerPacket * source.channels)
                    defer { samples.deallocate() }
                    Pacing.run(thread, rate: 50) {
                        guard let self, try source.read(into: samples) else { return false }
                        if source.channels == channels {
                            self.send(UnsafeBufferPointer(samples))
                        } else {
                            self.send(Self.remix(samples, from: source.channels, to: channels))
                        }
                        return true
                    } failed: { error in
                        self?.engine.log(.warning, "an audio source ended", ["reason": "\(error)"])
                    }
                }
            }
            return previous
        }
        previous?.stop()
    }

    private static func remix(_ samples: UnsafeMutableBufferPointer<Int16>, from: Int, to: Int) -> [Int16] {
        if from == 1 { return samples.flatMap { [$0, $0] } }
        return stride(from: 0, to: samples.count - 1, by: 2).map {
            Int16((Int(samples[$0]) + Int(samples[$0 + 1])) / 2)
        }
    }

    /// While muted, silence is sent: the other side hears that the call lives.
    public var isMuted: Bool {
        get { feed.withLock { $0.isMuted } }
        set { feed.withLock { $0.isMuted = newValue } }
    }

    func setLive(_ live: Bool) { feed.withLock { $0.isLive = live } }

    func close() {
        captureThread.withLock { $0 }?.join()
        blocks.close()
        encoderThread.join()
    }
}

/// The encoder and its thread.
private struct AudioEncoding {
    let id: LocalTrackID
    let channels: Int
    let blocks: Mailbox<LocalAudioTrack.Block>
    let engine: CallEngine

    func run(_ configuration: CallConfiguration) {
        var settings = OpusEncoder.Configuration()
        settings.bitrate = .kilobitsPerSecond(configuration.audioKilobitsPerSecond)
        settings.inbandFEC = true
        settings.expectedLossPercent = 10
        settings.dtx = configuration.discontinuousAudio
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
                let result = try block.samples.withUnsafeBufferPointer { samples throws(CodecError) in
                    try encoder.encode(samples, into: output)
                }
                // Opus asks for nothing to be sent while it answers DTX.
                if result.isDTX, configuration.discontinuousAudio {
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

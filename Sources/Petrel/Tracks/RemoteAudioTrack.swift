internal import Logging
internal import PetrelCodecs
public import PetrelCore
internal import PetrelIO
internal import PetrelMedia
internal import PetrelPeer
internal import PetrelPlayout

/// 10 ms of sound as it is to be heard now: 480 samples per channel at 48 kHz, interleaved.
public struct PlayedAudio: Sendable {
    /// Where the samples come from.
    public enum Origin: Sendable, Hashable {
        /// Nothing has been received yet: silence.
        case nothingYet
        case received
        /// The sender has nothing to say (DTX).
        case silence
        /// Repaired from the packet that came after a lost one.
        case recovered
        /// Made up where packets were lost.
        case concealed
    }

    /// The samples, how many channels they have, and where they come from.
    public var samples: [Int16]
    public var channels: Int
    public var origin: Origin
    /// When the first sample was captured, on the wall clock of the sender, in nanoseconds since 1970; nil while not
    /// known.
    public var captureUnixNanoseconds: Int64?
    /// When it was handed over, on `Instant`'s monotonic clock.
    public var playedAt: Instant
}

/// An encoded audio packet as it was received, for recording.
public struct ReceivedAudioPacket: Sendable {
    /// The Opus packet. Its bytes may be used again once the call that brought it has returned.
    public var payload: FrameBuffer
    /// RTP timestamp, extended to 64 bits; 48 kHz.
    public var timestamp: Int64
    /// When its first sample was captured, on the wall clock of the sender, in nanoseconds since 1970; nil while not
    /// known.
    public var captureUnixNanoseconds: Int64?
    public var arrivedAt: Instant
}

/// Sound that the other side sends, handed over every 10 ms on a thread of the track's own, losses repaired or
/// concealed.
public final class RemoteAudioTrack: Sendable {
    let id: RemoteTrackID
    /// The number of the track within the call.
    public var number: Int { id.number }
    /// The name of the stream it belongs to, if the other side gave one.
    public let stream: String?
    /// The channels of the samples handed over: 1 or 2.
    public let channels: Int
    let packets = Mailbox<EncodedAudioPacket>(limit: 256)
    private let played = SinkList<PlayedAudio>()
    private let encoded = SinkList<ReceivedAudioPacket>()
    let counters = Lock(AudioReceiverStatistics())
    private let thread: WorkerThread

    init(
        id: RemoteTrackID, stream: String?, channels: Int, engine: CallEngine, sync: SyncGroup, clock: WallClock
    ) throws(ThreadError) {
        self.id = id
        self.stream = stream
        self.channels = channels
        let (packets, played, encoded, counters) = (packets, played, encoded, counters)
        thread = try WorkerThread { thread in
            AudioPlaying(
                id: id, channels: channels, packets: packets, played: played, encoded: encoded, counters: counters,
                engine: engine, sync: sync, clock: clock
            ).run(thread)
            played.end()
            encoded.end()
            // Nobody takes them any more.
            packets.close()
            packets.removeAll()
        }
    }

    /// Calls `body` every 10 ms with what is to be heard, on the track's thread. It should return within a few
    /// milliseconds.
    public func onAudio(_ body: @escaping @Sendable (PlayedAudio) -> Void) { played.add(body) }

    /// Calls `body` with each encoded packet as it came, on the track's thread.
    public func onEncodedPacket(_ body: @escaping @Sendable (ReceivedAudioPacket) -> Void) { encoded.add(body) }

    /// The sound from now on as a sequence; where the reader is slow, the newest second. It ends with the track or the
    /// call.
    public var audio: AsyncStream<PlayedAudio> { played.stream(newest: 100) }

    /// Whether the other side, or this one, has ended it.
    var hasEnded: Bool { thread.isStopped }

    /// Asks the thread to end.
    func stop() {
        thread.stop()
        packets.close()
    }

    /// Ends the thread and waits for it.
    func close() async {
        stop()
        await thread.ended()
    }
}

/// The playout buffer and its thread.
private struct AudioPlaying {
    let id: RemoteTrackID
    let channels: Int
    let packets: Mailbox<EncodedAudioPacket>
    let played: SinkList<PlayedAudio>
    let encoded: SinkList<ReceivedAudioPacket>
    let counters: Lock<AudioReceiverStatistics>
    let engine: CallEngine
    let sync: SyncGroup
    let clock: WallClock

    func run(_ thread: WorkerThread) {
        var configuration = AudioReceiver.Configuration()
        configuration.channels = channels
        let receiver: AudioReceiver
        do { receiver = try AudioReceiver(configuration: configuration) } catch {
            engine.log(.error, "no Opus decoder", ["reason": "\(error)"])
            return
        }
        let samples = UnsafeMutableBufferPointer<Int16>.allocate(capacity: AudioReceiver.samplesPerPull * channels)
        defer { samples.deallocate() }
        var toldDelay = TimeDelta.zero
        Pacing.run(thread, rate: 100) {
            guard !packets.isClosed else { return false }
            for packet in packets.takeAll() {
                encoded.yield(
                    ReceivedAudioPacket(
                        payload: packet.payload, timestamp: packet.timestamp,
                        captureUnixNanoseconds: packet.captureTime?.unixNanoseconds, arrivedAt: packet.arrival))
                receiver.insert(
                    timestamp: packet.timestamp, sequence: packet.sequence, payload: packet.payload,
                    arrival: packet.arrival, captureTime: packet.captureTime.map { clock.instant(of: $0) },
                    origin: AudioOrigin(packet.origin), scheme: AudioRedundancyScheme(packet))
            }
            let now = MonotonicClock.now
            let pull = receiver.pull(at: now, into: samples)
            if let captured = pull.captureTime {
                let delay = AVSync.StreamDelay(
                    captureToRender: now - captured, buffer: pull.bufferDelay, own: pull.jitterDelay)
                receiver.setMinimumDelay(sync.audio(delay, loss: receiver.packetLoss, now: now))
            }
            let wait = receiver.targetDelay
            // What the peer asks for again depends on it; a few milliseconds do not matter.
            if max(wait - toldDelay, toldDelay - wait) >= .milliseconds(10) {
                toldDelay = wait
                engine.setPlayoutDelay(wait, of: id)
            }
            let statistics = receiver.statistics
            counters.withLock { $0 = statistics }
            guard !played.isEmpty, pull.kind != .none else { return true }
            played.yield(
                PlayedAudio(
                    samples: Array(samples), channels: channels, origin: PlayedAudio.Origin(pull.kind),
                    captureUnixNanoseconds: pull.captureTime.map { clock.unixNanoseconds(at: $0) }, playedAt: now))
            return true
        } failed: { _ in
        }
    }
}

extension PlayedAudio.Origin {
    init(_ kind: AudioPull.Kind) {
        switch kind {
        case .none: self = .nothingYet
        case .normal: self = .received
        case .silence: self = .silence
        case .recovered: self = .recovered
        case .concealed: self = .concealed
        }
    }
}

extension AudioOrigin {
    init(_ origin: AudioPacketOrigin) {
        switch origin {
        case .media: self = .media
        case .redundancy: self = .redundancy
        case .retransmission: self = .retransmission
        }
    }
}

extension AudioRedundancyScheme {
    init(_ packet: EncodedAudioPacket) {
        self.init(
            reach: Int(packet.redundancyReach), depth: Int(packet.redundancyDepth),
            distance: Int(packet.redundancyDistance))
    }
}

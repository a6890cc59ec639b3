internal import PetrelCongestion
internal import PetrelCore
internal import PetrelICE
internal import PetrelIO
internal import PetrelMedia
internal import PetrelPeer
internal import PetrelPlayout

/// Everything a call counts, at one moment. Names and meaning are those of W3C webrtc-stats; what has no name there
/// is said so.
public struct CallStatistics: Sendable {
    /// RTCOutboundRtpStreamStats.
    public struct Outbound: Sendable {
        /// `audio` or `video`.
        public var kind = ""
        /// ``LocalVideoTrack/number`` or ``LocalAudioTrack/number``.
        public var trackNumber = 0
        public var ssrc: UInt32 = 0
        public var packetsSent: UInt64 = 0
        /// Payload bytes without headers.
        public var bytesSent: UInt64 = 0
        public var headerBytesSent: UInt64 = 0
        public var retransmittedPacketsSent: UInt64 = 0
        public var retransmittedBytesSent: UInt64 = 0
        /// Packets of repair codes and their payload bytes (no W3C name).
        public var repairPacketsSent: UInt64 = 0
        public var repairBytesSent: UInt64 = 0
        public var nackCount: UInt64 = 0
        public var pliCount: UInt64 = 0
        public var firCount: UInt64 = 0
        public var framesEncoded: UInt64 = 0
        /// Seconds spent in the encoder.
        public var totalEncodeTime = 0.0
        public var framesSent: UInt64 = 0
        public var keyFramesEncoded: UInt64 = 0
        public var frameWidth = 0
        public var frameHeight = 0
        /// Bytes that came from the encoder (no W3C name).
        public var mediaBytes: UInt64 = 0
        /// Pictures that were not encoded because the encoder was busy, or not sent because the queue was long (no W3C
        /// name).
        public var framesDropped: UInt64 = 0
        /// Bits per second the encoder is set to.
        public var targetBitrate = 0.0
    }

    /// RTCInboundRtpStreamStats.
    public struct Inbound: Sendable {
        /// `audio` or `video`.
        public var kind = ""
        /// ``RemoteVideoTrack/number`` or ``RemoteAudioTrack/number``.
        public var trackNumber = 0
        public var ssrc: UInt32 = 0
        public var packetsReceived: UInt64 = 0
        public var packetsLost: Int64 = 0
        public var bytesReceived: UInt64 = 0
        /// Seconds.
        public var jitter = 0.0
        public var nackCount: UInt64 = 0
        public var pliCount: UInt64 = 0
        public var retransmittedPacketsReceived: UInt64 = 0
        /// Packets of repair codes that came.
        public var fecPacketsReceived: UInt64 = 0
        /// Packets that repair codes brought back (no W3C name).
        public var packetsRecovered: UInt64 = 0
        // Video
        /// Of a picture.
        public var framesReceived: UInt64 = 0
        public var framesDecoded: UInt64 = 0
        public var framesRendered: UInt64 = 0
        public var framesDropped: UInt64 = 0
        public var keyFramesDecoded: UInt64 = 0
        public var frameWidth = 0
        public var frameHeight = 0
        public var freezeCount = 0
        /// Seconds.
        public var totalFreezesDuration = 0.0
        /// Seconds spent in the decoder.
        public var totalDecodeTime = 0.0
        // Audio
        /// Of sound, in samples per channel.
        public var totalSamplesReceived: UInt64 = 0
        public var concealedSamples: UInt64 = 0
        public var silentConcealedSamples: UInt64 = 0
        public var concealmentEvents: UInt64 = 0
        /// Samples that in-band FEC brought back in time (no W3C name).
        public var recoveredSamples: UInt64 = 0
        public var insertedSamplesForDeceleration: UInt64 = 0
        public var removedSamplesForAcceleration: UInt64 = 0
        /// Silences of 150 ms and more that were made up (interruptionCount in older drafts).
        public var interruptionCount: UInt64 = 0
        // Both
        /// Seconds; divide by ``jitterBufferEmittedCount``.
        public var jitterBufferDelay = 0.0
        public var jitterBufferEmittedCount: UInt64 = 0
    }

    /// RTCTransportStats and the selected RTCIceCandidatePairStats.
    public struct Transport: Sendable {
        /// UDP datagrams of every kind.
        public var packetsSent: UInt64 = 0
        public var packetsReceived: UInt64 = 0
        /// UDP payload bytes, ICE included.
        public var bytesSent: UInt64 = 0
        public var bytesReceived: UInt64 = 0
        /// Datagrams that the system refused to send (no W3C name).
        public var sendFailures: UInt64 = 0
        /// Connectivity checks of ICE, and their authentic answers.
        public var requestsSent: UInt64 = 0
        public var responsesReceived: UInt64 = 0
        public var selectedCandidatePairChanges: UInt64 = 0
        /// Seconds; nil while not measured.
        public var currentRoundTripTime: Double?
        /// Bits per second.
        public var availableOutgoingBitrate = 0.0
        /// Milliseconds that packets wait in the path above its minimum (no W3C name).
        public var queueDelayMilliseconds = 0.0
        /// The share of our packets that the other side last reported lost (fractionLost).
        public var remoteFractionLost: Double?
        /// The loss that repair of our pictures reckons with, 0...1, and where that figure comes from (no W3C names).
        public var repairLoss = 0.0
        public var repairReason = ""
        /// What was not used, by reason (no W3C name).
        public var drops: [(reason: String, count: UInt64)] = []
    }

    /// Streams sent, streams received, and the transport that carries them all.
    public var outbound: [Outbound] = []
    public var inbound: [Inbound] = []
    public var transport = Transport()
    /// Milliseconds of picture delay less sound delay, as last measured; nil while one of them is missing (no W3C
    /// name).
    public var avSkewMilliseconds: Double?
    /// When, in nanoseconds since 1970, there was a way through the network, keys, the first packet of sound, the first
    /// whole picture (no W3C name).
    public var pathFoundAt: Int64?
    public var securedAt: Int64?
    public var firstAudioAt: Int64?
    public var firstVideoFrameAt: Int64?

    /// When the snapshot was taken, in nanoseconds since 1970 (timestamp).
    public var unixNanoseconds: Int64

    init(
        _ counts: PeerStatistics, driver: DriverCounts, tracks: Call.State, skew: TimeDelta?, wallClock: WallClock,
        unixNanoseconds: Int64
    ) {
        self.unixNanoseconds = unixNanoseconds
        outbound = counts.outbound.map { stream in
            var result = Outbound()
            result.kind = stream.kind.rawValue
            result.trackNumber = stream.track.number
            result.ssrc = stream.ssrc
            result.packetsSent = stream.counts.packetsSent
            result.bytesSent = stream.counts.bytesSent
            result.headerBytesSent = stream.counts.headerBytesSent
            result.retransmittedPacketsSent = stream.counts.retransmittedPackets
            result.retransmittedBytesSent = stream.counts.retransmittedBytes
            result.repairPacketsSent = stream.counts.repairPackets
            result.repairBytesSent = stream.counts.repairBytes
            result.nackCount = stream.counts.nacksReceived
            result.pliCount = stream.counts.plisReceived
            result.firCount = stream.counts.firsReceived
            result.framesSent = stream.counts.framesSent
            result.keyFramesEncoded = stream.counts.keyFramesSent
            result.mediaBytes = stream.counts.mediaBytes
            result.framesDropped = stream.counts.framesDropped
            if let track = tracks.localVideo.first(where: { $0.id == stream.track }) {
                let settings = track.settings.withLock { $0 }
                result.frameWidth = settings.size.width
                result.frameHeight = settings.size.height
                result.framesDropped += UInt64(settings.droppedFrames)
                result.framesEncoded = UInt64(settings.encodedFrames)
                result.totalEncodeTime = settings.encodeTime.seconds
                result.targetBitrate = Double(settings.target.bitsPerSecond)
            }
            return result
        }
        inbound = counts.inbound.map { stream in
            var result = Inbound()
            result.kind = stream.kind.rawValue
            result.trackNumber = stream.track.number
            result.ssrc = stream.ssrc
            result.packetsReceived = stream.packetsReceived
            result.packetsLost = stream.packetsLost
            result.bytesReceived = stream.bytesReceived
            result.jitter = stream.jitter.seconds
            result.nackCount = stream.counts.nacksSent
            result.pliCount = stream.counts.plisSent
            result.retransmittedPacketsReceived = stream.counts.retransmittedPacketsReceived
            result.fecPacketsReceived = stream.counts.fecPacketsReceived
            result.packetsRecovered = stream.counts.packetsRecovered
            result.framesReceived = stream.counts.framesReceived
            result.keyFramesDecoded = stream.counts.keyFramesReceived
            if let track = tracks.remoteVideo.first(where: { $0.id == stream.track }) {
                let counters = track.counters.withLock { $0 }
                result.framesDecoded = counters.playout.framesDecoded
                result.framesRendered = counters.playout.framesRendered
                result.framesDropped = counters.playout.framesDropped
                result.frameWidth = counters.size.width
                result.frameHeight = counters.size.height
                result.freezeCount = counters.freezes.freezeCount
                result.totalFreezesDuration = counters.freezes.totalFreezesDuration.seconds
                result.totalDecodeTime = counters.playout.totalDecodeTime
                result.jitterBufferDelay = counters.playout.jitterBufferDelay
                result.jitterBufferEmittedCount = counters.playout.jitterBufferEmittedCount
            }
            if let track = tracks.remoteAudio.first(where: { $0.id == stream.track }) {
                let counters = track.counters.withLock { $0 }
                result.totalSamplesReceived = counters.totalSamplesReceived
                result.concealedSamples = counters.concealedSamples
                result.silentConcealedSamples = counters.silentConcealedSamples
                result.concealmentEvents = counters.concealmentEvents
                result.recoveredSamples = counters.recoveredSamples
                result.insertedSamplesForDeceleration = counters.insertedSamplesForDeceleration
                result.removedSamplesForAcceleration = counters.removedSamplesForAcceleration
                result.interruptionCount = counters.interruptions
                result.jitterBufferDelay = counters.jitterBufferDelay
                result.jitterBufferEmittedCount = counters.jitterBufferEmittedCount
            }
            return result
        }
        let network = counts.network
        transport.packetsSent = driver.datagramsSent
        transport.packetsReceived = network.datagramsReceived
        transport.bytesSent = driver.bytesSent
        transport.sendFailures = driver.sendFailures
        transport.requestsSent = UInt64(clamping: counts.ice.requestsSent)
        transport.responsesReceived = UInt64(clamping: counts.ice.responsesReceived)
        transport.selectedCandidatePairChanges = UInt64(clamping: counts.ice.selectedPairChanges)
        transport.bytesReceived = network.bytesReceived
        transport.currentRoundTripTime = counts.roundTripTime?.seconds
        transport.availableOutgoingBitrate = Double(counts.estimate.bitsPerSecond)
        transport.queueDelayMilliseconds = counts.queueDelay.milliseconds
        transport.remoteFractionLost = network.remoteFractionLost
        transport.repairLoss = counts.repair.loss
        transport.repairReason = counts.repair.reason.rawValue
        transport.drops = counts.drops.nonZero.map { ("\($0.reason)", $0.count) }
        avSkewMilliseconds = skew?.milliseconds
        pathFoundAt = counts.milestones.pathFound.map { wallClock.unixNanoseconds(at: $0) }
        securedAt = counts.milestones.secured.map { wallClock.unixNanoseconds(at: $0) }
        firstAudioAt = counts.milestones.firstAudioPacket.map { wallClock.unixNanoseconds(at: $0) }
        firstVideoFrameAt = counts.milestones.firstVideoFrame.map { wallClock.unixNanoseconds(at: $0) }
    }
}

internal import COpus
internal import CPetrelCodecs
public import PetrelCore

/// What one call of ``OpusEncoder/encode(_:into:)`` made.
public struct OpusEncodeResult: Hashable, Sendable {
    /// The length of the packet.
    public let bytes: Int
    /// Nothing that needs to be sent: the silence goes on (discontinuous transmission).
    public let isDTX: Bool
}

/// An Opus encoder (RFC 6716) on libopus: 48 kHz, one or two channels. Use it from one thread at a time.
public final class OpusEncoder {
    /// What the sound is like: libopus tunes itself for it.
    public enum Application: Hashable, Sendable {
        /// Speech: intelligibility first.
        case voip
        /// Music: faithfulness first.
        case audio
    }

    /// How the encoder works.
    public struct Configuration: Hashable, Sendable {
        /// Kept within ``OpusEncoder/bitrates``.
        public var bitrate: DataRate
        /// 0 (fast) to 10 (good). At 9, a frame of 20 ms costs about 0.3 ms.
        public var complexity: Int
        /// Whether each packet may carry a coarse copy of the one before (RFC 6716 section 2.1.7).
        public var inbandFEC: Bool
        /// The share of packets expected to be lost, 0 to 100: without any, there is no forward error correction.
        public var expectedLossPercent: Int
        /// Whether silence is not sent.
        public var dtx: Bool
        public var application: Application

        public init(
            bitrate: DataRate = .kilobitsPerSecond(32), complexity: Int = 9, inbandFEC: Bool = true,
            expectedLossPercent: Int = 0, dtx: Bool = false, application: Application = .voip
        ) {
            self.bitrate = bitrate
            self.complexity = complexity
            self.inbandFEC = inbandFEC
            self.expectedLossPercent = expectedLossPercent
            self.dtx = dtx
            self.application = application
        }
    }

    /// The rates Opus works at (RFC 6716 section 2.1.1).
    public static let bitrates = DataRate(bitsPerSecond: 6_000)...DataRate(bitsPerSecond: 510_000)
    /// The longest packet in bytes: an Opus packet cannot be spread over several RTP packets (RFC 7587 section 4.2),
    /// and 1,200 bytes pass everywhere. If it grows, datagrams are fragmented or lost.
    public static let maximumPacket = 1200
    /// The samples per channel a frame can have: 2.5, 5, 10, 20, 40 and 60 ms.
    public static let frameSizes = [120, 240, 480, 960, 1920, 2880]

    /// 1 or 2.
    public let channels: Int
    /// The configuration in use.
    public private(set) var configuration: Configuration
    private let encoder: OpaquePointer

    /// - Throws: ``CodecError`` for any channel count but 1 and 2, or where libopus refuses.
    public init(channels: Int, configuration: Configuration = Configuration()) throws(CodecError) {
        guard channels == 1 || channels == 2 else { throw CodecError(.createEncoder, .channelCount(channels)) }
        var code: Int32 = 0
        guard
            let encoder = opus_encoder_create(
                Int32(PCM.sampleRate), Int32(channels), configuration.application.code, &code)
        else { throw CodecError(.createEncoder, .opus(code)) }
        self.encoder = encoder
        self.channels = channels
        self.configuration = configuration
        try apply(configuration)
    }

    deinit { opus_encoder_destroy(encoder) }

    /// Changes the configuration from the next frame on. A change of application starts the encoder afresh.
    public func configure(_ configuration: Configuration) throws(CodecError) {
        guard configuration != self.configuration else { return }
        if configuration.application != self.configuration.application {
            try check(petrel_opus_encoder_reset(encoder))
            try check(petrel_opus_set_application(encoder, configuration.application.code))
        }
        try apply(configuration)
        self.configuration = configuration
    }

    /// The samples per channel by which the decoded sound lags behind the one that went in.
    public var lookahead: Int {
        var samples: Int32 = 0
        return petrel_opus_get_lookahead(encoder, &samples) == OPUS_OK ? Int(samples) : 0
    }

    /// Encodes one frame.
    /// - Parameters:
    ///   - pcm: Interleaved samples: one of ``frameSizes`` times ``channels``.
    ///   - buffer: Emptied first; then it holds the packet.
    /// - Throws: ``CodecError`` for any other count of samples, or where libopus refuses.
    public func encode(
        _ pcm: UnsafeBufferPointer<Int16>, into buffer: FrameBuffer
    ) throws(CodecError) -> OpusEncodeResult {
        let samples = pcm.count / channels
        guard let start = pcm.baseAddress, pcm.count == samples * channels, Self.frameSizes.contains(samples) else {
            throw CodecError(.encode, .sampleCount(samples))
        }
        buffer.removeAll()
        var code: Int32 = 0
        buffer.append(room: Self.maximumPacket) { room in
            guard let place = room.assumingMemoryBound(to: UInt8.self).baseAddress else { return 0 }
            code = opus_encode(encoder, start, Int32(samples), place, Int32(room.count))
            return Int(code)
        }
        guard code > 0 else { throw CodecError(.encode, .opus(code)) }
        // libopus: a packet of one or two bytes does not need to be sent.
        return OpusEncodeResult(bytes: Int(code), isDTX: configuration.dtx && code <= 2)
    }

    private func apply(_ configuration: Configuration) throws(CodecError) {
        let rate = min(max(configuration.bitrate, Self.bitrates.lowerBound), Self.bitrates.upperBound)
        try check(petrel_opus_set_bitrate(encoder, Int32(clamping: rate.bitsPerSecond)))
        try check(petrel_opus_set_complexity(encoder, Int32(max(0, min(10, configuration.complexity)))))
        try check(petrel_opus_set_inband_fec(encoder, configuration.inbandFEC ? 1 : 0))
        try check(petrel_opus_set_packet_loss(encoder, Int32(max(0, min(100, configuration.expectedLossPercent)))))
        try check(petrel_opus_set_dtx(encoder, configuration.dtx ? 1 : 0))
    }

    private func check(_ code: Int32) throws(CodecError) {
        if code != OPUS_OK { throw CodecError(.configureEncoder, .opus(code)) }
    }
}

extension OpusEncoder.Application {
    fileprivate var code: Int32 {
        switch self {
        case .voip: OPUS_APPLICATION_VOIP
        case .audio: OPUS_APPLICATION_AUDIO
        }
    }
}

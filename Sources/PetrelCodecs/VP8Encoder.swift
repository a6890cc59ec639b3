internal import CPetrelCodecs
internal import CVPX
public import PetrelCore

/// What one call of ``VP8Encoder/encode(_:timestamp90k:duration:forceKeyFrame:references:into:)`` made.
public struct VP8EncodeResult: Hashable, Sendable {
    /// Whether the frame can be decoded alone.
    public let isKeyFrame: Bool
    /// The quantizer index in VP8's own scale, 0 (finest) to 127 (RFC 6386 section 9.6).
    public let quantizer: Int
    /// The length of the frame in bytes.
    public let size: Int
}

/// A VP8 encoder (RFC 6386) for calls on libvpx: one thread of work, constant bitrate, no look-ahead, key frames only
/// at the start, on request and when the size changes. Use it from one thread at a time.
///
/// The same pictures, times and settings give the same bytes, however busy the machine is.
public final class VP8Encoder {
    /// How the encoder works.
    public struct Configuration: Hashable, Sendable {
        /// Kept within ``VP8Encoder/bitrates``.
        public var bitrate: DataRate
        /// The expected rate of pictures, kept within ``VP8Encoder/frameRates``. The encoder goes by the timestamps;
        /// this is the length of a frame where none is given.
        public var framesPerSecond: Double
        /// Effort, 1 (slow, good) to 16 (fast): libvpx's `cpu-used` with a minus sign, which for VP8 means a fixed
        /// effort. (With a plus sign libvpx chooses by the clock, and no call could be replayed.)
        public var speed: Int
        /// Whether a frame can be decoded into bits (not pictures) without the one before.
        public var errorResilient: Bool
        /// Whether the encoder may leave out frames to keep to its rate.
        public var dropsFrames: Bool
        /// The most bits of a key frame in percent of the average frame; zero: no limit. A small first picture is there
        /// sooner, above all where packets are lost; the next few frames make it sharp.
        public var maximumKeyFramePercent: Int
        /// The finest and the coarsest quantizer in libvpx's scale, 0 to 63.
        public var minimumQuantizer: Int
        public var maximumQuantizer: Int
        /// Differences per block below which nothing changed; 1 for cameras, 100 and more for screens.
        public var staticThreshold: Int
        /// The rate controller's bucket: size, fill at the start and fill to aim at. Smaller means less delay and
        /// less even quality.
        public var bufferSize: TimeDelta
        public var bufferInitial: TimeDelta
        public var bufferOptimal: TimeDelta

        public init(bitrate: DataRate = .kilobitsPerSecond(1000), framesPerSecond: Double = 30) {
            self.bitrate = bitrate
            self.framesPerSecond = framesPerSecond
            speed = 8
            errorResilient = true
            dropsFrames = false
            maximumKeyFramePercent = 250
            minimumQuantizer = 2
            maximumQuantizer = 60
            staticThreshold = 1
            bufferSize = .milliseconds(600)
            bufferInitial = .milliseconds(300)
            bufferOptimal = .milliseconds(400)
        }
    }

    /// The rates the encoder is ever set to. Below the lowest the rate controller has no bits for a frame's header;
    /// above the highest its 32-bit arithmetic of bits per buffer would come near its end.
    public static let bitrates = DataRate.kilobitsPerSecond(10)...DataRate.kilobitsPerSecond(100_000)
    /// The frame rates the encoder is ever set to.
    public static let frameRates = 1.0...120.0
    /// The largest picture in pixels that is encoded by default. An encoder holds about ten pictures of 1.5 bytes a
    /// pixel: at this limit 240 MB.
    public static let defaultMaximumArea = 4096 * 4096
    /// RTP's clock for video (RFC 7741 section 4.1).
    static let clockRate = 90_000
    /// The longest step between two frames that the rate controller is told: one second.
    static let longestStep: Int64 = 90_000

    /// The configuration in use.
    public private(set) var configuration: Configuration
    /// The largest picture in pixels that is encoded.
    public let maximumArea: Int

    private var context: VP8EncoderContext?
    /// The encoder's own time: that of the timestamps without their origin, their jumps and their steps backwards.
    private var time: Int64 = 0
    private var lastTimestamp: Int64?

    public init(configuration: Configuration = Configuration(), maximumArea: Int = VP8Encoder.defaultMaximumArea) {
        self.configuration = configuration
        self.maximumArea = max(1, maximumArea)
    }

    /// Changes the rate from the next frame on.
    public func setRate(_ bitrate: DataRate, framesPerSecond: Double) throws(CodecError) {
        configuration.bitrate = bitrate
        configuration.framesPerSecond = framesPerSecond
        try applyConfiguration()
    }

    /// Changes the configuration from the next frame on. The stream goes on, unless
    /// ``Configuration/errorResilient`` changes: that starts a new encoder, whose first frame is a key frame.
    public func configure(_ configuration: Configuration) throws(CodecError) {
        let old = self.configuration
        self.configuration = configuration
        // libvpx lays out its state for error resilience when a context begins.
        if old.errorResilient != configuration.errorResilient { context = nil }
        try applyConfiguration()
    }

    /// Encodes one picture.
    ///
    /// A picture of another size than the last starts a new encoder and is a key frame: libvpx cannot grow the
    /// pictures of a context beyond those it began with.
    /// - Parameters:
    ///   - timestamp90k: The picture's time on a clock of 90 kHz. The encoder uses differences only.
    ///   - duration: How long it is shown, on the same clock; nil: as the frame rate says.
    ///   - references: What the frame may lean on and replace; nil: as libvpx thinks best. Frames with references leave
    ///     the probabilities of the last key frame as they are, so that none of them needs what another one learnt.
    ///     Without meaning in a key frame.
    ///   - frame: Emptied first; then it holds the frame.
    /// - Returns: nil where the encoder left the picture out to keep to its rate.
    /// - Throws: ``CodecError`` where the picture is too large or libvpx refuses. The encoder begins anew with the
    ///   next picture.
    public func encode(
        _ buffer: I420Buffer, timestamp90k: Int64, duration: Int64? = nil, forceKeyFrame: Bool = false,
        references: VP8References? = nil, into frame: FrameBuffer
    ) throws(CodecError) -> VP8EncodeResult? {
        frame.removeAll()
        guard buffer.width * buffer.height <= maximumArea else {
            throw CodecError(.encode, .pictureSize(width: buffer.width, height: buffer.height))
        }
        let context = try context(width: buffer.width, height: buffer.height)
        let nominal = Int64(Double(Self.clockRate) / configuration.clampedFrameRate)
        let duration = max(1, min(duration ?? nominal, Self.longestStep))
        if let lastTimestamp {
            let (step, overflow) = timestamp90k.subtractingReportingOverflow(lastTimestamp)
            time += overflow || step <= 0 ? nominal : min(step, Self.longestStep)
        }
        lastTimestamp = timestamp90k
        do throws(CodecError) {
            return try context.encode(
                buffer, time: time, duration: duration, forceKeyFrame: forceKeyFrame, references: references,
                into: frame)
        } catch {
            self.context = nil
            throw error
        }
    }

    /// A context that refused a configuration is in a state nobody knows: the next picture starts another.
    private func applyConfiguration() throws(CodecError) {
        do throws(CodecError) {
            try context?.configure(configuration)
        } catch {
            context = nil
            throw error
        }
    }

    private func context(width: Int, height: Int) throws(CodecError) -> VP8EncoderContext {
        if let context, context.width == width, context.height == height { return context }
        // The old one goes first: two at a time would need twice the memory.
        context = nil
        let new = try VP8EncoderContext(width: width, height: height, configuration: configuration)
        context = new
        (time, lastTimestamp) = (0, nil)
        return new
    }
}

extension VP8Encoder.Configuration {
    var clampedFrameRate: Double {
        framesPerSecond.isNaN
            ? 30 : min(max(framesPerSecond, VP8Encoder.frameRates.lowerBound), VP8Encoder.frameRates.upperBound)
    }
}

internal import CPetrelCodecs
internal import CVPX
internal import PetrelCore

/// One encoder context of libvpx: pictures of one size, from its first key frame to its end.
final class VP8EncoderContext {
    let width: Int
    let height: Int
    private let context: UnsafeMutablePointer<vpx_codec_ctx_t>
    private var settings = vpx_codec_enc_cfg_t()
    private var isOpen = false

    init(width: Int, height: Int, configuration: VP8Encoder.Configuration) throws(CodecError) {
        self.width = width
        self.height = height
        context = .allocate(capacity: 1)
        context.initialize(to: vpx_codec_ctx_t())
        try check(petrel_vp8_encoder_defaults(&settings), .createEncoder)
        settings.g_w = UInt32(clamping: width)
        settings.g_h = UInt32(clamping: height)
        settings.g_threads = 1
        settings.g_timebase.num = 1
        settings.g_timebase.den = Int32(VP8Encoder.clockRate)
        settings.g_pass = VPX_RC_ONE_PASS
        settings.g_lag_in_frames = 0
        settings.g_error_resilient = configuration.errorResilient ? UInt32(VPX_ERROR_RESILIENT_DEFAULT) : 0
        settings.rc_end_usage = VPX_CBR
        settings.rc_resize_allowed = 0
        settings.kf_mode = VPX_KF_DISABLED
        settings.rc_undershoot_pct = 100
        settings.rc_overshoot_pct = 15
        set(configuration)
        try check(petrel_vp8_encoder_init(context, &settings), .createEncoder)
        isOpen = true
        try check(petrel_vp8_set_noise_sensitivity(context, 0), .configureEncoder)
        try check(petrel_vp8_set_token_partitions(context, 0), .configureEncoder)
        try control(configuration)
    }

    deinit {
        if isOpen { vpx_codec_destroy(context) }
        context.deallocate()
    }

    /// Changes what may change within a stream: rates, limits, buffers, effort.
    func configure(_ configuration: VP8Encoder.Configuration) throws(CodecError) {
        set(configuration)
        try check(vpx_codec_enc_config_set(context, &settings), .configureEncoder)
        try control(configuration)
    }

    func encode(
        _ buffer: I420Buffer, time: Int64, duration: Int64, forceKeyFrame: Bool,
        references: VP8References?, into frame: FrameBuffer
    ) throws(CodecError) -> VP8EncodeResult? {
        var flags: vpx_enc_frame_flags_t = 0
        if forceKeyFrame {
            flags = vpx_enc_frame_flags_t(VPX_EFLAG_FORCE_KF)
        } else if let references {
            flags = petrel_vp8_reference_flags(
                UInt32(references.uses.rawValue), UInt32(references.refreshes.rawValue))
        }
        try check(
            petrel_vp8_encode(
                context, UInt32(clamping: buffer.width), UInt32(clamping: buffer.height), buffer.y.baseAddress,
                buffer.u.baseAddress, buffer.v.baseAddress, Int32(clamping: buffer.strideY),
                Int32(clamping: buffer.strideUV), time, UInt(clamping: duration),
                flags),
            .encode)
        var iterator: vpx_codec_iter_t?
        var bytes: UnsafeRawPointer?
        var count = 0
        var isKey: UInt32 = 0
        while petrel_vpx_next_frame_packet(context, &iterator, &bytes, &count, &isKey) == 1 {
            frame.append(UnsafeRawBufferPointer(start: bytes, count: count))
        }
        guard frame.count > 0 else { return nil }
        var quantizer: Int32 = 0
        try check(petrel_vp8_get_quantizer(context, &quantizer), .encode)
        return VP8EncodeResult(isKeyFrame: isKey != 0, quantizer: Int(quantizer), size: frame.count)
    }

    private func set(_ configuration: VP8Encoder.Configuration) {
        let limits = VP8Encoder.bitrates
        let rate = min(max(configuration.bitrate, limits.lowerBound), limits.upperBound)
        settings.rc_target_bitrate = UInt32(clamping: rate.bitsPerSecond / 1000)
        settings.rc_dropframe_thresh = configuration.dropsFrames ? 30 : 0
        let finest = max(0, min(63, configuration.minimumQuantizer))
        settings.rc_min_quantizer = UInt32(finest)
        settings.rc_max_quantizer = UInt32(max(finest, min(63, configuration.maximumQuantizer)))
        settings.rc_buf_sz = milliseconds(configuration.bufferSize)
        settings.rc_buf_initial_sz = milliseconds(configuration.bufferInitial)
        settings.rc_buf_optimal_sz = milliseconds(configuration.bufferOptimal)
    }

    private func control(_ configuration: VP8Encoder.Configuration) throws(CodecError) {
        // Negative: a fixed effort; positive numbers would let libvpx choose by the clock.
        try check(
            petrel_vp8_set_cpu_used(context, -Int32(max(1, min(16, configuration.speed)))), .configureEncoder)
        try check(
            petrel_vp8_set_static_threshold(context, UInt32(max(0, min(10_000, configuration.staticThreshold)))),
            .configureEncoder)
        try check(
            petrel_vp8_set_max_intra_bitrate(
                context, UInt32(max(0, min(100_000, configuration.maximumKeyFramePercent)))),
            .configureEncoder)
    }

    /// At least 1 ms, at most 10 s: libvpx multiplies it by the rate.
    private func milliseconds(_ time: TimeDelta) -> UInt32 {
        UInt32(max(1, min(10_000, time.nanoseconds / 1_000_000)))
    }

    private func check(_ code: vpx_codec_err_t, _ operation: CodecError.Operation) throws(CodecError) {
        if code != VPX_CODEC_OK { throw CodecError(operation, .vpx(Int32(bitPattern: code.rawValue))) }
    }
}

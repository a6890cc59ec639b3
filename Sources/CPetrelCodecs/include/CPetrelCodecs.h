#pragma once

// What Swift cannot import from libopus and libvpx: variadic controls, function-like macros, unions.
// One typed function for each request that is used.

#include <opus.h>
#include <stddef.h>
#include <stdint.h>
#include <vpx/vp8cx.h>
#include <vpx/vp8dx.h>
#include <vpx/vpx_decoder.h>
#include <vpx/vpx_encoder.h>

#ifndef OPUS_GET_IN_DTX_REQUEST
#error "libopus 1.3 or newer is needed"
#endif
#ifndef VPX_CTRL_VP8E_SET_SCREEN_CONTENT_MODE
#error "libvpx 1.4 or newer is needed"
#endif

// libopus, encoder

static inline int petrel_opus_set_bitrate(OpusEncoder *encoder, opus_int32 value) {
    return opus_encoder_ctl(encoder, OPUS_SET_BITRATE(value));
}
static inline int petrel_opus_set_complexity(OpusEncoder *encoder, opus_int32 value) {
    return opus_encoder_ctl(encoder, OPUS_SET_COMPLEXITY(value));
}
static inline int petrel_opus_set_inband_fec(OpusEncoder *encoder, opus_int32 value) {
    return opus_encoder_ctl(encoder, OPUS_SET_INBAND_FEC(value));
}
static inline int petrel_opus_set_packet_loss(OpusEncoder *encoder, opus_int32 percent) {
    return opus_encoder_ctl(encoder, OPUS_SET_PACKET_LOSS_PERC(percent));
}
static inline int petrel_opus_set_dtx(OpusEncoder *encoder, opus_int32 value) {
    return opus_encoder_ctl(encoder, OPUS_SET_DTX(value));
}
static inline int petrel_opus_set_application(OpusEncoder *encoder, opus_int32 value) {
    return opus_encoder_ctl(encoder, OPUS_SET_APPLICATION(value));
}
static inline int petrel_opus_encoder_reset(OpusEncoder *encoder) {
    return opus_encoder_ctl(encoder, OPUS_RESET_STATE);
}
static inline int petrel_opus_get_lookahead(OpusEncoder *encoder, opus_int32 *samples) {
    return opus_encoder_ctl(encoder, OPUS_GET_LOOKAHEAD(samples));
}

// libopus, decoder

static inline int petrel_opus_decoder_reset(OpusDecoder *decoder) {
    return opus_decoder_ctl(decoder, OPUS_RESET_STATE);
}

// The size in bytes of the first frame of a packet, and its first byte; negative for a malformed packet.
static inline int petrel_opus_first_frame(const uint8_t *data, opus_int32 length, uint8_t *first_byte) {
    const unsigned char *frames[48];
    opus_int16 sizes[48];
    unsigned char toc = 0;
    int offset = 0;
    int count = opus_packet_parse(data, length, &toc, frames, sizes, &offset);
    if (count < 1) return count < 0 ? count : OPUS_INVALID_PACKET;
    *first_byte = sizes[0] > 0 ? frames[0][0] : 0;
    return sizes[0];
}

// libvpx, VP8 encoder

static inline vpx_codec_err_t petrel_vp8_encoder_defaults(vpx_codec_enc_cfg_t *configuration) {
    return vpx_codec_enc_config_default(vpx_codec_vp8_cx(), configuration, 0);
}
static inline vpx_codec_err_t petrel_vp8_encoder_init(vpx_codec_ctx_t *context, vpx_codec_enc_cfg_t *configuration) {
    return vpx_codec_enc_init(context, vpx_codec_vp8_cx(), configuration, 0);
}
static inline vpx_codec_err_t petrel_vp8_set_cpu_used(vpx_codec_ctx_t *context, int value) {
    return vpx_codec_control(context, VP8E_SET_CPUUSED, value);
}
static inline vpx_codec_err_t petrel_vp8_set_static_threshold(vpx_codec_ctx_t *context, unsigned value) {
    return vpx_codec_control(context, VP8E_SET_STATIC_THRESHOLD, value);
}
static inline vpx_codec_err_t petrel_vp8_set_noise_sensitivity(vpx_codec_ctx_t *context, unsigned value) {
    return vpx_codec_control(context, VP8E_SET_NOISE_SENSITIVITY, value);
}
static inline vpx_codec_err_t petrel_vp8_set_max_intra_bitrate(vpx_codec_ctx_t *context, unsigned percent) {
    return vpx_codec_control(context, VP8E_SET_MAX_INTRA_BITRATE_PCT, percent);
}
static inline vpx_codec_err_t petrel_vp8_set_token_partitions(vpx_codec_ctx_t *context, int value) {
    return vpx_codec_control(context, VP8E_SET_TOKEN_PARTITIONS, value);
}
static inline vpx_codec_err_t petrel_vp8_get_quantizer(vpx_codec_ctx_t *context, int *value) {
    return vpx_codec_control(context, VP8E_GET_LAST_QUANTIZER, value);
}

// What a frame may predict from and what it replaces, as sets of VP8_LAST_FRAME, VP8_GOLD_FRAME and VP8_ALTR_FRAME. The
// probabilities are left as the last key frame set them.
static inline vpx_enc_frame_flags_t petrel_vp8_reference_flags(unsigned uses, unsigned refreshes) {
    vpx_enc_frame_flags_t flags = VP8_EFLAG_NO_UPD_ENTROPY;
    if (!(uses & VP8_LAST_FRAME)) flags |= VP8_EFLAG_NO_REF_LAST;
    if (!(uses & VP8_GOLD_FRAME)) flags |= VP8_EFLAG_NO_REF_GF;
    if (!(uses & VP8_ALTR_FRAME)) flags |= VP8_EFLAG_NO_REF_ARF;
    if (!(refreshes & VP8_LAST_FRAME)) flags |= VP8_EFLAG_NO_UPD_LAST;
    flags |= refreshes & VP8_GOLD_FRAME ? VP8_EFLAG_FORCE_GF : VP8_EFLAG_NO_UPD_GF;
    flags |= refreshes & VP8_ALTR_FRAME ? VP8_EFLAG_FORCE_ARF : VP8_EFLAG_NO_UPD_ARF;
    return flags;
}

// Encodes one I420 picture whose planes are read, never written, and not kept after the call.
static inline vpx_codec_err_t petrel_vp8_encode(
    vpx_codec_ctx_t *context, unsigned width, unsigned height, uint8_t *y, uint8_t *u, uint8_t *v, int stride_y,
    int stride_uv, int64_t time, unsigned long duration, vpx_enc_frame_flags_t flags) {
    vpx_image_t image;
    if (vpx_img_wrap(&image, VPX_IMG_FMT_I420, width, height, 1, y) == NULL) return VPX_CODEC_INVALID_PARAM;
    image.planes[VPX_PLANE_Y] = y;
    image.planes[VPX_PLANE_U] = u;
    image.planes[VPX_PLANE_V] = v;
    image.stride[VPX_PLANE_Y] = stride_y;
    image.stride[VPX_PLANE_U] = stride_uv;
    image.stride[VPX_PLANE_V] = stride_uv;
    return vpx_codec_encode(context, &image, time, duration, flags, VPX_DL_REALTIME);
}

// The next piece of an encoded frame: 1 and its place, or 0 where there is none.
static inline int petrel_vpx_next_frame_packet(
    vpx_codec_ctx_t *context, vpx_codec_iter_t *iterator, const void **bytes, size_t *count, uint32_t *is_key) {
    const vpx_codec_cx_pkt_t *packet;
    while ((packet = vpx_codec_get_cx_data(context, iterator)) != NULL) {
        if (packet->kind != VPX_CODEC_CX_FRAME_PKT) continue;
        *bytes = packet->data.frame.buf;
        *count = packet->data.frame.sz;
        *is_key = (packet->data.frame.flags & VPX_FRAME_IS_KEY) != 0;
        return 1;
    }
    return 0;
}

// libvpx, VP8 decoder

static inline vpx_codec_err_t petrel_vp8_decoder_init(vpx_codec_ctx_t *context) {
    vpx_codec_dec_cfg_t configuration = {1, 0, 0};
    return vpx_codec_dec_init(context, vpx_codec_vp8_dx(), &configuration, 0);
}
static inline vpx_codec_err_t petrel_vp8_get_references(vpx_codec_ctx_t *context, int *used, int *refreshed) {
    vpx_codec_err_t code = vpx_codec_control(context, VP8D_GET_LAST_REF_USED, used);
    return code != VPX_CODEC_OK ? code : vpx_codec_control(context, VP8D_GET_LAST_REF_UPDATES, refreshed);
}
static inline vpx_codec_err_t petrel_vp8_get_corrupted(vpx_codec_ctx_t *context, int *value) {
    return vpx_codec_control(context, VP8D_GET_FRAME_CORRUPTED, value);
}

#include "CPetrelMedia.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

static inline uint8_t twice(uint8_t value) { return (uint8_t)((value << 1) ^ ((value >> 7) * 0x1D)); }

uint8_t petrel_gf256_multiply(uint8_t left, uint8_t right) {
    uint8_t product = 0;
    for (; right != 0; right >>= 1, left = twice(left)) {
        if (right & 1) product ^= left;
    }
    return product;
}

uint8_t petrel_gf256_inverse(uint8_t value) {
    // The order of the multiplicative group is 255: a^254 is the inverse of a.
    uint8_t result = 1;
    uint8_t power = value;
    for (int exponent = 254; exponent != 0; exponent >>= 1) {
        if (exponent & 1) result = petrel_gf256_multiply(result, power);
        power = petrel_gf256_multiply(power, power);
    }
    return result;
}

/// The products of `factor` with the 16 values of the low half of a byte, and of its high half.
static inline void halves(uint8_t factor, uint8_t low[16], uint8_t high[16]) {
    uint8_t power[8];
    power[0] = factor;
    for (int bit = 1; bit < 8; bit++) power[bit] = twice(power[bit - 1]);
    low[0] = high[0] = 0;
    for (int value = 1; value < 16; value++) {
        int rest = value & (value - 1);
        int bit = __builtin_ctz((unsigned)value);
        low[value] = low[rest] ^ power[bit];
        high[value] = high[rest] ^ power[bit + 4];
    }
}

static inline void tail(
    uint8_t *destination, const uint8_t *source, const uint8_t low[16], const uint8_t high[16], size_t from,
    size_t count) {
    for (size_t index = from; index < count; index++) {
        uint8_t value = source[index];
        destination[index] ^= low[value & 15] ^ high[value >> 4];
    }
}

void petrel_gf256_multiply_add_portable(uint8_t *destination, const uint8_t *source, uint8_t factor, size_t count) {
    uint8_t low[16], high[16];
    if (factor == 0) return;
    halves(factor, low, high);
    tail(destination, source, low, high, 0, count);
}

#if defined(__x86_64__)

__attribute__((target("avx2"))) static void multiply_add_32(
    uint8_t *destination, const uint8_t *source, const uint8_t low[16], const uint8_t high[16], size_t count) {
    const __m256i lows = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)low));
    const __m256i highs = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)high));
    const __m256i mask = _mm256_set1_epi8(15);
    size_t index = 0;
    for (; index + 32 <= count; index += 32) {
        __m256i value = _mm256_loadu_si256((const __m256i *)(source + index));
        __m256i sum = _mm256_loadu_si256((const __m256i *)(destination + index));
        __m256i first = _mm256_shuffle_epi8(lows, _mm256_and_si256(value, mask));
        __m256i second = _mm256_shuffle_epi8(highs, _mm256_and_si256(_mm256_srli_epi64(value, 4), mask));
        sum = _mm256_xor_si256(sum, _mm256_xor_si256(first, second));
        _mm256_storeu_si256((__m256i *)(destination + index), sum);
    }
    tail(destination, source, low, high, index, count);
}

__attribute__((target("ssse3"))) static void multiply_add_16(
    uint8_t *destination, const uint8_t *source, const uint8_t low[16], const uint8_t high[16], size_t count) {
    const __m128i lows = _mm_loadu_si128((const __m128i *)low);
    const __m128i highs = _mm_loadu_si128((const __m128i *)high);
    const __m128i mask = _mm_set1_epi8(15);
    size_t index = 0;
    for (; index + 16 <= count; index += 16) {
        __m128i value = _mm_loadu_si128((const __m128i *)(source + index));
        __m128i sum = _mm_loadu_si128((const __m128i *)(destination + index));
        __m128i first = _mm_shuffle_epi8(lows, _mm_and_si128(value, mask));
        __m128i second = _mm_shuffle_epi8(highs, _mm_and_si128(_mm_srli_epi64(value, 4), mask));
        _mm_storeu_si128((__m128i *)(destination + index), _mm_xor_si128(sum, _mm_xor_si128(first, second)));
    }
    tail(destination, source, low, high, index, count);
}

int petrel_gf256_step(void) {
    if (__builtin_cpu_supports("avx2")) return 32;
    return __builtin_cpu_supports("ssse3") ? 16 : 1;
}

#elif defined(__aarch64__)

static void multiply_add_16(
    uint8_t *destination, const uint8_t *source, const uint8_t low[16], const uint8_t high[16], size_t count) {
    const uint8x16_t lows = vld1q_u8(low);
    const uint8x16_t highs = vld1q_u8(high);
    const uint8x16_t mask = vdupq_n_u8(15);
    size_t index = 0;
    for (; index + 16 <= count; index += 16) {
        uint8x16_t value = vld1q_u8(source + index);
        uint8x16_t sum = vld1q_u8(destination + index);
        uint8x16_t first = vqtbl1q_u8(lows, vandq_u8(value, mask));
        uint8x16_t second = vqtbl1q_u8(highs, vshrq_n_u8(value, 4));
        vst1q_u8(destination + index, veorq_u8(sum, veorq_u8(first, second)));
    }
    tail(destination, source, low, high, index, count);
}

int petrel_gf256_step(void) { return 16; }

#else

int petrel_gf256_step(void) { return 1; }

#endif

void petrel_gf256_multiply_add(uint8_t *destination, const uint8_t *source, uint8_t factor, size_t count) {
    if (factor == 0) return;
    uint8_t low[16], high[16];
    halves(factor, low, high);
#if defined(__x86_64__)
    switch (petrel_gf256_step()) {
        case 32: multiply_add_32(destination, source, low, high, count); return;
        case 16: multiply_add_16(destination, source, low, high, count); return;
        default: break;
    }
#elif defined(__aarch64__)
    multiply_add_16(destination, source, low, high, count);
    return;
#endif
    tail(destination, source, low, high, 0, count);
}

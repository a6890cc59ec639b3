#pragma once

// Arithmetic over GF(2^8) with the polynomial x^8 + x^4 + x^3 + x^2 + 1 (0x11D), the field of RFC 8681 section 3.7.2.
// In C, since a vector shuffle by a table cannot be reached from Swift.

#include <stddef.h>
#include <stdint.h>

/// The product of two elements.
uint8_t petrel_gf256_multiply(uint8_t left, uint8_t right);

/// The inverse of an element; zero, which has none, for zero.
uint8_t petrel_gf256_inverse(uint8_t value);

/// Adds `factor` times each of `count` bytes of `source` to those of `destination`. The two may be the same memory, and
/// must not overlap otherwise.
void petrel_gf256_multiply_add(uint8_t *destination, const uint8_t *source, uint8_t factor, size_t count);

/// The same without vector instructions: what runs where there are none, and what the others are checked against.
void petrel_gf256_multiply_add_portable(uint8_t *destination, const uint8_t *source, uint8_t factor, size_t count);

/// Bytes that one step of `petrel_gf256_multiply_add` takes on this machine: 32, 16, or 1 without vector instructions.
int petrel_gf256_step(void);

#pragma once

// What Swift cannot say to OpenSSL and libsrtp2 itself: macros, variadics, and the few places where many calls
// of the library make one step of ours. Every function answers 1 for success and 0 for failure unless it says
// otherwise, and leaves the reasons in OpenSSL's error queue.

#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <srtp2/srtp.h>
#include <stddef.h>
#include <stdint.h>

// Certificates

/// Makes a P-256 key and a certificate that it signs itself (ECDSA with SHA-256), valid between two Unix times.
int petrel_certificate_make(int64_t not_before, int64_t not_after, const char *common_name, EVP_PKEY **key,
                            X509 **certificate);

/// The digest of a certificate in DER form. `digest` has room for EVP_MAX_MD_SIZE octets.
int petrel_certificate_digest(const X509 *certificate, const char *hash, uint8_t *digest, unsigned *length);

// DTLS

/// A context for DTLS 1.2 with Petrel's ciphers, groups and SRTP profiles, or NULL.
SSL_CTX *petrel_dtls_context(X509 *certificate, EVP_PKEY *key, const char *srtp_profiles);

/// One association on memory BIOs, or NULL. Its timers never fire by themselves. `messages_read` counts the whole
/// handshake messages it has taken, and must outlive it.
SSL *petrel_dtls_new(SSL_CTX *context, int is_server, unsigned mtu, uint32_t *messages_read);

/// Hands bytes to the association's read BIO.
int petrel_dtls_write_input(SSL *ssl, const void *bytes, size_t length);

/// The bytes that wait in the association's write BIO; valid until petrel_dtls_clear_output.
size_t petrel_dtls_output(SSL *ssl, const uint8_t **bytes);
void petrel_dtls_clear_output(SSL *ssl);

/// Whether the next thing the association reads is the peer's ChangeCipherSpec.
int petrel_dtls_awaits_change_cipher(const SSL *ssl);
/// Whether the association has read the peer's ChangeCipherSpec, so that it reads epoch 1.
int petrel_dtls_reads_epoch_one(const SSL *ssl);

/// The keys of our own direction in epoch 1, so that a record can be sealed again under a new sequence number.
typedef struct {
    uint8_t key[32];
    uint8_t iv[12];
    int key_length;
    /// 1 for GCM (explicit nonce on the wire), 2 for ChaCha20-Poly1305, 0 for none.
    int kind;
    /// The explicit nonce of the record with sequence number 0 (GCM).
    uint64_t nonce_base;
} petrel_dtls_sealer;

/// Derives our write keys by RFC 5246 section 6.3.
int petrel_dtls_sealer_init(SSL *ssl, petrel_dtls_sealer *sealer);
/// Opens one record of our own (13 octets of header included) and learns its nonce. `plain` has room for `length`.
int petrel_dtls_open_own(petrel_dtls_sealer *sealer, const uint8_t *record, size_t length, uint8_t *plain,
                         size_t *plain_length);
/// Seals a record of epoch 1 with this sequence number. `record` has room for length + 13 + 24.
int petrel_dtls_seal(const petrel_dtls_sealer *sealer, uint64_t sequence, uint8_t type, const uint8_t *plain,
                     size_t length, uint8_t *record, size_t *record_length);

/// Exports the keying material of DTLS-SRTP (RFC 5764 section 4.2).
int petrel_dtls_export_srtp(SSL *ssl, uint8_t *out, size_t length);

/// The oldest error of the queue as text, or 0 where the queue is empty.
int petrel_next_error(char *text, size_t capacity);

// Randomness for the lab

/// Installs the RAND_METHOD that consults the calling thread's lab generator. Called once.
int petrel_lab_random_install(void);
/// Makes `state` the lab generator of the calling thread (NULL: none) and answers the one before.
uint64_t *petrel_lab_random_swap(uint64_t *state);

// SRTP

/// Creates one direction of an SRTP session for any SSRC. profile: 1 AES_CM_128_HMAC_SHA1_80, 7 AEAD_AES_128_GCM,
/// 8 AEAD_AES_256_GCM (the numbers of RFC 5764 and RFC 7714). Answers the status of libsrtp.
srtp_err_status_t petrel_srtp_create(srtp_t *session, unsigned profile, int outbound, uint8_t *key_and_salt,
                                     unsigned long window);

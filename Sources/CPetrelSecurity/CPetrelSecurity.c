// RAND_set_rand_method is deprecated in OpenSSL 3 and still honoured; the lab needs it.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "CPetrelSecurity.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/srtp.h>
#include <stdlib.h>
#include <string.h>

// OpenSSL's exit handler frees what other threads still use: an SDK cannot ask its program to end all calls before it
// exits. Only the first initialisation of a process decides, hence here, before main (OPENSSL_init_crypto(3)).
__attribute__((constructor)) static void petrel_keep_openssl_at_exit(void) {
    OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
}

// Certificates

int petrel_certificate_make(int64_t not_before, int64_t not_after, const char *common_name, EVP_PKEY **key,
                            X509 **certificate) {
    EVP_PKEY *pair = EVP_EC_gen("P-256");
    X509 *made = X509_new();
    uint8_t serial[8];
    BIGNUM *number = NULL;
    int ok = 0;
    if (!pair || !made || RAND_bytes(serial, sizeof serial) != 1) goto done;
    // A positive serial number of 64 bits (RFC 5280 section 4.1.2.2).
    serial[0] = (serial[0] & 0x7f) | 0x40;
    number = BN_bin2bn(serial, sizeof serial, NULL);
    if (!number || !BN_to_ASN1_INTEGER(number, X509_get_serialNumber(made))) goto done;
    if (!X509_set_version(made, 2)) goto done;
    if (!ASN1_TIME_set(X509_getm_notBefore(made), (time_t)not_before)) goto done;
    if (!ASN1_TIME_set(X509_getm_notAfter(made), (time_t)not_after)) goto done;
    if (!X509_set_pubkey(made, pair)) goto done;
    X509_NAME *name = X509_get_subject_name(made);
    if (!X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)common_name, -1, -1, 0)) goto done;
    if (!X509_set_issuer_name(made, name)) goto done;
    if (!X509_sign(made, pair, EVP_sha256())) goto done;
    ok = 1;
done:
    BN_free(number);
    if (!ok) {
        EVP_PKEY_free(pair);
        X509_free(made);
        return 0;
    }
    *key = pair;
    *certificate = made;
    return 1;
}

int petrel_certificate_digest(const X509 *certificate, const char *hash, uint8_t *digest, unsigned *length) {
    const EVP_MD *function = EVP_get_digestbyname(hash);
    return function && X509_digest(certificate, function, digest, length) == 1;
}

// DTLS

// The peer's certificate is judged by its fingerprint, before anything of the flight that answers it leaves.
static int accept_any_certificate(X509_STORE_CTX *store, void *unused) {
    (void)store;
    (void)unused;
    return 1;
}

// More than an hour: the association's own timers must never act, ours do (RFC 6347 section 4.2.4).
static unsigned int never(SSL *ssl, unsigned int timer_us) {
    (void)ssl;
    (void)timer_us;
    return 4000000000u;
}

SSL_CTX *petrel_dtls_context(X509 *certificate, EVP_PKEY *key, const char *srtp_profiles) {
    SSL_CTX *context = SSL_CTX_new(DTLS_method());
    if (!context) return NULL;
    SSL_CTX_set_security_level(context, 1);
    int ok = SSL_CTX_set_min_proto_version(context, DTLS1_2_VERSION) && SSL_CTX_set_max_proto_version(context, DTLS1_2_VERSION)
        && SSL_CTX_set_cipher_list(context,
                                   "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                                   "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
                                   "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305")
        // The first two are for keys. OpenSSL takes no certificate of a curve that is not named here either, and there are
        // such: P-224 is what GnuTLS makes for FFmpeg.
        && SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384:P-521:P-224")
        && SSL_CTX_set1_sigalgs_list(context,
                                     "ECDSA+SHA256:RSA-PSS+SHA256:RSA+SHA256:ECDSA+SHA384:RSA-PSS+SHA384:RSA+SHA384:"
                                     "ECDSA+SHA512:RSA-PSS+SHA512:RSA+SHA512")
        && SSL_CTX_use_certificate(context, certificate) && SSL_CTX_use_PrivateKey(context, key)
        // This one answers 0 for success.
        && SSL_CTX_set_tlsext_use_srtp(context, srtp_profiles) == 0;
    if (!ok) {
        SSL_CTX_free(context);
        return NULL;
    }
    SSL_CTX_set_options(context, SSL_OP_NO_QUERY_MTU | SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION
                                     | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_SINGLE_ECDH_USE);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_max_cert_list(context, 16384);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_cert_verify_callback(context, accept_any_certificate, NULL);
    return context;
}

static void count_message(int written, int version, int type, const void *bytes, size_t length, SSL *ssl,
                          void *messages_read) {
    (void)version, (void)bytes, (void)length, (void)ssl;
    if (!written && type == SSL3_RT_HANDSHAKE) ++*(uint32_t *)messages_read;
}

SSL *petrel_dtls_new(SSL_CTX *context, int is_server, unsigned mtu, uint32_t *messages_read) {
    SSL *ssl = SSL_new(context);
    BIO *input = BIO_new(BIO_s_mem()), *output = BIO_new(BIO_s_mem());
    if (!ssl || !input || !output) {
        SSL_free(ssl);
        BIO_free(input);
        BIO_free(output);
        return NULL;
    }
    BIO_set_mem_eof_return(input, -1);
    BIO_set_mem_eof_return(output, -1);
    SSL_set_bio(ssl, input, output);
    if (is_server) SSL_set_accept_state(ssl);
    else SSL_set_connect_state(ssl);
    DTLS_set_timer_cb(ssl, never);
    SSL_set_msg_callback(ssl, count_message);
    SSL_set_msg_callback_arg(ssl, messages_read);
    if (!SSL_set_mtu(ssl, mtu)) {
        SSL_free(ssl);
        return NULL;
    }
    return ssl;
}

int petrel_dtls_write_input(SSL *ssl, const void *bytes, size_t length) {
    size_t written = 0;
    return BIO_write_ex(SSL_get_rbio(ssl), bytes, length, &written) == 1 && written == length;
}

// During the handshake SSL_get_wbio answers the memory BIO; the buffer in front of it is flushed per flight.
size_t petrel_dtls_output(SSL *ssl, const uint8_t **bytes) {
    char *data = NULL;
    long length = BIO_get_mem_data(SSL_get_wbio(ssl), &data);
    *bytes = (const uint8_t *)data;
    return length > 0 ? (size_t)length : 0;
}

void petrel_dtls_clear_output(SSL *ssl) { (void)BIO_reset(SSL_get_wbio(ssl)); }

int petrel_dtls_awaits_change_cipher(const SSL *ssl) {
    switch (SSL_get_state(ssl)) {
    case TLS_ST_SR_CERT_VRFY:
    case TLS_ST_CW_FINISHED:
    case TLS_ST_CR_SESSION_TICKET:
        return 1;
    default:
        return 0;
    }
}

int petrel_dtls_reads_epoch_one(const SSL *ssl) {
    switch (SSL_get_state(ssl)) {
    case TLS_ST_SR_CHANGE:
    case TLS_ST_CR_CHANGE:
    case TLS_ST_SR_FINISHED:
    case TLS_ST_CR_FINISHED:
        return 1;
    default:
        return SSL_is_init_finished(ssl);
    }
}

int petrel_dtls_sealer_init(SSL *ssl, petrel_dtls_sealer *sealer) {
    memset(sealer, 0, sizeof *sealer);
    const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);
    SSL_SESSION *session = SSL_get_session(ssl);
    if (!cipher || !session) return 0;
    const EVP_MD *digest = SSL_CIPHER_get_handshake_digest(cipher);
    size_t key_length, iv_length;
    int kind;
    switch (SSL_CIPHER_get_cipher_nid(cipher)) {
    case NID_aes_128_gcm: key_length = 16, iv_length = 4, kind = 1; break;
    case NID_aes_256_gcm: key_length = 32, iv_length = 4, kind = 1; break;
    case NID_chacha20_poly1305: key_length = 32, iv_length = 12, kind = 2; break;
    default: return 0;
    }
    if (!digest) return 0;
    uint8_t master[SSL_MAX_MASTER_KEY_LENGTH], block[2 * (32 + 12)];
    uint8_t seed[13 + 2 * SSL3_RANDOM_SIZE] = "key expansion";
    size_t master_length = SSL_SESSION_get_master_key(session, master, sizeof master);
    SSL_get_server_random(ssl, seed + 13, SSL3_RANDOM_SIZE);
    SSL_get_client_random(ssl, seed + 13 + SSL3_RANDOM_SIZE, SSL3_RANDOM_SIZE);
    size_t length = 2 * (key_length + iv_length);
    EVP_KDF *function = EVP_KDF_fetch(NULL, "TLS1-PRF", NULL);
    EVP_KDF_CTX *derivation = function ? EVP_KDF_CTX_new(function) : NULL;
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)EVP_MD_get0_name(digest), 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, master, master_length),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, seed, sizeof seed),
        OSSL_PARAM_construct_end(),
    };
    int ok = derivation && master_length > 0 && EVP_KDF_derive(derivation, block, length, parameters) == 1;
    if (ok) {
        size_t ours = SSL_is_server(ssl) ? 1 : 0;
        memcpy(sealer->key, block + ours * key_length, key_length);
        memcpy(sealer->iv, block + 2 * key_length + ours * iv_length, iv_length);
        sealer->key_length = (int)key_length;
        sealer->kind = kind;
    }
    EVP_KDF_CTX_free(derivation);
    EVP_KDF_free(function);
    OPENSSL_cleanse(master, sizeof master);
    OPENSSL_cleanse(block, sizeof block);
    return ok;
}

static void put64(uint8_t *to, uint64_t value) {
    for (int index = 7; index >= 0; index--, value >>= 8) to[index] = (uint8_t)value;
}

static uint64_t get64(const uint8_t *from) {
    uint64_t value = 0;
    for (int index = 0; index < 8; index++) value = value << 8 | from[index];
    return value;
}

// One AEAD call over `length` octets of text; `number` is epoch and sequence as on the wire (RFC 5246 section 6.2.3.3,
// RFC 7905 section 2).
static int aead(const petrel_dtls_sealer *sealer, int seal, uint64_t number, uint64_t explicit_nonce, uint8_t type,
                const uint8_t *input, size_t length, uint8_t *output, uint8_t *tag) {
    uint8_t nonce[12], head[13];
    memcpy(nonce, sealer->iv, 12);
    if (sealer->kind == 1) {
        put64(nonce + 4, explicit_nonce);
    } else {
        for (int index = 0; index < 8; index++) nonce[4 + index] ^= (uint8_t)(number >> (56 - 8 * index));
    }
    put64(head, number);
    head[8] = type, head[9] = 0xfe, head[10] = 0xfd, head[11] = (uint8_t)(length >> 8), head[12] = (uint8_t)length;
    const EVP_CIPHER *cipher = sealer->kind == 2 ? EVP_chacha20_poly1305()
        : sealer->key_length == 16             ? EVP_aes_128_gcm()
                                               : EVP_aes_256_gcm();
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int moved = 0, ok = 0;
    if (context && EVP_CipherInit_ex(context, cipher, NULL, sealer->key, nonce, seal) == 1
        && EVP_CipherUpdate(context, NULL, &moved, head, sizeof head) == 1
        && EVP_CipherUpdate(context, output, &moved, input, (int)length) == 1) {
        if (seal) {
            ok = EVP_CipherFinal_ex(context, output + moved, &moved) == 1
                && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, tag) == 1;
        } else {
            ok = EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, 16, tag) == 1
                && EVP_CipherFinal_ex(context, output + moved, &moved) == 1;
        }
    }
    EVP_CIPHER_CTX_free(context);
    return ok;
}

int petrel_dtls_open_own(petrel_dtls_sealer *sealer, const uint8_t *record, size_t length, uint8_t *plain,
                         size_t *plain_length) {
    size_t nonce = sealer->kind == 1 ? 8 : 0;
    if (sealer->kind == 0 || length < 13 + nonce + 16 || length > 0x4000) return 0;
    uint64_t number = get64(record + 3);
    uint64_t explicit_nonce = nonce ? get64(record + 13) : 0;
    size_t text = length - 13 - nonce - 16;
    uint8_t tag[16];
    memcpy(tag, record + length - 16, 16);
    if (!aead(sealer, 0, number, explicit_nonce, record[0], record + 13 + nonce, text, plain, tag)) return 0;
    sealer->nonce_base = explicit_nonce - (number & 0xffffffffffffull);
    *plain_length = text;
    return 1;
}

int petrel_dtls_seal(const petrel_dtls_sealer *sealer, uint64_t sequence, uint8_t type, const uint8_t *plain,
                     size_t length, uint8_t *record, size_t *record_length) {
    if (sealer->kind == 0 || length > 0x4000 || sequence > 0xffffffffffffull) return 0;
    size_t nonce = sealer->kind == 1 ? 8 : 0, body = nonce + length + 16;
    uint64_t number = 1ull << 48 | sequence, explicit_nonce = sealer->nonce_base + sequence;
    record[0] = type, record[1] = 0xfe, record[2] = 0xfd;
    put64(record + 3, number);
    record[11] = (uint8_t)(body >> 8), record[12] = (uint8_t)body;
    if (nonce) put64(record + 13, explicit_nonce);
    uint8_t *text = record + 13 + nonce;
    if (!aead(sealer, 1, number, explicit_nonce, type, plain, length, text, text + length)) return 0;
    *record_length = 13 + body;
    return 1;
}

int petrel_dtls_export_srtp(SSL *ssl, uint8_t *out, size_t length) {
    static const char label[] = "EXTRACTOR-dtls_srtp";
    return SSL_export_keying_material(ssl, out, length, label, sizeof label - 1, NULL, 0, 0) == 1;
}

int petrel_next_error(char *text, size_t capacity) {
    unsigned long code = ERR_get_error();
    if (!code) return 0;
    const char *reason = ERR_reason_error_string(code);
    if (reason) OPENSSL_strlcpy(text, reason, capacity);
    else ERR_error_string_n(code, text, capacity);
    return 1;
}

// Randomness for the lab

static _Thread_local uint64_t *lab_state = NULL;

uint64_t *petrel_lab_random_swap(uint64_t *state) {
    uint64_t *before = lab_state;
    lab_state = state;
    return before;
}

// SplitMix64, the same sequence as PetrelCore's SeededGenerator.
static int lab_bytes(unsigned char *buffer, int count) {
    uint64_t *state = lab_state;
    if (!state) return RAND_OpenSSL()->bytes(buffer, count);
    for (int done = 0; done < count;) {
        uint64_t mixed = *state += 0x9E3779B97F4A7C15ull;
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9ull;
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBull;
        mixed ^= mixed >> 31;
        for (int octet = 0; octet < 8 && done < count; octet++, done++, mixed >>= 8) buffer[done] = (unsigned char)mixed;
    }
    return 1;
}

static int lab_status(void) { return lab_state ? 1 : RAND_OpenSSL()->status(); }

int petrel_lab_random_install(void) {
    static const RAND_METHOD method = {NULL, lab_bytes, NULL, NULL, lab_bytes, lab_status};
    return RAND_set_rand_method(&method);
}

// SRTP

srtp_err_status_t petrel_srtp_create(srtp_t *session, unsigned profile, int outbound, uint8_t *key_and_salt,
                                     unsigned long window) {
    srtp_policy_t policy;
    memset(&policy, 0, sizeof policy);
    switch (profile) {
    case 1:
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy.rtp);
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy.rtcp);
        break;
    case 7:
        srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtp);
        srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtcp);
        break;
    case 8:
        srtp_crypto_policy_set_aes_gcm_256_16_auth(&policy.rtp);
        srtp_crypto_policy_set_aes_gcm_256_16_auth(&policy.rtcp);
        break;
    default:
        return srtp_err_status_bad_param;
    }
    policy.ssrc.type = outbound ? ssrc_any_outbound : ssrc_any_inbound;
    policy.key = key_and_salt;
    policy.window_size = window;
    // A packet that is sent again is the same packet bit for bit (retransmission without RFC 4588).
    policy.allow_repeat_tx = outbound;
    return srtp_create(session, &policy);
}

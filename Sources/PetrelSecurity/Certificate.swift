internal import COpenSSL
internal import CPetrelSecurity

/// The identity of one endpoint: a P-256 key and the certificate it signed itself (RFC 8827 section 6.5).
///
/// Nobody vouches for it but the fingerprint in the session description, so that name and validity mean nothing to the
/// peer; the validity is told by the caller because nothing here reads a clock.
public final class Certificate: @unchecked Sendable {
    // Both are written once, in init, and OpenSSL counts their references atomically.
    let handle: OpaquePointer
    let key: OpaquePointer

    /// How long a certificate is valid where the caller does not say: 30 days, in seconds.
    public static let defaultValidity: Int64 = 30 * 86_400

    /// The certificate in DER form, as it goes over the wire.
    public let der: [UInt8]

    private init(handle: OpaquePointer, key: OpaquePointer, der: [UInt8]) {
        (self.handle, self.key, self.der) = (handle, key, der)
    }

    deinit {
        X509_free(handle)
        EVP_PKEY_free(key)
    }

    /// Makes a new key and certificate.
    ///
    /// The same `labSeed` and times give the same bytes; without a seed the key comes from OpenSSL's generator.
    /// - Parameters:
    ///   - unixTime: now, in seconds since 1970. The certificate is valid from one day earlier, for clocks that are
    ///     wrong.
    ///   - validity: the time until it expires, in seconds.
    ///   - labSeed: for the lab only, see ``LabRandomness``.
    public static func make(
        unixTime: Int64, validity: Int64 = Certificate.defaultValidity, labSeed: UInt64? = nil
    ) throws(DTLSFailure) -> Certificate {
        if let labSeed {
            return try LabRandomness.withSeed(labSeed) { () throws(DTLSFailure) in
                try make(unixTime: unixTime, validity: validity)
            }
        }
        ERR_clear_error()
        var handle: OpaquePointer?
        var key: OpaquePointer?
        // Years 1971 to 9998: what ASN.1 times can say.
        let now = min(max(unixTime, 31_536_000), 253_300_000_000)
        let until = now + min(max(validity, 0), 253_300_000_000 - now)
        guard petrel_certificate_make(now - 86_400, until, "petrel", &key, &handle) == 1, let handle, let key else {
            throw DTLSFailure(.library, OpenSSLErrors.drain())
        }
        guard let der = encoding(of: handle) else {
            X509_free(handle)
            EVP_PKEY_free(key)
            throw DTLSFailure(.library, OpenSSLErrors.drain())
        }
        return Certificate(handle: handle, key: key, der: der)
    }

    /// The fingerprint for the session description (RFC 8122 section 5).
    public func fingerprint(_ hash: Fingerprint.Hash = .sha256) -> Fingerprint {
        Fingerprint(hash: hash, of: der)
    }

    /// A certificate of OpenSSL's in DER form.
    static func encoding(of certificate: OpaquePointer) -> [UInt8]? {
        let length = i2d_X509(certificate, nil)
        guard length > 0 else { return nil }
        return [UInt8](unsafeUninitializedCapacity: Int(length)) { buffer, count in
            var cursor = buffer.baseAddress
            count = max(0, Int(i2d_X509(certificate, &cursor)))
        }
    }
}

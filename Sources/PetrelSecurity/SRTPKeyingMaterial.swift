internal import COpenSSL

/// The secret that a DTLS handshake leaves for SRTP: client key, server key, client salt, server salt, in this order
/// (RFC 5764 section 4.2). It wipes itself when its owner lets go of it, and cannot be copied or printed.
public struct SRTPKeyingMaterial: ~Copyable, @unchecked Sendable {
    /// The profile that the handshake agreed on.
    public let profile: SRTPProfile
    // Memory of its own, so that wiping it wipes the only copy.
    private let bytes: UnsafeMutableRawBufferPointer

    /// Room for one profile's material, filled by `fill`; nil where `fill` answers false.
    init?(profile: SRTPProfile, fill: (UnsafeMutableRawBufferPointer) -> Bool) {
        let room = UnsafeMutableRawBufferPointer.allocate(
            byteCount: 2 * (profile.keyLength + profile.saltLength), alignment: 16)
        guard fill(room) else {
            OPENSSL_cleanse(room.baseAddress, room.count)
            room.deallocate()
            return nil
        }
        self.profile = profile
        bytes = room
    }

    /// The material from bytes that a test or another key exchange provides; nil where the length is not the profile's.
    public init?(profile: SRTPProfile, exported: [UInt8]) {
        guard exported.count == 2 * (profile.keyLength + profile.saltLength) else { return nil }
        self.init(profile: profile) { buffer in
            buffer.copyBytes(from: exported)
            return true
        }
    }

    deinit {
        OPENSSL_cleanse(bytes.baseAddress, bytes.count)
        bytes.deallocate()
    }

    /// Lends the master key followed by the master salt of what one side writes. The copy is wiped afterwards.
    func withKeyAndSalt<Result>(
        writtenBy role: DTLSRole, _ body: (UnsafeMutablePointer<UInt8>) -> Result
    ) -> Result {
        let (key, salt) = (profile.keyLength, profile.saltLength)
        let side = role == .client ? 0 : 1
        return withUnsafeTemporaryAllocation(byteCount: 64, alignment: 16) { copy in
            defer { OPENSSL_cleanse(copy.baseAddress, copy.count) }
            copy.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[(side * key)..<((side + 1) * key)]))
            let saltStart = 2 * key + side * salt
            UnsafeMutableRawBufferPointer(rebasing: copy[key...])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[saltStart..<(saltStart + salt)]))
            // 64 octets hold the longest of them, 32 + 12.
            return copy.withMemoryRebound(to: UInt8.self) { body($0.baseAddress.unsafelyUnwrapped) }
        }
    }

    /// Whether both hold the same secret, in a time that does not depend on it.
    public func isEqual(to other: borrowing SRTPKeyingMaterial) -> Bool {
        profile == other.profile && CRYPTO_memcmp(bytes.baseAddress, other.bytes.baseAddress, bytes.count) == 0
    }
}

internal import COpenSSL
internal import Foundation
internal import Testing

@testable internal import Petrel
@testable internal import PetrelPeer
@testable internal import PetrelSecurity

/// The real keys of a call, and how they would look where somebody wrote them down.
enum SecretKeys {
    /// The private key of its certificate, and the master keys and salts of SRTP.
    static func all(of call: Call) async throws -> [[UInt8]] {
        let keys = try await call.engine.perform { peer, _, _ in
            var found: [[UInt8]] = []
            if let own = scalar(of: peer.configuration.certificate.key) { found.append(own) }
            guard let material = peer.dtls?.exportKeyingMaterial() else { return found }
            let (key, salt) = (material.profile.keyLength, material.profile.saltLength)
            for role in [DTLSRole.client, .server] {
                let both = material.withKeyAndSalt(writtenBy: role) {
                    Array(UnsafeBufferPointer(start: $0, count: key + salt))
                }
                found += [Array(both[..<key]), Array(both[key...])]
            }
            return found
        }
        try #require(keys.count == 5 && keys.allSatisfy { $0.count >= 12 && Set($0).count > 4 }, "the keys are there")
        return keys
    }

    /// The secret number of a key on P-256.
    private static func scalar(of key: OpaquePointer) -> [UInt8]? {
        var number: OpaquePointer?
        guard EVP_PKEY_get_bn_param(key, "priv", &number) == 1, let number else { return nil }
        defer { BN_clear_free(number) }
        var bytes = [UInt8](repeating: 0, count: 32)
        return BN_bn2binpad(number, &bytes, 32) == 32 ? bytes : nil
    }

    /// Hexadecimal with and without colons, base64 at every place in a longer text, and as arrays are printed.
    static func forms(of key: [UInt8]) -> [String] {
        let pairs = key.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
        let inside = (0..<3).map { skipped in
            let part = key.dropFirst(skipped)
            return Data(part.prefix(part.count / 3 * 3)).base64EncodedString()
        }
        return [pairs.joined(), pairs.joined(separator: ":"), pairs.joined(separator: " ")].flatMap {
            [$0, $0.uppercased()]
        } + inside + [key.map(String.init).joined(separator: ", ")]
    }
}

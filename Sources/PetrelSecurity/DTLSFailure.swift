internal import COpenSSL
internal import CPetrelSecurity

/// Why a DTLS association failed for good.
public struct DTLSFailure: Error, Hashable, Sendable {
    /// What kind of failure it was.
    public enum Kind: Hashable, Sendable {
        /// The peer's certificate is not the one its session description announced (RFC 8842 section 5.1).
        case fingerprintMismatch
        /// The peer showed no certificate.
        case noCertificate
        /// The handshake agreed on no SRTP profile (RFC 5764 section 4.1).
        case noSRTPProfile
        /// The peer sent a fatal alert.
        case alert
        /// The handshake broke a rule; OpenSSL's reasons are in the text.
        case handshake
        /// The handshake took longer than the limit.
        case timeout
        /// OpenSSL could not do what it must always be able to do.
        case library
    }

    /// What failed.
    public let kind: Kind
    /// The reason in words, for logs. It holds no secrets.
    public let text: String

    init(_ kind: Kind, _ text: String) { (self.kind, self.text) = (kind, text) }
}

extension DTLSFailure: CustomStringConvertible {
    public var description: String { text.isEmpty ? "\(kind)" : "\(kind): \(text)" }
}

/// OpenSSL's error queue of the calling thread.
enum OpenSSLErrors {
    /// Empties the queue into one line.
    static func drain() -> String {
        var reasons: [String] = []
        var buffer = [CChar](repeating: 0, count: 256)
        while reasons.count < 16, petrel_next_error(&buffer, buffer.count) == 1 {
            reasons.append(String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self))
        }
        ERR_clear_error()
        return reasons.joined(separator: "; ")
    }
}

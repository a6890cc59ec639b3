/// The protection profiles Petrel agrees to, with their numbers on the wire (RFC 5764 section 4.1.2, RFC 7714 section
/// 14.2). There is deliberately no profile without encryption.
public enum SRTPProfile: UInt16, CaseIterable, Sendable {
    case aes128CMSHA1_80 = 0x0001
    case aeadAES128GCM = 0x0007
    case aeadAES256GCM = 0x0008

    /// The profiles from the most to the least wanted. GCM costs a quarter of the counter mode with SHA-1.
    public static let preferred: [SRTPProfile] = [.aeadAES128GCM, .aeadAES256GCM, .aes128CMSHA1_80]

    /// Octets of the master key.
    public var keyLength: Int { self == .aeadAES256GCM ? 32 : 16 }
    /// Octets of the master salt.
    public var saltLength: Int { self == .aes128CMSHA1_80 ? 14 : 12 }
    /// Octets an SRTP packet is longer than its RTP packet.
    public var tagLength: Int { self == .aes128CMSHA1_80 ? 10 : 16 }
    /// Octets an SRTCP packet is longer than its RTCP packet: the tag, and the word with the E flag and the index.
    public var controlTrailerLength: Int { tagLength + 4 }

    /// The name OpenSSL knows it by.
    var libraryName: String {
        switch self {
        case .aes128CMSHA1_80: "SRTP_AES128_CM_SHA1_80"
        case .aeadAES128GCM: "SRTP_AEAD_AES_128_GCM"
        case .aeadAES256GCM: "SRTP_AEAD_AES_256_GCM"
        }
    }
}

/// The attribute types that the codec knows (RFC 8489 section 18.3, RFC 8445 section 16.1).
///
/// Types below 0x8000 are comprehension-required: a receiver that does not know one must not process the message.
public enum STUNAttributeType {
    /// Attributes by their names in RFC 8489 section 14 and RFC 8445 section 16.1.
    public static let mappedAddress: UInt16 = 0x0001
    public static let username: UInt16 = 0x0006
    public static let messageIntegrity: UInt16 = 0x0008
    public static let errorCode: UInt16 = 0x0009
    public static let unknownAttributes: UInt16 = 0x000A
    public static let realm: UInt16 = 0x0014
    public static let nonce: UInt16 = 0x0015
    public static let messageIntegritySHA256: UInt16 = 0x001C
    public static let xorMappedAddress: UInt16 = 0x0020
    public static let priority: UInt16 = 0x0024
    public static let useCandidate: UInt16 = 0x0025
    public static let software: UInt16 = 0x8022
    public static let fingerprint: UInt16 = 0x8028
    public static let iceControlled: UInt16 = 0x8029
    public static let iceControlling: UInt16 = 0x802A

    /// Whether a receiver that does not know `type` must refuse the message (RFC 8489 section 14).
    public static func isComprehensionRequired(_ type: UInt16) -> Bool { type < 0x8000 }
}

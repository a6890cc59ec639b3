/// A MID or RID inside the value itself, without heap storage: 1 to 16 characters of an SDP token
/// (RFC 8866 section 9), which is what the identification-tag of RFC 5888 is made of.
///
/// Sixteen bytes is what the one-byte form of a header extension can carry (RFC 8285 section 4.2).
public struct ShortToken: Hashable, Sendable {
    /// The most bytes a token may have.
    public static let maximumLength = 16

    // The text from the most significant byte down, zeros behind it. Tokens contain no zero byte, so two of them
    // are equal exactly where these are.
    private let high: UInt64
    private let low: UInt64

    /// The token in these bytes; nil where they are none, more than 16, or not all token characters.
    public init?(_ bytes: RawSpan) {
        let count = bytes.byteCount
        guard count > 0, count <= Self.maximumLength else { return nil }
        var (high, low): (UInt64, UInt64) = (0, 0)
        for index in 0..<count {
            let byte = bytes.wire8(index)
            guard Self.isTokenCharacter(byte) else { return nil }
            if index < 8 {
                high |= UInt64(byte) << UInt64(56 &- 8 &* index)
            } else {
                low |= UInt64(byte) << UInt64(120 &- 8 &* index)
            }
        }
        (self.high, self.low) = (high, low)
    }

    /// The token in these bytes, under the same conditions.
    public init?(_ bytes: [UInt8]) { self.init(bytes.span.bytes) }

    /// The token in this text, under the same conditions.
    public init?(_ text: String) { self.init(Array(text.utf8)) }

    /// The number of bytes.
    public var count: Int {
        let (tail, base) = low == 0 ? (high, 0) : (low, 8)
        return base + 8 - tail.trailingZeroBitCount / 8
    }

    /// Byte `index`; zero behind the end.
    public subscript(index: Int) -> UInt8 {
        switch index {
        case 0..<8: UInt8(truncatingIfNeeded: high >> UInt64(56 - 8 * index))
        case 8..<16: UInt8(truncatingIfNeeded: low >> UInt64(120 - 8 * index))
        default: 0
        }
    }

    /// The token as an array; allocates.
    public var bytes: [UInt8] { (0..<count).map { self[$0] } }

    /// Compares without building a string.
    public static func == (token: ShortToken, bytes: [UInt8]) -> Bool {
        bytes.count == token.count && bytes.indices.allSatisfy { bytes[$0] == token[$0] }
    }

    /// Compares without building a token.
    public static func == (token: ShortToken, text: String) -> Bool {
        var index = 0
        for byte in text.utf8 {
            guard index < maximumLength, token[index] == byte, byte != 0 else { return false }
            index += 1
        }
        return index == token.count
    }

    static func isTokenCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x21, 0x23...0x27, 0x2A, 0x2B, 0x2D, 0x2E, 0x30...0x39, 0x41...0x5A, 0x5E...0x7E: true
        default: false
        }
    }
}

extension ShortToken: CustomStringConvertible {
    public var description: String { String(decoding: bytes, as: UTF8.self) }
}

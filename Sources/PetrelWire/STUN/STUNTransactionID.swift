public import PetrelCore

/// The 96 random bits that bind a response to its request (RFC 8489 section 5).
public struct STUNTransactionID: Hashable, Sendable {
    /// The first four octets on the wire.
    public let high: UInt32
    /// The last eight octets on the wire.
    public let low: UInt64

    public init(high: UInt32, low: UInt64) { (self.high, self.low) = (high, low) }

    /// A fresh id, uniformly random.
    public init(random: inout RandomSource) {
        self.init(high: UInt32(truncatingIfNeeded: random.next() >> 32), low: random.next())
    }
}

/// Which earlier packets of a stream go along with each new one: a set of distances, in packets.
public struct RedundancyOffsets: Hashable, Sendable {
    /// The greatest distance: 17 packets of 20 ms are the last that fourteen bits of ticks at 48 kHz can say (RFC 2198
    /// section 3).
    public static let greatest = 17
    /// None.
    public static let none = RedundancyOffsets()

    /// Bit k stands for distance k.
    private var bits: UInt32 = 0

    /// The empty set.
    public init() {}

    /// `count` distances, `spacing` apart: spacing, 2 * spacing and so on; those beyond ``greatest`` are left out.
    public init(count: Int, spacing: Int = 1) {
        guard count > 0, spacing > 0 else { return }
        for index in 1...min(count, Self.greatest) where index * spacing <= Self.greatest {
            bits |= 1 << UInt32(index * spacing)
        }
    }

    /// Whether nothing goes along.
    public var isEmpty: Bool { bits == 0 }
    /// The number of distances.
    public var count: Int { bits.nonzeroBitCount }
    /// The greatest distance in the set, zero where it is empty.
    public var reach: Int { bits == 0 ? 0 : 31 - bits.leadingZeroBitCount }

    /// Whether this distance is in the set.
    public func contains(_ distance: Int) -> Bool {
        (1...Self.greatest).contains(distance) && bits & (1 << UInt32(distance)) != 0
    }

    /// Takes a distance out of the set.
    public mutating func remove(_ distance: Int) {
        guard (1...Self.greatest).contains(distance) else { return }
        bits &= ~(1 << UInt32(distance))
    }
}

/// Which packets a repair packet protects, counted from its base sequence number: up to 110 (RFC 8627 section 4.2.2.1).
public struct FECMask: Hashable, Sendable {
    /// The most packets a mask can name.
    public static let limit = 110

    /// Bit `i` of the first word stands for packet `i`, of the second one for packet `64 + i`.
    public private(set) var words: (UInt64, UInt64) = (0, 0)

    public init() {}

    public static func == (a: FECMask, b: FECMask) -> Bool { a.words == b.words }
    public func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
        hasher.combine(words.1)
    }

    /// Whether packet `index` is protected; false outside 0..<110.
    public subscript(index: Int) -> Bool {
        if index < 0 || index >= Self.limit { return false }
        return (index < 64 ? words.0 >> UInt64(index) : words.1 >> UInt64(index - 64)) & 1 == 1
    }

    /// Protects packet `index`; does nothing outside 0..<110.
    public mutating func insert(_ index: Int) {
        guard index >= 0, index < Self.limit else { return }
        if index < 64 { words.0 |= 1 << UInt64(index) } else { words.1 |= 1 << UInt64(index - 64) }
    }

    /// Whether no packet is protected.
    public var isEmpty: Bool { words.0 | words.1 == 0 }
    /// How many packets are protected.
    public var count: Int { words.0.nonzeroBitCount + words.1.nonzeroBitCount }
    /// The highest protected packet; -1 where there is none.
    public var last: Int {
        if words.1 != 0 { return 127 - words.1.leadingZeroBitCount }
        return words.0 == 0 ? -1 : 63 - words.0.leadingZeroBitCount
    }

    /// Bits of the wire, the most significant first, into packets from `first` on.
    mutating func insert(bits: UInt64, count: Int, first: Int) {
        for index in 0..<count where bits >> UInt64(count - 1 - index) & 1 == 1 { insert(first + index) }
    }

    /// `count` packets from `first` on as bits of the wire.
    func bits(count: Int, first: Int) -> UInt64 {
        var bits: UInt64 = 0
        for index in 0..<count { bits = bits << 1 | (self[first + index] ? 1 : 0) }
        return bits
    }
}

/// The frames that were decoded lately, by their picture ids of 15 bits. Of a fixed size.
public struct DecodedFrames: Hashable, Sendable {
    /// The newest one; nil before the first.
    public private(set) var newest: UInt16?
    /// Bit `i` of word `w`: the frame `64 * w + i + 1` before the newest.
    private var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

    public init() {}

    public static func == (a: DecodedFrames, b: DecodedFrames) -> Bool { a.newest == b.newest && a.words == b.words }
    public func hash(into hasher: inout Hasher) {
        hasher.combine(newest)
        hasher.combine(words.0)
    }

    /// The 64 frames before the newest: bit `i` for `newest - 1 - i`.
    public var earlier: UInt64 { words.0 }

    /// Forgets all: the decoder has begun anew.
    public mutating func removeAll() { self = DecodedFrames() }

    /// Notes a frame, which must be newer than those before; an older one is not noted.
    public mutating func insert(_ id: UInt16) {
        guard let newest else { return self.newest = id & 0x7FFF }
        let ahead = Int((id &- newest) & 0x7FFF)
        guard ahead > 0, ahead < 0x4000 else { return }
        shift(min(ahead - 1, 256))
        // The newest so far becomes the first bit, or lies where the shift has put it.
        if ahead <= 256 { set(ahead - 1) }
        self.newest = id & 0x7FFF
    }

    /// Whether everything that a frame leans on was decoded.
    public func contains(_ references: FrameReferences, of id: UInt16) -> Bool {
        guard let newest else { return references.count == 0 }
        for index in 0..<references.count {
            let behind = Int((newest &- (id &- UInt16(references[index]))) & 0x7FFF)
            guard behind == 0 || behind <= 256 && isSet(behind - 1) else { return false }
        }
        return true
    }

    /// Every frame moves `count + 1` places away from the newest.
    private mutating func shift(_ count: Int) {
        var left = count + 1
        while left > 0 {
            let step = min(left, 63)
            let back = UInt64(64 - step)
            let by = UInt64(step)
            words.3 = words.3 << by | words.2 >> back
            words.2 = words.2 << by | words.1 >> back
            words.1 = words.1 << by | words.0 >> back
            words.0 = words.0 << by
            left -= step
        }
    }

    private mutating func set(_ index: Int) {
        let bit = UInt64(1) << UInt64(index & 63)
        switch index >> 6 {
        case 0: words.0 |= bit
        case 1: words.1 |= bit
        case 2: words.2 |= bit
        default: words.3 |= bit
        }
    }

    private func isSet(_ index: Int) -> Bool {
        let word =
            switch index >> 6 {
            case 0: words.0
            case 1: words.1
            case 2: words.2
            default: words.3
            }
        return word >> UInt64(index & 63) & 1 == 1
    }
}

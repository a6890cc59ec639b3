/// The three pictures that a VP8 decoder keeps to predict from (RFC 6386 section 9.7).
public struct VP8Buffers: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// The last picture, the golden one and the alternate one. The numbers are those of libvpx.
    public static let last = VP8Buffers(rawValue: 1)
    public static let golden = VP8Buffers(rawValue: 2)
    public static let altRef = VP8Buffers(rawValue: 4)
    public static let all: VP8Buffers = [.last, .golden, .altRef]
}

/// What one frame may be predicted from and which pictures it replaces.
public struct VP8References: Hashable, Sendable {
    /// What the encoder may predict from; empty: it predicts from nothing, without being a key frame.
    public var uses: VP8Buffers
    /// What the frame takes the place of when it is decoded.
    public var refreshes: VP8Buffers

    public init(uses: VP8Buffers, refreshes: VP8Buffers) { (self.uses, self.refreshes) = (uses, refreshes) }
}

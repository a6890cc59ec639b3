internal import PetrelCore

/// Which earlier frames a frame leans on, as distances between their picture ids (RFC 7741 section 4.2).
///
/// A header extension of Petrel's own, between peers that both announce it. Its element has one to three bytes, each the
/// distance back to one frame, 1...255; a single zero means that the frame leans on none. With it a receiver that has
/// lost a frame knows which later frame it can go on with.
public struct FrameReferences: Hashable, Sendable {
    /// A VP8 frame is predicted from three pictures at the most.
    public static let limit = 3
    /// The furthest frame that can be named: 8 s at 30 pictures per second.
    public static let furthest = 255

    /// How many frames it leans on, 0...3.
    public private(set) var count = 0
    private var bits: UInt32 = 0

    /// Leans on nothing.
    public init() {}

    /// Reads an element of 1...3 bytes; nil for any other length, and for a zero among several.
    init?(reading span: RawSpan) {
        let length = span.byteCount
        guard length >= 1, length <= Self.limit else { return nil }
        if length == 1, span.wire8(0) == 0 { return }
        for index in 0..<length where !add(distance: Int(span.wire8(index))) { return nil }
    }

    /// Adds a frame that is `distance` picture ids back; one that is named already is not added twice.
    /// - Returns: false where the distance cannot be written, or three are named already.
    @discardableResult
    public mutating func add(distance: Int) -> Bool {
        guard let byte = UInt8(exactly: distance), byte != 0 else { return false }
        for index in 0..<count where self[index] == byte { return true }
        guard count < Self.limit else { return false }
        bits |= UInt32(byte) << (UInt32(count) * 8)
        count += 1
        return true
    }

    /// The distance to one of the frames, `index` below ``count``.
    public subscript(index: Int) -> UInt8 { UInt8(truncatingIfNeeded: bits >> UInt32((index & 3) * 8)) }

    /// The length of the element in bytes.
    var length: Int { max(1, count) }
}

/// The number of a frame that is sent, and what it leans on.
public struct FrameDependency: Hashable, Sendable {
    /// One more than that of the picture before, also where that one was not sent.
    public var number: Int64
    public var references: FrameReferences

    public init(number: Int64, references: FrameReferences) { (self.number, self.references) = (number, references) }
}

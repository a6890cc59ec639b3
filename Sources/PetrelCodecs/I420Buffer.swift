/// A picture in I420: a plane of luma, and two of chroma with half its width and height, rounded up.
///
/// Rows lie ``strideY`` and ``strideUV`` bytes apart, multiples of 32, and every plane starts on a multiple of 32.
/// Write to it only while nobody else reads it.
public final class I420Buffer: @unchecked Sendable {
    // @unchecked: written only by whoever holds the sole reference, read only once it is shared.
    /// The longest side in pixels: what fourteen bits of a VP8 key frame can say (RFC 6386 section 9.1).
    public static let maximumSide = 16383
    /// Bytes to which rows and planes are aligned: one 256-bit vector.
    static let alignment = 32

    /// Size of the picture in pixels.
    public let width: Int
    public let height: Int
    /// Bytes from one row of luma to the next.
    public let strideY: Int
    /// Bytes from one row of chroma to the next.
    public let strideUV: Int
    /// Luma: ``strideY`` times ``height`` bytes.
    public let y: UnsafeMutableBufferPointer<UInt8>
    /// Blue-difference chroma: ``strideUV`` times ``chromaHeight`` bytes.
    public let u: UnsafeMutableBufferPointer<UInt8>
    /// Red-difference chroma: ``strideUV`` times ``chromaHeight`` bytes.
    public let v: UnsafeMutableBufferPointer<UInt8>
    private let memory: UnsafeMutableRawBufferPointer

    /// A picture of black.
    /// - Precondition: both sides lie in `1...maximumSide`; sizes from the wire are checked by the decoder before.
    public init(width: Int, height: Int) {
        precondition(
            (1...Self.maximumSide).contains(width) && (1...Self.maximumSide).contains(height),
            "picture size out of range")
        self.width = width
        self.height = height
        strideY = Self.aligned(width)
        strideUV = Self.aligned((width + 1) / 2)
        let luma = strideY * height
        let chroma = strideUV * ((height + 1) / 2)
        memory = .allocate(byteCount: luma + 2 * chroma, alignment: 64)
        let bytes = memory.bindMemory(to: UInt8.self)
        y = UnsafeMutableBufferPointer(rebasing: bytes[..<luma])
        u = UnsafeMutableBufferPointer(rebasing: bytes[luma..<(luma + chroma)])
        v = UnsafeMutableBufferPointer(rebasing: bytes[(luma + chroma)...])
        fill(y: 16, u: 128, v: 128)
    }

    /// A picture from its bytes as files hold them: Y, U and V one after the other, rows without gaps.
    /// - Returns: nil where the sizes are out of range or the count is not that of such a picture.
    public convenience init?(width: Int, height: Int, i420 bytes: UnsafeRawBufferPointer) {
        guard (1...Self.maximumSide).contains(width), (1...Self.maximumSide).contains(height),
            bytes.count == Self.byteCount(width: width, height: height)
        else { return nil }
        self.init(width: width, height: height)
        let source = bytes.bindMemory(to: UInt8.self)
        var offset = 0
        for plane in 0..<3 {
            let target = self.plane(plane)
            for row in 0..<target.height {
                let line = UnsafeBufferPointer(rebasing: source[offset..<(offset + target.width)])
                _ = UnsafeMutableBufferPointer(start: target.base + row * target.stride, count: target.width)
                    .update(fromContentsOf: line)
                offset += target.width
            }
        }
    }

    deinit { memory.deallocate() }

    /// Size of the blue and the red plane: half the picture, rounded up.
    public var chromaWidth: Int { (width + 1) / 2 }
    public var chromaHeight: Int { (height + 1) / 2 }

    /// The bytes of a picture without gaps between its rows.
    public static func byteCount(width: Int, height: Int) -> Int {
        width * height + 2 * (((width + 1) / 2) * ((height + 1) / 2))
    }

    /// The bytes of this picture without gaps between its rows.
    public var byteCount: Int { Self.byteCount(width: width, height: height) }

    /// Appends the picture to `bytes` as files hold it: Y, U and V one after the other, rows without gaps.
    public func append(to bytes: inout [UInt8]) {
        bytes.reserveCapacity(bytes.count + byteCount)
        withoutGaps { bytes.append(contentsOf: $0) }
    }

    /// Hands every row in the order of files, without the gaps between them.
    public func withoutGaps<Failure: Error>(
        _ body: (UnsafeBufferPointer<UInt8>) throws(Failure) -> Void
    ) throws(Failure) {
        for index in 0..<3 {
            let plane = self.plane(index)
            for row in 0..<plane.height {
                try body(UnsafeBufferPointer(start: plane.base + row * plane.stride, count: plane.width))
            }
        }
    }

    /// A second picture with the same content.
    public func copy() -> I420Buffer {
        let result = I420Buffer(width: width, height: height)
        result.update(from: self)
        return result
    }

    /// Takes over the content of a picture of the same size.
    /// - Precondition: the sizes are equal.
    public func update(from other: I420Buffer) {
        precondition(other.width == width && other.height == height, "pictures of different sizes")
        memory.copyMemory(from: UnsafeRawBufferPointer(other.memory))
    }

    /// One colour everywhere.
    public func fill(y luma: UInt8, u blue: UInt8, v red: UInt8) {
        y.update(repeating: luma)
        u.update(repeating: blue)
        v.update(repeating: red)
    }

    /// One rectangle in one colour; what lies outside the picture is left out. Chroma covers every 2x2 block that
    /// the rectangle touches.
    public func fill(x: Int, y top: Int, width: Int, height: Int, luma: UInt8, blue: UInt8, red: UInt8) {
        let left = max(0, min(x, self.width))
        let right = max(left, min(x + width, self.width))
        let first = max(0, min(top, self.height))
        let last = max(first, min(top + height, self.height))
        guard right > left, last > first else { return }
        plane(0).fill(left..<right, first..<last, luma)
        let columns = (left / 2)..<((right + 1) / 2)
        let rows = (first / 2)..<((last + 1) / 2)
        plane(1).fill(columns, rows, blue)
        plane(2).fill(columns, rows, red)
    }

    /// One plane as a place to work on: 0 luma, 1 blue, 2 red.
    func plane(_ index: Int) -> Plane {
        switch index {
        // The planes are never empty, so their addresses are never nil.
        case 0: Plane(base: y.baseAddress.unsafelyUnwrapped, width: width, height: height, stride: strideY)
        case 1:
            Plane(base: u.baseAddress.unsafelyUnwrapped, width: chromaWidth, height: chromaHeight, stride: strideUV)
        default:
            Plane(base: v.baseAddress.unsafelyUnwrapped, width: chromaWidth, height: chromaHeight, stride: strideUV)
        }
    }

    private static func aligned(_ width: Int) -> Int { (width + alignment - 1) / alignment * alignment }
}

/// One plane of a picture for the span of a call.
struct Plane {
    let base: UnsafeMutablePointer<UInt8>
    let width: Int
    let height: Int
    let stride: Int

    func fill(_ columns: Range<Int>, _ rows: Range<Int>, _ value: UInt8) {
        for row in rows { (base + row * stride + columns.lowerBound).update(repeating: value, count: columns.count) }
    }

    /// Copies the rows of a plane of the same size.
    func copy(from source: UnsafePointer<UInt8>, stride sourceStride: Int) {
        for row in 0..<height { (base + row * stride).update(from: source + row * sourceStride, count: width) }
    }
}

/// Pictures in use again and again: one is free when nobody but the pool refers to it.
public struct I420BufferPool: Sendable {
    private var buffers: [I420Buffer] = []
    private var next = 0
    /// The most pictures the pool keeps; beyond it, pictures are made and forgotten.
    public let limit: Int

    public init(limit: Int = 16) { self.limit = max(1, limit) }

    /// A picture of this size with whatever content it last had. A free picture of another size gives its place,
    /// so that memory of an earlier, larger size returns.
    public mutating func take(width: Int, height: Int) -> I420Buffer {
        var wrongSize: Int?
        for _ in buffers.indices {
            next = next + 1 < buffers.count ? next + 1 : 0
            guard isKnownUniquelyReferenced(&buffers[next]) else { continue }
            if buffers[next].width == width && buffers[next].height == height { return buffers[next] }
            wrongSize = next
        }
        let buffer = I420Buffer(width: width, height: height)
        if let wrongSize {
            buffers[wrongSize] = buffer
        } else if buffers.count < limit {
            buffers.append(buffer)
        }
        return buffer
    }
}

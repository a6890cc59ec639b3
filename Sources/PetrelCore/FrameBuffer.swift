/// Bytes of one encoded frame or packet on their way between the engine and a codec, in memory that is used again.
///
/// A buffer belongs to whoever holds a reference; when only its pool does, the pool hands it out anew
/// (``FrameBufferPool``). Write to it only while nobody else reads it.
public final class FrameBuffer: @unchecked Sendable {
    // @unchecked: written only by whoever holds the sole reference, read only once it is shared.
    private var storage: UnsafeMutableRawBufferPointer
    /// The number of bytes in use.
    public private(set) var count = 0

    public init(capacity: Int = 2048) {
        // What malloc gives is aligned enough; see SlotMemory for what more costs.
        storage = .allocate(byteCount: max(64, capacity), alignment: 16)
    }

    /// A buffer with these bytes.
    public convenience init(_ bytes: some Collection<UInt8>) {
        self.init(capacity: bytes.count)
        UnsafeMutableRawBufferPointer(rebasing: storage[..<bytes.count]).copyBytes(from: bytes)
        count = bytes.count
    }

    deinit { storage.deallocate() }

    /// The room in bytes.
    public var capacity: Int { storage.count }

    /// The bytes in use, for as long as the caller holds the buffer and nobody writes.
    public var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: storage[..<count]) }

    /// Empties the buffer; its memory stays.
    public func removeAll() { count = 0 }

    /// Makes room for `capacity` bytes in all. Allocates only where the buffer was smaller.
    public func reserve(_ capacity: Int) {
        guard capacity > storage.count else { return }
        let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: max(capacity, storage.count * 2), alignment: 16)
        larger.copyMemory(from: bytes)
        storage.deallocate()
        storage = larger
    }

    /// Appends a copy of `source`.
    public func append(_ source: UnsafeRawBufferPointer) {
        guard source.count > 0 else { return }
        reserve(count + source.count)
        UnsafeMutableRawBufferPointer(rebasing: storage[count...]).copyMemory(from: source)
        count += source.count
    }

    /// Appends a copy of `source`.
    public func append(_ source: RawSpan) { source.withUnsafeBytes { append($0) } }

    /// Lets `write` fill up to `room` bytes behind those in use; it answers how many it wrote.
    public func append(room: Int, _ write: (UnsafeMutableRawBufferPointer) throws -> Int) rethrows {
        reserve(count + room)
        let written = try write(UnsafeMutableRawBufferPointer(rebasing: storage[count..<(count + room)]))
        count += max(0, min(room, written))
    }
}

/// Buffers in use again and again: one is free when nobody but the pool refers to it.
public struct FrameBufferPool: Sendable {
    private var buffers: [FrameBuffer] = []
    private var next = 0
    /// The most buffers the pool keeps; beyond it, buffers are made and forgotten.
    public let limit: Int

    public init(limit: Int = 128) { self.limit = max(1, limit) }

    /// An empty buffer for at least `capacity` bytes.
    public mutating func take(capacity: Int = 2048) -> FrameBuffer {
        for _ in buffers.indices {
            next = next + 1 < buffers.count ? next + 1 : 0
            if isKnownUniquelyReferenced(&buffers[next]) {
                let buffer = buffers[next]
                buffer.removeAll()
                buffer.reserve(capacity)
                return buffer
            }
        }
        let buffer = FrameBuffer(capacity: capacity)
        if buffers.count < limit { buffers.append(buffer) }
        return buffer
    }
}

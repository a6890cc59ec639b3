/// A fixed number of equally long slots in one allocation: where packets are kept without touching the heap.
///
/// The owner decides which slot holds what. A slot is never handed out beyond a call.
public struct SlotMemory: ~Copyable, @unchecked Sendable {
    // @unchecked: one owner, which cannot be copied; it moves between threads whole.
    /// The number of slots.
    public let count: Int
    /// The bytes in each slot: a multiple of 64, so that every slot is aligned for the ciphers.
    public let stride: Int
    @usableFromInline let base: UnsafeMutableRawPointer

    /// Allocates `count` slots of at least `slotSize` bytes, zeroed.
    public init(count: Int, slotSize: Int) {
        self.count = max(1, count)
        stride = (max(1, slotSize) + 63) / 64 * 64
        base = .allocate(byteCount: self.count * stride, alignment: 64)
        base.initializeMemory(as: UInt8.self, repeating: 0, count: self.count * stride)
    }

    deinit { base.deallocate() }

    /// The bytes of slot `index`, for as long as the call that uses them lasts.
    /// - Precondition: `index` lies in `0..<count`; it is an index of the owner's making, never one from the wire.
    @inlinable
    public func slot(_ index: Int) -> UnsafeMutableRawBufferPointer {
        precondition(index >= 0 && index < count, "slot index out of range")
        return UnsafeMutableRawBufferPointer(start: base + index * stride, count: stride)
    }
}

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
    private let allocation: UnsafeMutableRawPointer

    /// Allocates `count` slots of at least `slotSize` bytes, zeroed.
    public init(count: Int, slotSize: Int) {
        self.count = max(1, count)
        stride = (max(1, slotSize) + 63) / 64 * 64
        // Aligned by hand: glibc before 2.38 cannot give the place of an aligned block to its like again (it looks for
        // one larger by the alignment), so that the heap grew with every peer that came and went.
        allocation = .allocate(byteCount: self.count * stride + 64, alignment: 16)
        base = allocation.alignedUp(toMultipleOf: 64)
        base.initializeMemory(as: UInt8.self, repeating: 0, count: self.count * stride)
    }

    deinit { allocation.deallocate() }

    /// The bytes of slot `index`, for as long as the call that uses them lasts.
    /// - Precondition: `index` lies in `0..<count`; it is an index of the owner's making, never one from the wire.
    @inlinable
    public func slot(_ index: Int) -> UnsafeMutableRawBufferPointer {
        precondition(index >= 0 && index < count, "slot index out of range")
        return UnsafeMutableRawBufferPointer(start: base + index * stride, count: stride)
    }
}

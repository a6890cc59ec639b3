/// A running hash over everything that crosses a ``VirtualNetwork``: eight bytes at a time, the same on every
/// machine. It tells two runs apart and is not cryptographic.
struct TraceHash: Hashable, Sendable {
    private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

    mutating func mix(_ word: UInt64) {
        // Two rounds of multiply and fold, as in the output of SplitMix64: with one round, a change of the top bit
        // of a word could be undone by a change of one bit in the next.
        value = (value ^ word) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 32)) &* 0x94D0_49BB_1331_11EB
        value ^= value >> 29
    }

    mutating func mix(_ bytes: UnsafeRawBufferPointer) {
        mix(UInt64(bytes.count))
        var offset = 0
        while offset + 8 <= bytes.count {
            mix(UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)))
            offset += 8
        }
        guard offset < bytes.count else { return }
        var tail: UInt64 = 0
        while offset < bytes.count {
            tail = tail << 8 | UInt64(bytes[offset])
            offset += 1
        }
        mix(tail)
    }
}

/// A running hash over everything that crosses a ``VirtualNetwork``.
///
/// It is the scheme of FNV-1a (xor, then multiply) on words of eight bytes instead of single bytes, with a rotation
/// that lets the upper bits reach the lower ones. It is the same on every machine, and not cryptographic.
struct TraceHash: Hashable, Sendable {
    // The 64-bit offset basis and prime of FNV.
    private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325
    private static let prime: UInt64 = 0x100_0000_01B3

    mutating func mix(_ word: UInt64) {
        value = (value ^ word) &* Self.prime
        value = value << 29 | value >> 35
    }

    mutating func mix(_ bytes: UnsafeRawBufferPointer) {
        mix(UInt64(bytes.count))
        var offset = 0
        while offset + 8 <= bytes.count {
            mix(UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)))
            offset += 8
        }
        var tail: UInt64 = 0
        while offset < bytes.count {
            tail = tail << 8 | UInt64(bytes[offset])
            offset += 1
        }
        mix(tail)
    }
}

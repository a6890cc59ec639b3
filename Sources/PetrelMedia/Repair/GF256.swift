internal import CPetrelMedia

/// Arithmetic over GF(2^8) with the polynomial x^8 + x^4 + x^3 + x^2 + 1 (0x11D), the field of the sliding-window code
/// of RFC 8681 (section 3.7.2). Addition is the exclusive or.
public enum GF256 {
    /// The product of two elements.
    public static func multiply(_ left: UInt8, _ right: UInt8) -> UInt8 { petrel_gf256_multiply(left, right) }

    /// The inverse of an element; zero for zero, which has none.
    public static func inverse(_ value: UInt8) -> UInt8 { petrel_gf256_inverse(value) }

    /// Adds `factor` times each byte of `source` to the byte of `destination` at the same place.
    ///
    /// The two may be the same memory. What lies beyond the end of the shorter one is left alone.
    public static func multiplyAdd(
        _ destination: UnsafeMutableRawBufferPointer, _ source: UnsafeRawBufferPointer, factor: UInt8
    ) {
        guard let target = destination.baseAddress, let from = source.baseAddress else { return }
        petrel_gf256_multiply_add(
            target.assumingMemoryBound(to: UInt8.self), from.assumingMemoryBound(to: UInt8.self), factor,
            min(destination.count, source.count))
    }

    /// The same without vector instructions: what runs where there are none.
    public static func multiplyAddPortable(
        _ destination: UnsafeMutableRawBufferPointer, _ source: UnsafeRawBufferPointer, factor: UInt8
    ) {
        guard let target = destination.baseAddress, let from = source.baseAddress else { return }
        petrel_gf256_multiply_add_portable(
            target.assumingMemoryBound(to: UInt8.self), from.assumingMemoryBound(to: UInt8.self), factor,
            min(destination.count, source.count))
    }

    /// Bytes that one step of ``multiplyAdd(_:_:factor:)`` takes on this machine; 1 without vector instructions.
    public static var step: Int { Int(petrel_gf256_step()) }
}

import PetrelCore
import PetrelMedia
import Testing

@Suite struct GF256Tests {
    /// Multiplication of polynomials over GF(2), bit by bit, and the remainder by x^8 + x^4 + x^3 + x^2 + 1.
    static func product(_ left: UInt8, _ right: UInt8) -> UInt8 {
        var wide: UInt16 = 0
        for bit in 0..<8 where right >> UInt8(bit) & 1 == 1 { wide ^= UInt16(left) << UInt16(bit) }
        for bit in stride(from: 14, through: 8, by: -1) where wide >> UInt16(bit) & 1 == 1 {
            wide ^= 0x11D << UInt16(bit - 8)
        }
        return UInt8(wide)
    }

    @Test func productsAreThoseOfPolynomials() {
        var wrong = 0
        for left in UInt8.min...UInt8.max {
            for right in UInt8.min...UInt8.max where GF256.multiply(left, right) != Self.product(left, right) {
                wrong += 1
            }
        }
        #expect(wrong == 0)
    }

    @Test func everyElementButZeroHasItsInverse() {
        for value in UInt8(1)...UInt8.max { #expect(GF256.multiply(value, GF256.inverse(value)) == 1) }
        #expect(GF256.inverse(0) == 0)
    }

    /// Each length around the steps of the vector instructions, each factor, at odd addresses.
    @Test func regionsAreWhatTheirBytesAre() {
        var random = SeededGenerator(seed: 1)
        for factor in UInt8.min...UInt8.max {
            for length in [0, 1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100] {
                let source = (0...length).map { _ in UInt8(truncatingIfNeeded: random.next()) }
                let start = (0...length).map { _ in UInt8(truncatingIfNeeded: random.next()) }
                var fast = start
                var portable = start
                source.withUnsafeBytes { source in
                    let part = UnsafeRawBufferPointer(rebasing: source[1...])
                    fast.withUnsafeMutableBytes {
                        GF256.multiplyAdd(UnsafeMutableRawBufferPointer(rebasing: $0[1...]), part, factor: factor)
                    }
                    portable.withUnsafeMutableBytes {
                        GF256.multiplyAddPortable(
                            UnsafeMutableRawBufferPointer(rebasing: $0[1...]), part, factor: factor)
                    }
                }
                let expected =
                    start.prefix(1) + zip(start, source).dropFirst().map { $0 ^ Self.product($1, factor) }
                #expect(fast == Array(expected) && portable == Array(expected), "factor \(factor), length \(length)")
            }
        }
    }

    /// (f + 1) times a region, added to itself, is f times it: the decoder scales so.
    @Test func aRegionMayBeAddedToItself() {
        var region = (0..<100).map { UInt8($0) }
        region.withUnsafeMutableBytes { GF256.multiplyAdd($0, UnsafeRawBufferPointer($0), factor: 0x35 ^ 1) }
        #expect(region == (0..<100).map { Self.product(UInt8($0), 0x35) })
    }
}

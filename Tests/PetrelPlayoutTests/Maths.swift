import PetrelCore

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

extension Double {
    static func sine(_ x: Double) -> Double { sin(x) }
}

extension SeededGenerator {
    /// Normally distributed with deviation 1.
    mutating func gauss() -> Double {
        (-2 * log(max(1e-12, unit()))).squareRoot() * cos(2 * .pi * unit())
    }

    /// Exponentially distributed with mean 1.
    mutating func exponential() -> Double { -log(max(1e-12, 1 - unit())) }
}

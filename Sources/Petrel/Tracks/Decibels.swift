#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// Logarithms of the C library, without Foundation.
enum Decibels {
    static func logarithm(_ value: Double) -> Double { log10(value) }
}

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// The C library under one name, for the places where a member of ours has the name of one of its own.
enum Platform {
    #if canImport(Glibc)
        typealias timespec = Glibc.timespec
        static func close(_ descriptor: Int32) { _ = Glibc.close(descriptor) }
    #elseif canImport(Musl)
        typealias timespec = Musl.timespec
        static func close(_ descriptor: Int32) { _ = Musl.close(descriptor) }
    #elseif canImport(Darwin)
        typealias timespec = Darwin.timespec
        static func close(_ descriptor: Int32) { _ = Darwin.close(descriptor) }
    #endif
}

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// Why a ``LiveRelay`` could not start.
public struct LiveRelayError: Error, Hashable, Sendable {
    /// The system call that failed, such as `bind`.
    public let call: String
    /// Its error number (errno).
    public let code: Int32
}

extension LiveRelayError: CustomStringConvertible {
    public var description: String { "\(call): \(String(cString: strerror(code)))" }
}

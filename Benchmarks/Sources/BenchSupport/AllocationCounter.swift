internal import Glibc

/// The functions of Preload/alloc_count.c, where it is preloaded.
public struct AllocationCounter: Sendable {
    private typealias Command = @convention(c) () -> Void
    private typealias Count = @convention(c) () -> UInt64
    private let startCounting: Command
    private let stopCounting: Command
    private let ownCount: Count
    private let libraryCount: Count

    /// Nil where nothing is preloaded.
    public init?() {
        func find<Function>(_ name: String, as type: Function.Type) -> Function? {
            dlsym(nil, name).map { unsafeBitCast($0, to: type) }
        }
        guard let start = find("petrel_allocations_start", as: Command.self),
            let stop = find("petrel_allocations_stop", as: Command.self),
            let own = find("petrel_allocations_own", as: Count.self),
            let libraries = find("petrel_allocations_libraries", as: Count.self)
        else { return nil }
        (startCounting, stopCounting, ownCount, libraryCount) = (start, stop, own, libraries)
    }

    /// Counts from zero.
    public func start() { startCounting() }
    public func stop() { stopCounting() }
    /// Allocations by Petrel and the Swift library (and NIO, where a driver runs).
    public var own: UInt64 { ownCount() }
    /// Allocations by libsrtp2, libcrypto, NSS, libvpx and libopus.
    public var libraries: UInt64 { libraryCount() }
}

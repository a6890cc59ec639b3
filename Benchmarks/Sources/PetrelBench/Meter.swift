import Glibc

/// The processor's time, in nanoseconds: what others do on the machine does not count.
enum CPUTime {
    static var thread: Int64 { read(CLOCK_THREAD_CPUTIME_ID) }
    static var process: Int64 { read(CLOCK_PROCESS_CPUTIME_ID) }
    static var wall: Int64 { read(CLOCK_MONOTONIC) }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    /// What reading the thread's clock twice costs: the least of many tries.
    static func costOfReading() -> Int64 {
        var least = Int64.max
        for _ in 0..<10_000 {
            let start = thread
            least = min(least, thread - start)
        }
        return least
    }
}

/// The functions of Preload/alloc_count.c, where it is preloaded.
struct AllocationCounter {
    private typealias Command = @convention(c) () -> Void
    private typealias Count = @convention(c) () -> UInt64
    private let startCounting: Command
    private let stopCounting: Command
    private let ownCount: Count
    private let libraryCount: Count

    /// Nil where nothing is preloaded.
    init?() {
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
    func start() { startCounting() }
    func stop() { stopCounting() }
    /// Allocations by Petrel and the Swift library (and NIO, where a driver runs).
    var own: UInt64 { ownCount() }
    /// Allocations by libsrtp2, libcrypto, NSS, libvpx and libopus.
    var libraries: UInt64 { libraryCount() }
}

/// What one path cost.
struct Tally {
    var packets = 0
    var nanoseconds: Int64 = 0
    var own: UInt64 = 0
    var libraries: UInt64 = 0

    var nanosecondsPerPacket: Double { Double(nanoseconds) / Double(max(1, packets)) }
    var ownPerPacket: Double { Double(own) / Double(max(1, packets)) }
    var librariesPerPacket: Double { Double(libraries) / Double(max(1, packets)) }
}

/// Measures sections of code: their processor time, or their allocations, never both at once.
struct Meter {
    /// Nil: time is measured.
    var counter: AllocationCounter?
    /// One allocation for each packet, to see that counting finds it.
    var plants = false
    private let overhead = CPUTime.costOfReading()

    /// Measures `section`, which answers how many packets it handled; nothing is counted where it answers nil.
    func measure(_ tally: inout Tally, _ section: () -> Int?) {
        if let counter {
            counter.start()
            let packets = section()
            if plants { for _ in 0..<(packets ?? 0) { Planted.allocate() } }
            counter.stop()
            guard let packets else { return }
            tally.packets += packets
            tally.own += counter.own
            tally.libraries += counter.libraries
        } else {
            let start = CPUTime.thread
            let packets = section()
            let took = CPUTime.thread - start - overhead
            guard let packets else { return }
            tally.packets += packets
            tally.nanoseconds += took
        }
    }
}

enum Planted {
    nonisolated(unsafe) private static var last: UnsafeMutableRawPointer?

    @inline(never)
    static func allocate() {
        last?.deallocate()
        last = .allocate(byteCount: 24, alignment: 8)
    }
}

/// Keeps a value from being optimised away.
@inline(never)
func consume(_ value: Int) { Consumed.sum &+= value }
enum Consumed { nonisolated(unsafe) static var sum = 0 }

func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    return sorted.isEmpty ? 0 : sorted[sorted.count / 2]
}

import BenchSupport

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

internal import Glibc

/// The processor's time, in nanoseconds: what others do on the machine does not count.
public enum CPUTime {
    public static var thread: Int64 { read(CLOCK_THREAD_CPUTIME_ID) }
    public static var wall: Int64 { read(CLOCK_MONOTONIC) }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    /// What reading the thread's clock twice costs: the least of many tries.
    public static func costOfReading() -> Int64 {
        var least = Int64.max
        for _ in 0..<10_000 {
            let start = thread
            least = min(least, thread - start)
        }
        return least
    }
}

internal import NIOCore
public import PetrelCore

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// The real clocks, read here and in no room below.
public enum MonotonicClock {
    /// Now, on the monotonic clock that the event loops use.
    public static var now: Instant { Instant(nanoseconds: Int64(clamping: NIODeadline.now().uptimeNanoseconds)) }

    /// Nanoseconds since 1970 on the system's wall clock.
    public static var unixNanoseconds: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    /// How the two lie to each other at this moment.
    public static func wallClock() -> WallClock { WallClock(unixNanoseconds: unixNanoseconds, at: now) }
}

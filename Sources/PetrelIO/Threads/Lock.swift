public import PetrelCore

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// A mutex with a condition, around a value. The only lock of the project: the thread sanitizer understands pthread's
/// and not the standard library's.
public final class Lock<Value>: @unchecked Sendable {
    // @unchecked: `value` is touched only while `mutex` is held.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    private var value: Value

    /// Puts a value behind a lock.
    public init(_ value: sending Value) {
        self.value = value
        mutex = .allocate(capacity: 1)
        condition = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        condition.initialize(to: pthread_cond_t())
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        #if !canImport(Darwin)
            pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        #endif
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// Runs `body` with the value, alone.
    public func withLock<Result>(_ body: (inout Value) throws -> Result) rethrows -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&value)
    }

    /// Runs `body` with the value, alone, and wakes whoever waits.
    public func signal<Result>(_ body: (inout Value) throws -> Result) rethrows -> Result {
        pthread_mutex_lock(mutex)
        defer {
            pthread_cond_broadcast(condition)
            pthread_mutex_unlock(mutex)
        }
        return try body(&value)
    }

    /// Waits until `body` answers something, trying again after each ``signal(_:)``; nil once `deadline` has passed.
    public func wait<Result>(until deadline: Instant = .distantFuture, _ body: (inout Value) -> Result?) -> Result? {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while true {
            if let result = body(&value) { return result }
            if deadline == .distantFuture {
                pthread_cond_wait(condition, mutex)
                continue
            }
            guard MonotonicClock.now < deadline else { return nil }
            #if canImport(Darwin)
                let left = deadline - MonotonicClock.now
                var time = Self.timespec(left.nanoseconds)
                pthread_cond_timedwait_relative_np(condition, mutex, &time)
            #else
                var time = Self.timespec(deadline.nanoseconds)
                pthread_cond_timedwait(condition, mutex, &time)
            #endif
        }
    }

    private static func timespec(_ nanoseconds: Int64) -> timespec {
        var time = Platform.timespec()
        time.tv_sec = time_t(max(0, nanoseconds) / 1_000_000_000)
        time.tv_nsec = Int(max(0, nanoseconds) % 1_000_000_000)
        return time
    }
}

public import PetrelCore

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// A thread of its own for work that takes milliseconds: a codec, a camera's pace, a loudspeaker's.
///
/// The body runs once and looks at ``isStopped`` now and then. ``stop()`` asks it to end; ``join()`` waits for that.
public final class WorkerThread: @unchecked Sendable {
    // @unchecked: `thread` is written once before the object is shared and read by join() alone.
    private final class Start {
        let body: () -> Void
        init(_ body: @escaping () -> Void) { self.body = body }
    }

    private let state = Lock(State())
    private struct State: Sendable {
        var stopped = false
        var joined = false
    }
    private var thread: pthread_t?

    /// Starts a thread that runs `body` once.
    public init(_ body: @escaping @Sendable (WorkerThread) -> Void) {
        let start = Start { [unowned(unsafe) self] in
            body(self)
        }
        // The thread keeps the object alive until its body has returned.
        let kept = Unmanaged.passRetained(self)
        let wrapped = Start {
            start.body()
            kept.release()
        }
        let context = Unmanaged.passRetained(wrapped).toOpaque()
        #if canImport(Darwin)
            var handle: pthread_t?
            pthread_create(
                &handle, nil,
                { context in
                    Unmanaged<Start>.fromOpaque(context).takeRetainedValue().body()
                    return nil
                }, context)
            thread = handle
        #else
            var handle = pthread_t()
            pthread_create(
                &handle, nil,
                { context in
                    if let context { Unmanaged<Start>.fromOpaque(context).takeRetainedValue().body() }
                    return nil
                }, context)
            thread = handle
        #endif
    }

    /// Whether it was asked to end.
    public var isStopped: Bool { state.withLock { $0.stopped } }

    /// Asks the body to end and wakes it from ``sleep(until:)``.
    public func stop() { state.signal { $0.stopped = true } }

    /// Waits until the body has returned. To be called once, never from the thread itself.
    public func join() {
        stop()
        let first = state.withLock { state in
            defer { state.joined = true }
            return !state.joined
        }
        if first, let thread { pthread_join(thread, nil) }
    }

    /// Sleeps until `deadline`. False where the thread was asked to stop meanwhile.
    public func sleep(until deadline: Instant) -> Bool {
        state.wait(until: deadline) { $0.stopped ? true : nil } == nil
    }
}

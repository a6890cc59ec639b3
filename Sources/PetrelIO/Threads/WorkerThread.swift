public import PetrelCore

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// The system gave no thread.
public struct ThreadError: Error, CustomStringConvertible, Sendable {
    public let description: String
}

/// A thread of its own for work that takes milliseconds: a codec, a camera's pace, a loudspeaker's.
///
/// The body runs once and looks at ``isStopped`` now and then. ``stop()`` asks it to end; ``ended()`` waits for that
/// without holding up a thread, ``join()`` with. The object lives until its body has returned.
public final class WorkerThread: Sendable {
    /// What the new thread is handed.
    private final class Start {
        let thread: WorkerThread
        let body: @Sendable (WorkerThread) -> Void

        init(_ thread: WorkerThread, _ body: @escaping @Sendable (WorkerThread) -> Void) {
            self.thread = thread
            self.body = body
        }
    }

    private struct State: Sendable {
        var stopped = false
        var ended = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Lock(State())

    /// Starts a thread that runs `body` once.
    /// - Throws: ``ThreadError`` where the system has no thread left to give.
    public init(_ body: @escaping @Sendable (WorkerThread) -> Void) throws(ThreadError) {
        let context = Unmanaged.passRetained(Start(self, body)).toOpaque()
        // Detached: nobody need come for its remains, and its end is told by `state`.
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        defer { pthread_attr_destroy(&attributes) }
        #if canImport(Darwin)
            var handle: pthread_t?
            let status = pthread_create(&handle, &attributes, { Self.run($0) }, context)
        #else
            var handle = pthread_t()
            let status = pthread_create(&handle, &attributes, { $0.flatMap { WorkerThread.run($0) } }, context)
        #endif
        guard status == 0 else {
            Unmanaged<Start>.fromOpaque(context).release()
            throw ThreadError(description: "the system gives no further thread: \(String(cString: strerror(status)))")
        }
    }

    private static func run(_ context: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer? {
        let thread = perform(Unmanaged<Start>.fromOpaque(context).takeRetainedValue())
        let waiters = thread.state.signal { state in
            state.ended = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
        return nil
    }

    /// Runs the body; all that it captured is let go before its end is told.
    private static func perform(_ start: consuming Start) -> WorkerThread {
        let thread = start.thread
        start.body(thread)
        return thread
    }

    /// Whether the body has been asked to end.
    public var isStopped: Bool { state.withLock { $0.stopped } }
    /// Whether the body has returned.
    public var hasEnded: Bool { state.withLock { $0.ended } }

    /// Asks the body to end and wakes it from ``sleep(until:)``.
    public func stop() { state.signal { $0.stopped = true } }

    /// Asks the body to end and waits until it has returned. Never to be called from the thread itself.
    public func join() {
        stop()
        _ = state.wait { $0.ended ? true : nil }
    }

    /// Waits until the body has returned, without asking it to.
    public func ended() async {
        await withCheckedContinuation { continuation in
            let hasEnded = state.withLock { state in
                if !state.ended { state.waiters.append(continuation) }
                return state.ended
            }
            if hasEnded { continuation.resume() }
        }
    }

    /// Sleeps until `deadline`. False where the thread was asked to stop meanwhile.
    public func sleep(until deadline: Instant) -> Bool {
        state.wait(until: deadline) { $0.stopped ? true : nil } == nil
    }
}

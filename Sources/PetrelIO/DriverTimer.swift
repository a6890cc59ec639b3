internal import NIOCore
public import PetrelCore

/// One timer on the thread of a ``UDPDriver``: it asks for its work at the earliest instant that was named. To be
/// touched on that thread only.
public final class DriverTimer: @unchecked Sendable {
    // @unchecked: all mutable state is confined to `loop`.
    private let loop: any EventLoop
    private let work: @Sendable (Instant) -> Void
    private var armed: Instant?
    private var task: Scheduled<Void>?

    init(_ loop: any EventLoop, _ work: @escaping @Sendable (Instant) -> Void) {
        self.loop = loop
        self.work = work
    }

    /// Asks for the work at `deadline`, once. A later instant than one that is waited for already is not noted.
    public func wake(at deadline: Instant) {
        guard deadline != .distantFuture else { return }
        if let armed, armed <= deadline { return }
        task?.cancel()
        armed = deadline
        task = loop.scheduleTask(deadline: .uptimeNanoseconds(UInt64(clamping: deadline.nanoseconds))) { [weak self] in
            guard let self else { return }
            armed = nil
            task = nil
            work(MonotonicClock.now)
        }
    }

    /// Waits for nothing any more.
    public func cancel() {
        task?.cancel()
        task = nil
        armed = nil
    }
}

internal import NIOCore
public import PetrelCore

/// One timer on the thread of a ``UDPDriver``: it asks for its work at the earliest instant that was named. To be
/// touched on that thread only, which is checked.
public final class DriverTimer: Sendable {
    private struct Waiting {
        var deadline: Instant
        var task: Scheduled<Void>
    }

    private let loop: any EventLoop
    private let work: @Sendable (Instant) -> Void
    private let waiting: NIOLoopBoundBox<Waiting?>

    init(_ loop: any EventLoop, _ work: @escaping @Sendable (Instant) -> Void) {
        self.loop = loop
        self.work = work
        waiting = .makeEmptyBox(valueType: Waiting.self, eventLoop: loop)
    }

    /// Asks for the work at `deadline`, once. A later instant than one that is waited for already is not noted.
    public func wake(at deadline: Instant) {
        guard deadline != .distantFuture else { return }
        if let waiting = waiting.value {
            guard deadline < waiting.deadline else { return }
            waiting.task.cancel()
        }
        let task = loop.scheduleTask(deadline: .uptimeNanoseconds(UInt64(clamping: deadline.nanoseconds))) {
            [weak self] in
            guard let self else { return }
            waiting.value = nil
            work(MonotonicClock.now)
        }
        waiting.value = Waiting(deadline: deadline, task: task)
    }

    /// Waits for nothing any more.
    public func cancel() {
        waiting.value?.task.cancel()
        waiting.value = nil
    }
}

internal import PetrelCore
internal import PetrelIO

/// The thread that asks a source for one piece after the other, and those of sources before it that have not returned
/// yet.
final class SourceThread: Sendable {
    private struct State: Sendable {
        var current: WorkerThread?
        var retired: [WorkerThread] = []
        var isClosed = false
    }

    private let state = Lock(State())

    /// Stops asking the source before and, where `body` is not nil, runs it on a new thread.
    /// - Throws: `ThreadError`; then no source is asked any more.
    func replace(_ body: (@Sendable (WorkerThread) -> Void)?) throws {
        try state.withLock { state in
            guard !state.isClosed else { return }
            state.retired.removeAll { $0.hasEnded }
            if let current = state.current {
                current.stop()
                state.retired.append(current)
                state.current = nil
            }
            if let body { state.current = try WorkerThread(body) }
        }
    }

    /// How long ``close()`` waits for a source that does not return: a camera or a pipe that gives nothing more may
    /// never do so, and what it gave would be thrown away.
    static let longestWait = TimeDelta.seconds(2)

    /// Stops asking, and waits until the source has returned from what it was asked last, but not for ever: the thread
    /// of one that stays away ends when it comes back.
    func close() async {
        let threads = state.withLock { state in
            state.isClosed = true
            return state.retired + [state.current].compactMap(\.self)
        }
        for thread in threads { thread.stop() }
        let end = MonotonicClock.now + Self.longestWait
        // A task of its own, so that one that was cancelled waits as well.
        await Task {
            while threads.contains(where: { !$0.hasEnded }), MonotonicClock.now < end {
                try? await Task.sleep(for: .milliseconds(1))
            }
        }.value
    }
}

/// Calls something at a steady pace: the deadlines lie on a grid, so that lateness does not add up.
enum Pacing {
    /// The rates that are kept; a source that asks for others is asked at the nearest.
    static let rates = 0.1...1000.0
    /// What is later than this is not caught up with in a burst.
    static let longestDelay = TimeDelta.milliseconds(500)

    static func run(
        _ thread: WorkerThread, rate: Double, _ body: () throws -> Bool, failed: (any Error) -> Void
    ) {
        let rate = rate.isNaN ? 30 : min(max(rate, rates.lowerBound), rates.upperBound)
        let interval = TimeDelta.seconds(1 / rate)
        var start = MonotonicClock.now
        var step = 0
        while thread.sleep(until: start + interval * step) {
            do {
                guard try body() else { return }
            } catch {
                failed(error)
                return
            }
            step += 1
            if MonotonicClock.now - (start + interval * step) > longestDelay {
                start = MonotonicClock.now
                step = 0
            }
        }
    }
}

internal import Logging
internal import PetrelIO

/// Hands log lines to the application's logger from a task of its own: what a log handler does, and how long it takes,
/// never holds up the network or a codec.
final class LogRelay: Sendable {
    private struct Line: Sendable {
        var level: Logger.Level
        var message: Logger.Message
        var metadata: Logger.Metadata
    }

    private struct State: Sendable {
        var lines: [Line] = []
        var isDraining = false
        var isClosed = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    /// Lines that wait while a handler is slow; beyond it new ones are let go. A call writes a few lines a minute.
    static let limit = 256

    private let logger: Logger
    private let state = Lock(State())

    init(_ logger: Logger) { self.logger = logger }

    func log(_ level: Logger.Level, _ message: Logger.Message, _ metadata: Logger.Metadata) {
        guard level >= logger.logLevel else { return }
        let begins = state.withLock { state in
            guard !state.isClosed, state.lines.count < Self.limit else { return false }
            state.lines.append(Line(level: level, message: message, metadata: metadata))
            defer { state.isDraining = true }
            return !state.isDraining
        }
        if begins { Task { drain() } }
    }

    private func drain() {
        while true {
            let next: (lines: [Line], waiters: [CheckedContinuation<Void, Never>]) = state.withLock { state in
                defer { state.lines = [] }
                guard state.lines.isEmpty else { return (state.lines, []) }
                state.isDraining = false
                defer { state.waiters = [] }
                return ([], state.waiters)
            }
            for line in next.lines { logger.log(level: line.level, line.message, metadata: line.metadata) }
            if next.lines.isEmpty {
                for waiter in next.waiters { waiter.resume() }
                return
            }
        }
    }

    /// Takes no more lines, and waits until those that there are have been handed over.
    func close() async {
        await withCheckedContinuation { continuation in
            let isDone = state.withLock { state in
                state.isClosed = true
                if state.isDraining { state.waiters.append(continuation) }
                return !state.isDraining
            }
            if isDone { continuation.resume() }
        }
    }
}

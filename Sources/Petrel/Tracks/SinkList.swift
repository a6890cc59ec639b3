internal import PetrelIO

/// Who wants what a track hands over: functions of the application's, and sequences that it reads.
final class SinkList<Value: Sendable>: Sendable {
    private struct Entry: Sendable {
        let id: Int
        let sink: @Sendable (Value) -> Void
        let finish: (@Sendable () -> Void)?
    }

    private struct State: Sendable {
        var entries: [Entry] = []
        var next = 0
        var hasEnded = false
    }

    private let state = Lock(State())

    var isEmpty: Bool { state.withLock { $0.entries.isEmpty } }

    func add(_ sink: @escaping @Sendable (Value) -> Void) { _ = add(sink, finish: nil) }

    private func add(_ sink: @escaping @Sendable (Value) -> Void, finish: (@Sendable () -> Void)?) -> Int? {
        state.withLock { state in
            guard !state.hasEnded else { return nil }
            defer { state.next += 1 }
            state.entries.append(Entry(id: state.next, sink: sink, finish: finish))
            return state.next
        }
    }

    /// Hands `value` to everybody, on the caller's thread.
    func yield(_ value: Value) {
        let entries = state.withLock { $0.entries }
        for entry in entries { entry.sink(value) }
    }

    /// A sequence of what comes from now on; it ends with the track.
    func stream(newest limit: Int) -> AsyncStream<Value> {
        AsyncStream(bufferingPolicy: .bufferingNewest(limit)) { continuation in
            let id = add({ continuation.yield($0) }, finish: { continuation.finish() })
            guard let id else {
                continuation.finish()
                return
            }
            continuation.onTermination = { [weak self] _ in
                self?.state.withLock { state in state.entries.removeAll { $0.id == id } }
            }
        }
    }

    /// Ends all sequences and forgets everybody.
    func end() {
        let entries = state.withLock { state in
            state.hasEnded = true
            defer { state.entries = [] }
            return state.entries
        }
        for entry in entries { entry.finish?() }
    }
}

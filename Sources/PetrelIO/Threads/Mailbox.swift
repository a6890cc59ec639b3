public import PetrelCore

/// A bounded queue between two threads. When it is full the oldest item goes: stale media helps nobody.
public final class Mailbox<Item: Sendable>: Sendable {
    private struct State: Sendable {
        var items: [Item] = []
        var closed = false
        var dropped = 0
    }
    private let state = Lock(State())
    /// The most items that wait.
    public let limit: Int

    public init(limit: Int) { self.limit = max(1, limit) }

    /// Adds one item; answers false where an older one had to go for it, or the mailbox is closed.
    @discardableResult
    public func post(_ item: Item) -> Bool {
        state.signal { state in
            guard !state.closed else { return false }
            state.items.append(item)
            guard state.items.count > limit else { return true }
            state.items.removeFirst()
            state.dropped += 1
            return false
        }
    }

    /// Waits for an item; nil once the mailbox is closed and empty, or `deadline` has passed.
    public func take(until deadline: Instant = .distantFuture) -> Item? {
        let result: Item?? = state.wait(until: deadline) { state in
            if !state.items.isEmpty { return .some(state.items.removeFirst()) }
            return state.closed ? .some(nil) : nil
        }
        return result ?? nil
    }

    /// Throws away everything that waits.
    public func removeAll() { _ = takeAll() }

    /// Everything that waits, without waiting.
    public func takeAll() -> [Item] {
        state.withLock { state in
            defer { state.items.removeAll(keepingCapacity: true) }
            return state.items
        }
    }

    /// How many items wait.
    public var count: Int { state.withLock { $0.items.count } }
    /// Items that had to go for newer ones.
    public var dropped: Int { state.withLock { $0.dropped } }

    /// No more items are taken in; whoever waits is woken.
    public func close() { state.signal { $0.closed = true } }
    /// Whether it was closed.
    public var isClosed: Bool { state.withLock { $0.closed } }
}

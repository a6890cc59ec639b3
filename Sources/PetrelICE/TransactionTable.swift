internal import PetrelCore
internal import PetrelWire

/// The checks that may still be answered, each found by its id.
///
/// A ring: when it is full, the oldest is forgotten. Every check is a transaction of its own that is sent once; a
/// repeated check is a new one, so that each response tells a round trip.
struct TransactionTable: Sendable {
    struct Entry: Sendable {
        let id: STUNTransactionID
        let pair: Int
        let sentAt: Instant
        let role: ICERole
        let useCandidate: Bool
        let priority: UInt32
    }

    /// At the least Ta of 5 ms the ring holds the checks of 2.5 s. About 64 bytes each.
    static let capacity = 512

    private var entries: [Entry?] = []
    private var next = 0
    private var places: [STUNTransactionID: Int] = [:]

    mutating func insert(_ entry: Entry) {
        if entries.count < Self.capacity {
            places[entry.id] = entries.count
            entries.append(entry)
            return
        }
        if let old = entries[next] { places[old.id] = nil }
        entries[next] = entry
        places[entry.id] = next
        next = next + 1 < Self.capacity ? next + 1 : 0
    }

    /// The check with this id, unless it is too old.
    func find(_ id: STUNTransactionID, now: Instant) -> Entry? {
        guard let place = places[id], let entry = entries[place],
            now - entry.sentAt <= ICETiming.transactionLifetime
        else { return nil }
        return entry
    }

    mutating func remove(_ id: STUNTransactionID) {
        if let place = places.removeValue(forKey: id) { entries[place] = nil }
    }

    mutating func removeAll() {
        entries.removeAll()
        places.removeAll()
        next = 0
    }
}

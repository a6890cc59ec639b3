internal import PetrelCore

/// Protected packets that came from a validated address before the keys were there.
///
/// The server of a handshake has its keys half a round trip before the client and sends at once; where its last flight
/// is lost or overtaken, the first key frame would be thrown away. What is kept is opened like anything else once the
/// keys are there, and forgotten where they never come.
struct EarlyMedia: ~Copyable {
    /// What one peer may make us hold before it is authenticated: 48 packets, 58 KiB, a first key frame and some sound.
    static let maximumDatagrams = 48
    static let maximumLength = 1216

    struct Entry {
        var length: Int
        var remote: TransportAddress
        var local: TransportAddress
    }

    private var memory: SlotMemory?
    private(set) var entries: [Entry] = []

    /// False where there is no room.
    mutating func keep(_ bytes: UnsafeRawBufferPointer, from remote: TransportAddress, to local: TransportAddress)
        -> Bool
    {
        guard entries.count < Self.maximumDatagrams, bytes.count <= Self.maximumLength else { return false }
        if memory == nil { memory = SlotMemory(count: Self.maximumDatagrams, slotSize: Self.maximumLength) }
        memory?.slot(entries.count).copyMemory(from: bytes)
        entries.append(Entry(length: bytes.count, remote: remote, local: local))
        return true
    }

    /// Copies one of them out.
    func copy(_ index: Int, into slot: UnsafeMutableRawBufferPointer) -> UnsafeMutableRawBufferPointer? {
        let entry = entries[index]
        guard slot.count >= entry.length, let source = memory?.slot(index) else { return nil }
        slot.copyMemory(from: UnsafeRawBufferPointer(rebasing: source[..<entry.length]))
        return UnsafeMutableRawBufferPointer(rebasing: slot[..<entry.length])
    }

    /// Forgets all and gives the memory back.
    mutating func removeAll() {
        entries = []
        memory = nil
    }
}

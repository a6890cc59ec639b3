internal import PetrelCore

/// The first flight of a handshake that came a moment before its address was validated: kept, and used only if that
/// very address is validated after all.
struct EarlyDatagrams {
    /// One flight of a ClientHello and no more: what a stranger can make us keep.
    static let maximumBytes = 4096
    static let maximumDatagrams = 4

    private var datagrams: [(bytes: [UInt8], remote: TransportAddress, local: TransportAddress)] = []

    mutating func keep(_ bytes: UnsafeRawBufferPointer, from remote: TransportAddress, to local: TransportAddress) {
        let held = datagrams.reduce(0) { $0 + $1.bytes.count }
        guard datagrams.count < Self.maximumDatagrams, held + bytes.count <= Self.maximumBytes else { return }
        datagrams.append((Array(bytes), remote, local))
    }

    /// What came from this address, which is now validated; the rest is forgotten.
    mutating func take(remote: TransportAddress, local: TransportAddress) -> [[UInt8]] {
        defer { datagrams = [] }
        return datagrams.filter { $0.remote == remote && $0.local == local }.map(\.bytes)
    }

    var isEmpty: Bool { datagrams.isEmpty }
}

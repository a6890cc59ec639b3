internal import PetrelCore
internal import PetrelWire

/// The packets a stream has sent, kept whole and unencrypted until they are sent (paced) or sent again (RTX).
///
/// A ring over the extended sequence number: it holds the last ``capacity`` packets and never allocates after its
/// creation.
struct PacketHistory: ~Copyable {
    /// Where things lie in a stored packet.
    struct Layout {
        var sequence: Int64 = -1
        var length = 0
        /// Bytes of the RTP header with its extensions.
        var headerLength = 0
        /// Where the extensions lie that are filled in at release.
        var offsets = RTPExtensionOffsets()
        var lastSent = Instant.distantPast
        var timesSent = 0
    }

    let capacity: Int
    private let memory: SlotMemory
    private var layouts: [Layout]

    /// - Parameter capacity: packets kept. 1,024 packets are 3 s of 720p at 2.5 Mbit/s: a request that comes later
    ///   is too late for any picture.
    init(capacity: Int) {
        self.capacity = max(16, capacity)
        memory = SlotMemory(count: self.capacity, slotSize: EgressBatch.maximumDatagram)
        layouts = Array(repeating: Layout(), count: self.capacity)
    }

    private func index(_ sequence: Int64) -> Int { Int(sequence & Int64.max) % capacity }

    /// The memory for a new packet; whatever lay there is forgotten.
    mutating func store(_ sequence: Int64, _ write: (UnsafeMutableRawBufferPointer) -> Layout?) -> Layout? {
        let index = index(sequence)
        layouts[index].sequence = -1
        guard var layout = write(memory.slot(index)) else { return nil }
        layout.sequence = sequence
        layouts[index] = layout
        return layout
    }

    func layout(_ sequence: Int64) -> Layout? {
        let layout = layouts[index(sequence)]
        return layout.sequence == sequence ? layout : nil
    }

    /// The bytes of a packet that is still here.
    func bytes(_ layout: Layout) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: memory.slot(index(layout.sequence))[..<layout.length])
    }

    /// Lets `write` change the bytes of a packet that is still here.
    mutating func patch(_ layout: Layout, _ write: (UnsafeMutableRawBufferPointer) -> Void) {
        write(UnsafeMutableRawBufferPointer(rebasing: memory.slot(index(layout.sequence))[..<layout.length]))
    }

    mutating func noteSent(_ sequence: Int64, now: Instant) {
        let index = index(sequence)
        guard layouts[index].sequence == sequence else { return }
        layouts[index].lastSent = now
        layouts[index].timesSent += 1
    }
}

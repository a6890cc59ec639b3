internal import PetrelCore

/// Datagrams on their way, in the order of their arrival; of two that arrive at once the one sent first comes first.
///
/// All memory is allocated at the creation.
struct FlightQueue: ~Copyable {
    /// What is known of a datagram besides its bytes.
    struct Flight {
        var arrival = Instant.zero
        var sent = Instant.zero
        var source = TransportAddress(ipv4: 0, port: 0)
        var destination = TransportAddress(ipv4: 0, port: 0)
        var length = 0
        /// Whatever the owner wants to remember: an endpoint, a direction.
        var tag = 0
    }

    private struct Place {
        let arrival: Instant
        let sequence: UInt64
        let slot: Int32

        static func < (left: Place, right: Place) -> Bool {
            left.arrival != right.arrival ? left.arrival < right.arrival : left.sequence < right.sequence
        }
    }

    private let memory: SlotMemory
    private var flights: [Flight]
    private var free: [Int32]
    /// A binary heap, the earliest first.
    private var heap: [Place]
    private var nextSequence: UInt64 = 0

    init(capacity: Int, maximumDatagram: Int) {
        let capacity = max(1, min(capacity, 1 << 20))
        memory = SlotMemory(count: capacity, slotSize: maximumDatagram)
        flights = Array(repeating: Flight(), count: capacity)
        free = (0..<Int32(capacity)).reversed()
        heap = []
        heap.reserveCapacity(capacity)
    }

    var count: Int { heap.count }
    var hasRoom: Bool { !free.isEmpty }

    /// When the earliest arrives; never, where there is none.
    var nextArrival: Instant { heap.first?.arrival ?? .distantFuture }

    /// Puts a datagram in.
    /// - Returns: false where there is no room, or the bytes are more than a slot holds.
    mutating func push(_ flight: Flight, _ bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count <= memory.stride, let slot = free.popLast() else { return false }
        memory.slot(Int(slot)).copyMemory(from: bytes)
        flights[Int(slot)] = flight
        flights[Int(slot)].length = bytes.count
        heap.append(Place(arrival: flight.arrival, sequence: nextSequence, slot: slot))
        nextSequence &+= 1
        var child = heap.count - 1
        while child > 0, heap[child] < heap[(child - 1) / 2] {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
        return true
    }

    /// Takes the earliest datagram out, if it arrives no later than `time`. Its slot stays the caller's until
    /// ``release(_:)``.
    mutating func pop(notAfter time: Instant) -> Int? {
        guard let first = heap.first, first.arrival <= time else { return nil }
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in (2 * parent + 1)...(2 * parent + 2) where child < heap.count {
                if heap[child] < heap[least] { least = child }
            }
            if least == parent { break }
            heap.swapAt(parent, least)
            parent = least
        }
        return Int(first.slot)
    }

    func flight(_ slot: Int) -> Flight { flights[slot] }

    /// The bytes in a slot, until it is released.
    func bytes(_ slot: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: memory.slot(slot)[..<flights[slot].length])
    }

    mutating func release(_ slot: Int) { free.append(Int32(slot)) }
}

public import PetrelCore

/// A network in virtual time: endpoints send datagrams through links, and take them out when they arrive.
///
/// Nothing happens by itself. A test sends with the present time, asks for ``nextArrival``, sets its own clock to
/// it (or to an earlier deadline of its engines), takes the arrivals out, and so on. The same calls with the same
/// seed give the same datagrams at the same times: ``traceHash`` shows it.
///
/// An endpoint is known by its own (local) address. It can be put behind a NAT by ``rebind(_:to:)``. An endpoint
/// with several addresses is several endpoints here. Clocks that run at different speeds are the caller's affair:
/// the network knows only one.
public final class VirtualNetwork {
    /// The longest datagram in bytes: what fits into Ethernet, with room for those that a test wants too long.
    public static let maximumDatagram = 2048
    /// The default for the most datagrams in flight: 8 MiB of memory. A link with a long queue and a high rate
    /// needs rate x (delay + queue) / size of them.
    public static let defaultCapacity = 4096

    /// A link of a network.
    public struct LinkID: Hashable, Sendable { fileprivate let index: Int }

    private struct Endpoint {
        let local: TransportAddress
        /// What the others see.
        var mapped: TransportAddress
        var isAttached: Bool
    }

    private struct Pair: Hashable {
        let from: Int
        let to: Int
    }

    /// The seed of all links.
    public let seed: UInt64
    /// The link for pairs of endpoints without a route: each pair gets one of its own in each direction when its
    /// first datagram is sent. Nil, the default: such datagrams are unreachable.
    public var defaultLink: LinkDescription?
    /// Called with every datagram that is sent and that is delivered, for instance to write a capture file. The
    /// bytes are valid during the call only; the tap must not call the network.
    public var tap: ((TapRecord, UnsafeRawBufferPointer) -> Void)?

    /// The latest time that the network was told.
    public private(set) var now = Instant.zero
    /// Datagrams that crossed their link and found nobody: the endpoint or the address mapping was gone.
    public private(set) var undeliverable: UInt64 = 0
    /// Datagrams without a route from sender to receiver, or from a sender that is not attached.
    public private(set) var unroutable: UInt64 = 0
    /// Datagrams (and second copies) for which no memory was left, or that were longer than ``maximumDatagram``.
    public private(set) var overflowed: UInt64 = 0
    /// Datagrams sent, in all.
    public private(set) var sent: UInt64 = 0
    /// Datagrams handed to their receivers, copies included.
    public private(set) var delivered: UInt64 = 0

    private var endpoints: [Endpoint] = []
    private var byLocal: [TransportAddress: Int] = [:]
    /// Every address an endpoint has or had in the eyes of the others.
    private var byMapped: [TransportAddress: Int] = [:]
    private var links: [Link] = []
    private var routes: [Pair: Int] = [:]
    private var flights: FlightQueue
    private var handedOut: Int?
    private var hash = TraceHash()

    /// Creates an empty network.
    /// - Parameters:
    ///   - seed: of all randomness; each link draws from a generator of its own.
    ///   - capacity: the most datagrams in flight at a time.
    public init(seed: UInt64, capacity: Int = VirtualNetwork.defaultCapacity) {
        self.seed = seed
        flights = FlightQueue(capacity: capacity, maximumDatagram: Self.maximumDatagram)
    }

    /// A hash over every datagram sent (time, addresses, bytes, fate) and delivered (time, addresses), in order.
    public var traceHash: UInt64 { hash.value }

    /// The number of datagrams in flight.
    public var inFlight: Int { flights.count }

    // MARK: - Topology

    /// Attaches an endpoint, or brings one back that was detached (with the mapping it had).
    public func attach(_ address: TransportAddress) {
        if let index = byLocal[address] {
            endpoints[index].isAttached = true
        } else {
            byLocal[address] = endpoints.count
            byMapped[address] = endpoints.count
            endpoints.append(Endpoint(local: address, mapped: address, isAttached: true))
        }
    }

    /// Lets an endpoint vanish without a word: what it sends and what is on its way to it is lost.
    public func detach(_ address: TransportAddress) {
        if let index = byLocal[address] { endpoints[index].isAttached = false }
    }

    /// Gives the endpoint with the local address `local` a new mapping in its NAT: from now on the others see
    /// `mapped` as its source address and reach it there only. Datagrams to its address before, those in flight
    /// included, are lost. Attaches the endpoint where it is unknown.
    ///
    /// - Returns: false where `mapped` belongs or belonged to another endpoint; then nothing changes.
    @discardableResult
    public func rebind(_ local: TransportAddress, to mapped: TransportAddress) -> Bool {
        if byLocal[local] == nil { attach(local) }
        guard let index = byLocal[local], byMapped[mapped] ?? index == index else { return false }
        byMapped[mapped] = index
        endpoints[index].mapped = mapped
        return true
    }

    /// The address as which the others see the endpoint with this local address.
    public func mappedAddress(of local: TransportAddress) -> TransportAddress? {
        byLocal[local].map { endpoints[$0].mapped }
    }

    /// Adds a link that routes can use. Several routes may share it: they share its queue then.
    @discardableResult
    public func addLink(_ description: LinkDescription, start: Instant = .zero) -> LinkID {
        // Each link has a seed of its own, the same whatever the others do.
        var seeds = SeededGenerator(seed: seed ^ UInt64(links.count) &* 0xD6E8_FEB8_6659_FD93)
        links.append(Link(description, seed: seeds.next(), start: start))
        return LinkID(index: links.count - 1)
    }

    /// Sends what `source` sends to `destination` through a link, in this direction only. Both are local addresses
    /// and are attached where they are unknown. A later route replaces an earlier one.
    public func route(from source: TransportAddress, to destination: TransportAddress, through link: LinkID) {
        if byLocal[source] == nil { attach(source) }
        if byLocal[destination] == nil { attach(destination) }
        guard let from = byLocal[source], let to = byLocal[destination], links.indices.contains(link.index) else {
            return
        }
        routes[Pair(from: from, to: to)] = link.index
    }

    /// Connects two endpoints by a link in each direction.
    @discardableResult
    public func connect(
        _ a: TransportAddress, _ b: TransportAddress, forward: LinkDescription, backward: LinkDescription,
        start: Instant = .zero
    ) -> (forward: LinkID, backward: LinkID) {
        let there = addLink(forward, start: start)
        let back = addLink(backward, start: start)
        route(from: a, to: b, through: there)
        route(from: b, to: a, through: back)
        return (there, back)
    }

    /// A link with its statistics.
    public func link(_ id: LinkID) -> Link { links[id.index] }

    /// The link from one endpoint to another (local addresses), if it exists already.
    public func link(from source: TransportAddress, to destination: TransportAddress) -> Link? {
        guard let from = byLocal[source], let to = byLocal[destination] else { return nil }
        return routes[Pair(from: from, to: to)].map { links[$0] }
    }

    // MARK: - Datagrams

    /// Sends a datagram.
    /// - Parameters:
    ///   - bytes: copied.
    ///   - source: the sender's local address.
    ///   - destination: the receiver's address as the sender knows it: its local one or its mapping.
    ///   - time: the present time; one before ``now`` counts as now.
    /// - Returns: what becomes of it, so that a test can know; a peer must not look at it.
    @discardableResult
    public func send(
        _ bytes: UnsafeRawBufferPointer, from source: TransportAddress, to destination: TransportAddress,
        now time: Instant
    ) -> Passage {
        now = max(now, time)
        sent &+= 1
        let (passage, seen) = carry(bytes, from: source, to: destination)
        hash.mix(UInt64(bitPattern: now.nanoseconds))
        mix(seen)
        mix(destination)
        hash.mix(bytes)
        switch passage {
        case .arrives(let arrival): hash.mix(UInt64(bitPattern: arrival.nanoseconds))
        case .arrivesTwice(let first, let second):
            hash.mix(UInt64(bitPattern: first.nanoseconds))
            hash.mix(UInt64(bitPattern: second.nanoseconds))
        case .lost(let reason): hash.mix(UInt64(reason.rawValue))
        }
        if let tap {
            tap(TapRecord(event: .sent(passage), time: now, source: seen, destination: destination), bytes)
        }
        return passage
    }

    /// Sends a datagram: see ``send(_:from:to:now:)-(UnsafeRawBufferPointer,_,_,_)``.
    @discardableResult
    public func send(
        _ bytes: RawSpan, from source: TransportAddress, to destination: TransportAddress, now: Instant
    ) -> Passage {
        bytes.withUnsafeBytes { send($0, from: source, to: destination, now: now) }
    }

    /// Sends a datagram: see ``send(_:from:to:now:)-(UnsafeRawBufferPointer,_,_,_)``.
    @discardableResult
    public func send(
        _ bytes: [UInt8], from source: TransportAddress, to destination: TransportAddress, now: Instant
    ) -> Passage {
        bytes.withUnsafeBytes { send($0, from: source, to: destination, now: now) }
    }

    /// Sends everything in a batch, each datagram from the local address that its entry names. The batch stays as
    /// it is.
    public func send(_ batch: borrowing EgressBatch, now: Instant) {
        for index in 0..<batch.count {
            let entry = batch.entry(index)
            send(batch.bytes(index), from: entry.source, to: entry.destination, now: now)
        }
    }

    /// When the next datagram arrives; `Instant.distantFuture` where none is in flight. (It may turn out then
    /// that nobody is there to take it.)
    public var nextArrival: Instant { flights.nextArrival }

    /// Takes out the next datagram that arrives no later than `time`. Those that arrive at the same time come out
    /// in the order in which they were sent.
    public func popArrival(notAfter time: Instant) -> VirtualDatagram? {
        if let slot = handedOut {
            flights.release(slot)
            handedOut = nil
        }
        while let slot = flights.pop(notAfter: time) {
            let flight = flights.flight(slot)
            now = max(now, flight.arrival)
            hash.mix(UInt64(bitPattern: flight.arrival.nanoseconds))
            mix(flight.source)
            mix(flight.destination)
            let endpoint = endpoints[flight.tag]
            let isThere = endpoint.isAttached && endpoint.mapped == flight.destination
            if let tap {
                let record = TapRecord(
                    event: isThere ? .delivered : .undeliverable, time: flight.arrival, source: flight.source,
                    destination: flight.destination)
                tap(record, flights.bytes(slot))
            }
            guard isThere else {
                undeliverable &+= 1
                flights.release(slot)
                continue
            }
            handedOut = slot
            delivered &+= 1
            return VirtualDatagram(
                arrival: flight.arrival, sent: flight.sent, source: flight.source, destination: endpoint.local,
                bytes: flights.bytes(slot))
        }
        return nil
    }

    // MARK: - Inside

    private func carry(
        _ bytes: UnsafeRawBufferPointer, from source: TransportAddress, to destination: TransportAddress
    ) -> (passage: Passage, seen: TransportAddress) {
        guard let from = byLocal[source], endpoints[from].isAttached, let to = byMapped[destination],
            let link = linkIndex(from: from, to: to)
        else {
            unroutable &+= 1
            return (.lost(.unreachable), source)
        }
        let seen = endpoints[from].mapped
        let passage = links[link].send(size: bytes.count, now: now)
        var flight = FlightQueue.Flight()
        (flight.sent, flight.source, flight.destination, flight.tag) = (now, seen, destination, to)
        switch passage {
        case .lost: return (passage, seen)
        case .arrives(let arrival):
            flight.arrival = arrival
            if flights.push(flight, bytes) { return (passage, seen) }
        case .arrivesTwice(let first, let second):
            flight.arrival = first
            if flights.push(flight, bytes) {
                flight.arrival = second
                if flights.push(flight, bytes) { return (passage, seen) }
                overflowed &+= 1
                return (.arrives(first), seen)
            }
        }
        overflowed &+= 1
        return (.lost(.bufferFull), seen)
    }

    private func linkIndex(from: Int, to: Int) -> Int? {
        let pair = Pair(from: from, to: to)
        if let index = routes[pair] { return index }
        guard let defaultLink else { return nil }
        let index = addLink(defaultLink).index
        routes[pair] = index
        return index
    }

    private func mix(_ address: TransportAddress) {
        hash.mix(address.high)
        hash.mix(address.low)
        hash.mix(UInt64(address.family.rawValue) << 48 | UInt64(address.scope) << 16 | UInt64(address.port))
    }
}

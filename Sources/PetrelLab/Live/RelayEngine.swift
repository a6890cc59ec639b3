internal import PetrelCore

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// The inside of a ``LiveRelay``: its thread, and what the thread shares with callers behind one lock.
final class RelayEngine: @unchecked Sendable {
    // @unchecked: what callers share lies behind the lock, the rest belongs to the relay's thread.
    /// The most datagrams read from one face before those that are due get their turn again.
    private static let readingTurn = 64

    private struct Direction {
        var link: Link
        var statistics = RelayStatistics()
    }

    private enum Phase { case ready, running, stopped }

    private let configuration: LiveRelay.Configuration
    private let waiter: RelayWaiter
    private let lock = RelayLock()
    /// Held by ``start()`` and ``stop()`` for their whole length, so that every stop waits for the thread's end.
    private let lifeLock = RelayLock()
    /// Thread only: where a datagram is received. One byte more than the longest, to tell what is longer.
    private let buffer: UnsafeMutableRawBufferPointer

    // Behind `lifeLock`
    private var phase = Phase.ready
    private var thread: pthread_t?

    // Behind `lock`
    private var isStopping = false
    /// The sockets towards each side, by ``LiveRelay/Side``.
    private var faces: [RelaySocket]
    private var peers: [TransportAddress?]
    /// By the side that sends.
    private var directions: [Direction] = []
    private var flights: FlightQueue
    /// By the side that sends.
    private var descriptions: [LinkDescription]

    init(_ configuration: LiveRelay.Configuration) throws(LiveRelayError) {
        self.configuration = configuration
        waiter = try RelayWaiter()
        faces = [
            try RelaySocket(binding: configuration.faceTowardsA), try RelaySocket(binding: configuration.faceTowardsB),
        ]
        peers = [configuration.peerA, configuration.peerB]
        descriptions = [configuration.forward, configuration.backward]
        flights = FlightQueue(capacity: configuration.capacity, maximumDatagram: LiveRelay.maximumDatagram)
        buffer = .allocate(byteCount: LiveRelay.maximumDatagram + 1, alignment: 64)
        makeLinks(start: RelayWaiter.now)
    }

    deinit { buffer.deallocate() }

    private func makeLinks(start: Instant) {
        var seeds = SeededGenerator(seed: configuration.seed)
        directions = [
            Direction(link: Link(descriptions[0], seed: seeds.next(), start: start)),
            Direction(link: Link(descriptions[1], seed: seeds.next(), start: start)),
        ]
    }

    // MARK: - For callers

    func start() throws(LiveRelayError) {
        let code = lifeLock.locked { () -> Int32 in
            guard phase == .ready else { return 0 }
            lock.locked { makeLinks(start: RelayWaiter.now) }
            // The thread's own reference, given back when it ends.
            let reference = Unmanaged.passRetained(self)
            #if canImport(Darwin)
                var thread: pthread_t?
            #else
                var thread = pthread_t()
            #endif
            let code = pthread_create(&thread, nil, relayThread, reference.toOpaque())
            if code == 0 {
                (self.thread, phase) = (thread, .running)
            } else {
                reference.release()
            }
            return code
        }
        if code != 0 { throw LiveRelayError(call: "pthread_create", code: code) }
    }

    func stop() {
        lifeLock.locked {
            guard phase == .running, let thread else {
                phase = .stopped
                return
            }
            lock.locked { isStopping = true }
            waiter.wake()
            pthread_join(thread, nil)
            phase = .stopped
        }
    }

    func face(towards side: LiveRelay.Side) -> TransportAddress { lock.locked { faces[side.rawValue].address } }

    func peer(_ side: LiveRelay.Side) -> TransportAddress? { lock.locked { peers[side.rawValue] } }

    func setPeer(_ address: TransportAddress?, for side: LiveRelay.Side) {
        lock.locked { peers[side.rawValue] = address }
    }

    func setLink(_ description: LinkDescription, from side: LiveRelay.Side) {
        lock.locked {
            descriptions[side.rawValue] = description
            directions[side.rawValue].link.change(to: description, now: RelayWaiter.now)
        }
    }

    func rebind(_ side: LiveRelay.Side) throws(LiveRelayError) {
        // The other peer sees this side as the port of the face towards the other peer.
        let other = side.other.rawValue
        var wanted = face(towards: side.other)
        wanted.port = 0
        let fresh = try RelaySocket(binding: wanted)
        // The old socket is released, and thereby closed, by whoever lets go of it last.
        lock.locked { faces[other] = fresh }
        waiter.wake()
    }

    func statistics(from side: LiveRelay.Side) -> RelayStatistics {
        lock.locked {
            var statistics = directions[side.rawValue].statistics
            statistics.link = directions[side.rawValue].link.statistics
            return statistics
        }
    }

    // MARK: - The thread

    fileprivate func run() {
        while true {
            let (one, other, deadline, stop) = lock.locked { (faces[0], faces[1], flights.nextArrival, isStopping) }
            if stop { return }
            // A socket that is replaced meanwhile must not be closed, and its number given away, during the wait.
            withExtendedLifetime((one, other)) {
                waiter.wait(for: one.descriptor, other.descriptor, until: deadline)
            }
            // One lock for a whole turn: at most some hundred system calls, well below a millisecond.
            lock.locked {
                release()
                for side in LiveRelay.Side.allCases { read(side) }
                release()
            }
        }
    }

    private func read(_ side: LiveRelay.Side) {
        let index = side.rawValue
        for _ in 0..<Self.readingTurn {
            guard let (count, source) = faces[index].receive(into: buffer) else { return }
            let now = RelayWaiter.now
            directions[index].statistics.received &+= 1
            directions[index].statistics.bytesReceived &+= UInt64(count)
            guard count <= LiveRelay.maximumDatagram else {
                directions[index].statistics.tooLong &+= 1
                continue
            }
            if peers[index] == nil || configuration.learning == .latest { peers[index] = source }
            guard peers[index] == source else {
                directions[index].statistics.foreign &+= 1
                continue
            }
            let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
            switch directions[index].link.send(size: count, now: now) {
            case .lost: break
            case .arrives(let time): put(bytes, index, now, time)
            case .arrivesTwice(let first, let second):
                put(bytes, index, now, first)
                put(bytes, index, now, second)
            }
        }
    }

    private func put(_ bytes: UnsafeRawBufferPointer, _ index: Int, _ now: Instant, _ arrival: Instant) {
        var flight = FlightQueue.Flight()
        (flight.arrival, flight.sent, flight.tag) = (arrival, now, index)
        if flights.push(flight, bytes) {
            directions[index].statistics.waiting &+= 1
        } else {
            directions[index].statistics.overflowed &+= 1
        }
    }

    /// Sends what is due.
    private func release() {
        while let slot = flights.pop(notAfter: RelayWaiter.now) {
            let flight = flights.flight(slot)
            let index = flight.tag
            directions[index].statistics.waiting &-= 1
            // From the face towards the other side, to the other side's peer.
            if let destination = peers[1 - index] {
                if faces[1 - index].send(flights.bytes(slot), to: destination) {
                    directions[index].statistics.forwarded &+= 1
                    directions[index].statistics.bytesForwarded &+= UInt64(flight.length)
                    directions[index].statistics.lateness.record(RelayWaiter.now - flight.arrival)
                } else {
                    directions[index].statistics.sendFailed &+= 1
                }
            } else {
                directions[index].statistics.unaddressed &+= 1
            }
            flights.release(slot)
        }
    }
}

#if canImport(Darwin)
    private func relayThread(_ argument: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer? {
        Unmanaged<RelayEngine>.fromOpaque(argument).takeRetainedValue().run()
        return nil
    }
#else
    private func relayThread(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
        if let argument { Unmanaged<RelayEngine>.fromOpaque(argument).takeRetainedValue().run() }
        return nil
    }
#endif

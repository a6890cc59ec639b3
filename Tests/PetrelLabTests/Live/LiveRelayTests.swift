import PetrelCore
import Testing

@testable import PetrelLab

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

private let loopback = TransportAddress(ipv4: 0x7F00_0001, port: 0)

/// A peer of the relay: a socket, and what came to it.
private final class Peer {
    let socket: RelaySocket
    var arrivals: [(number: Int, source: TransportAddress, delay: TimeDelta)] = []
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 8)

    init() throws { socket = try RelaySocket(binding: loopback) }

    deinit { buffer.deallocate() }

    /// Sends a number and the present time, and zeros up to `size` bytes.
    func send(_ number: Int, to destination: TransportAddress, size: Int = 100) {
        var bytes = [UInt8](repeating: 0, count: size)
        bytes.withUnsafeMutableBytes {
            $0.storeBytes(of: Int64(number), as: Int64.self)
            $0.storeBytes(of: RelayWaiter.now.nanoseconds, toByteOffset: 8, as: Int64.self)
        }
        #expect(bytes.withUnsafeBytes { socket.send($0, to: destination) })
    }

    func receive() {
        while let (count, source) = socket.receive(into: buffer) {
            guard count >= 16 else { continue }
            let number = buffer.loadUnaligned(as: Int64.self)
            let sent = buffer.loadUnaligned(fromByteOffset: 8, as: Int64.self)
            arrivals.append((Int(number), source, RelayWaiter.now - Instant(nanoseconds: sent)))
        }
    }
}

/// Looks every half millisecond until `condition` holds; false if it does not within `seconds`.
private func wait(seconds: Double = 10, until condition: () -> Bool) -> Bool {
    let end = RelayWaiter.now + .seconds(seconds)
    while RelayWaiter.now < end {
        if condition() { return true }
        usleep(500)
    }
    return condition()
}

private func median(_ delays: [TimeDelta]) -> Double {
    delays.isEmpty ? .nan : delays.sorted()[delays.count / 2].milliseconds
}

private func relay(
    _ forward: String, _ backward: String, _ change: (inout LiveRelay.Configuration) -> Void = { _ in }
) throws -> LiveRelay {
    var configuration = LiveRelay.Configuration(
        forward: try LinkDescription(parsing: forward), backward: try LinkDescription(parsing: backward))
    change(&configuration)
    return try LiveRelay(configuration)
}

/// Every datagram is accounted for.
private func balances(_ statistics: RelayStatistics) -> Bool {
    statistics.received == statistics.foreign + statistics.tooLong + statistics.link.offered
        && statistics.link.offered == statistics.link.delivered + statistics.link.lost
        && statistics.link.delivered + statistics.link.duplicated
            == statistics.forwarded + statistics.unaddressed + statistics.sendFailed + statistics.overflowed
            + statistics.waiting
}

@Suite(.serialized) struct LiveRelayTests {
    @Test func forwardsBothWaysThroughItsOwnAddresses() throws {
        let relay = try relay("", "")
        try relay.start()
        let (alice, bob) = (try Peer(), try Peer())
        let (forAlice, forBob) = (relay.face(for: .a), relay.face(for: .b))
        #expect(relay.face(towards: .a) == forBob && relay.face(towards: .b) == forAlice)
        #expect(forAlice.port != 0 && forBob.port != 0 && forAlice != forBob)
        // Alice knows bob as `forBob`, and the other way round. Bob speaks first, so that both are known.
        bob.send(0, to: forAlice)
        #expect(wait { relay.peer(.b) == bob.socket.address })
        alice.send(1, to: forBob)
        #expect(
            wait {
                bob.receive(); return bob.arrivals.count == 1
            })
        bob.send(2, to: forAlice)
        #expect(
            wait {
                alice.receive(); return alice.arrivals.contains { $0.number == 2 }
            })
        #expect(bob.arrivals.allSatisfy { $0.source == forAlice })
        #expect(alice.arrivals.allSatisfy { $0.source == forBob })
        #expect(relay.peer(.a) == alice.socket.address)
        // The first datagram came when nobody knew alice.
        #expect(relay.statistics(from: .b).unaddressed == 1)
        #expect(balances(relay.statistics(from: .a)) && balances(relay.statistics(from: .b)))
        relay.stop()
    }

    @Test func lossAndDelayAreAsAskedAndEverythingIsCounted() throws {
        let relay = try relay("delay=30,loss=30", "delay=10,ge=20,burst=3,dup=10") {
            $0.seed = 4
        }
        let (alice, bob) = (try Peer(), try Peer())
        relay.setPeer(alice.socket.address, for: .a)
        relay.setPeer(bob.socket.address, for: .b)
        try relay.start()
        let count = 2000
        for number in 0..<count {
            alice.send(number, to: relay.face(for: .b))
            bob.send(number, to: relay.face(for: .a))
            if number % 4 == 0 { usleep(2000) }
            alice.receive()
            bob.receive()
        }
        let isDone = wait {
            alice.receive()
            bob.receive()
            let (forward, backward) = (relay.statistics(from: .a), relay.statistics(from: .b))
            return forward.received == count && backward.received == count && forward.waiting + backward.waiting == 0
                && bob.arrivals.count == forward.forwarded && alice.arrivals.count == backward.forwarded
        }
        let (forward, backward) = (relay.statistics(from: .a), relay.statistics(from: .b))
        #expect(isDone, "\(forward) \(backward)")
        #expect(balances(forward) && balances(backward))
        #expect(forward.bytesReceived == 200_000 && forward.bytesForwarded == forward.forwarded * 100)
        // The relay's links are those of virtual time: the same seed loses the same datagrams.
        var seeds = SeededGenerator(seed: 4)
        var link = Link(try LinkDescription(parsing: "loss=30"), seed: seeds.next())
        var expected: [Int] = []
        for number in 0..<count {
            if case .arrives = link.send(size: 100, now: .zero) { expected.append(number) }
        }
        #expect(bob.arrivals.map(\.number) == expected)
        #expect(abs(Double(forward.link.lost) / Double(count) - 0.3) < 0.05)
        #expect(abs(Double(backward.link.lost(.burst)) / Double(count) - 0.2) < 0.09)
        #expect(backward.link.duplicated > 100 && backward.link.duplicated < 240)
        // Nothing comes early. How late it comes is up to the machine: the median only, with room for a busy one.
        let delays = bob.arrivals.map(\.delay)
        #expect(delays.min().map { $0 >= .milliseconds(30) } == true)
        #expect(median(delays) < 45, "\(median(delays))")
        let lateness = try #require(forward.lateness.percentile(0.5))
        #expect(lateness < .milliseconds(10), "\(lateness)")
        print(
            "live relay: lateness P50 \(lateness), P99 \(forward.lateness.percentile(0.99) ?? .zero), "
                + "max \(forward.lateness.maximum); median of 30 ms through sockets \(median(delays)) ms")
        relay.stop()
    }

    @Test func theRateHolds() throws {
        // 200 datagrams of 1,000 bytes at 4,000 kbit/s take 400 ms.
        let relay = try relay("rate=4000,queue=1000", "")
        let (alice, bob) = (try Peer(), try Peer())
        relay.setPeer(bob.socket.address, for: .b)
        try relay.start()
        for number in 0..<200 { alice.send(number, to: relay.face(for: .b), size: 1000) }
        #expect(
            wait {
                bob.receive(); return bob.arrivals.count == 200
            })
        #expect(bob.arrivals.map(\.number) == Array(0..<200))
        // The last one left alice a little later than the first, which began the 400 ms.
        let longest = bob.arrivals.map(\.delay).max() ?? .zero
        #expect(longest > .milliseconds(300) && longest < .milliseconds(700), "\(longest)")
        relay.stop()
    }

    @Test func strangersAreForeignUnlessTheLatestCounts() throws {
        let (alice, bob, mallory) = (try Peer(), try Peer(), try Peer())
        do {
            let relay = try relay("", "") { $0.peerB = bob.socket.address }
            try relay.start()
            alice.send(1, to: relay.face(for: .b))
            #expect(wait { relay.statistics(from: .a).received == 1 })
            mallory.send(2, to: relay.face(for: .b))
            #expect(wait { relay.statistics(from: .a).received == 2 })
            #expect(relay.statistics(from: .a).foreign == 1 && relay.peer(.a) == alice.socket.address)
            #expect(balances(relay.statistics(from: .a)))
            // Forgetting the peer lets the next one in.
            relay.setPeer(nil, for: .a)
            mallory.send(3, to: relay.face(for: .b))
            #expect(wait { relay.peer(.a) == mallory.socket.address })
        }
        do {
            let relay = try relay("", "") {
                $0.peerB = bob.socket.address
                $0.learning = .latest
            }
            try relay.start()
            alice.send(4, to: relay.face(for: .b))
            #expect(wait { relay.peer(.a) == alice.socket.address })
            mallory.send(5, to: relay.face(for: .b))
            #expect(wait { relay.peer(.a) == mallory.socket.address })
            #expect(relay.statistics(from: .a).foreign == 0)
        }
        #expect(
            wait {
                bob.receive(); return bob.arrivals.map(\.number) == [1, 3, 4, 5]
            })
    }

    @Test func theLinkIsChangedWhileItIsInUse() throws {
        let relay = try relay("loss=100", "")
        // Before the start it counts as well.
        relay.setLink(.perfect, from: .a)
        try relay.start()
        let (a, b) = (try Peer(), try Peer())
        relay.setPeer(b.socket.address, for: .b)
        func send(_ number: Int) { a.send(number, to: relay.face(towards: .a)) }
        func arrives(_ number: Int) -> Bool {
            wait(seconds: 2) {
                b.receive()
                return b.arrivals.contains { $0.number == number }
            }
        }
        send(1)
        #expect(arrives(1))
        relay.setLink(try LinkDescription(parsing: "loss=100"), from: .a)
        send(2)
        #expect(wait { relay.statistics(from: .a).link.lost == 1 })
        relay.setLink(try LinkDescription(parsing: "delay=50"), from: .a)
        send(3)
        #expect(arrives(3))
        #expect((b.arrivals.last?.delay ?? .zero) >= .milliseconds(50))
        #expect(b.arrivals.map(\.number) == [1, 3])
        relay.stop()
        #expect(balances(relay.statistics(from: .a)))
    }

    @Test func rebindingChangesThePortTheOtherPeerSees() throws {
        let relay = try relay("", "")
        let (alice, bob) = (try Peer(), try Peer())
        relay.setPeer(alice.socket.address, for: .a)
        relay.setPeer(bob.socket.address, for: .b)
        try relay.start()
        alice.send(1, to: relay.face(for: .b))
        #expect(
            wait {
                bob.receive(); return bob.arrivals.count == 1
            })
        let before = relay.face(for: .a)
        try relay.rebind(.a)
        let after = relay.face(for: .a)
        #expect(before != after && relay.face(for: .b) == relay.face(towards: .a))
        alice.send(2, to: relay.face(for: .b))
        #expect(
            wait {
                bob.receive(); return bob.arrivals.count == 2
            })
        #expect(bob.arrivals.map(\.source) == [before, after])
        bob.send(3, to: before)
        bob.send(4, to: after)
        #expect(
            wait {
                alice.receive(); return alice.arrivals.count == 1
            })
        #expect(alice.arrivals.map(\.number) == [4])
        relay.stop()
    }

    @Test func whatIsTooLongIsCounted() throws {
        let relay = try relay("", "")
        let (alice, bob) = (try Peer(), try Peer())
        relay.setPeer(bob.socket.address, for: .b)
        try relay.start()
        alice.send(1, to: relay.face(for: .b), size: LiveRelay.maximumDatagram + 1)
        alice.send(2, to: relay.face(for: .b), size: LiveRelay.maximumDatagram)
        #expect(
            wait {
                bob.receive(); return bob.arrivals.count == 1
            })
        #expect(relay.statistics(from: .a).tooLong == 1 && balances(relay.statistics(from: .a)))
        relay.stop()
    }

    @Test func memoryIsBounded() throws {
        let relay = try relay("delay=60000", "") { $0.capacity = 5 }
        let (alice, bob) = (try Peer(), try Peer())
        relay.setPeer(bob.socket.address, for: .b)
        try relay.start()
        for number in 0..<8 { alice.send(number, to: relay.face(for: .b)) }
        #expect(wait { relay.statistics(from: .a).received == 8 })
        let statistics = relay.statistics(from: .a)
        #expect(statistics.waiting == 5 && statistics.overflowed == 3 && balances(statistics))
        relay.stop()
    }

    @Test func stopsOnceAndForAll() throws {
        let (alice, bob) = (try Peer(), try Peer())
        var face = loopback
        do {
            let relay = try relay("delay=20", "")
            face = relay.face(for: .b)
            relay.setPeer(bob.socket.address, for: .b)
            try relay.start()
            try relay.start()
            alice.send(1, to: face)
            #expect(wait { relay.statistics(from: .a).received == 1 })
            relay.stop()
            relay.stop()
            try relay.start()
            alice.send(2, to: face)
            usleep(30_000)
            #expect(relay.statistics(from: .a).received == 1)
            // A relay that never started, and one that is released while it works.
            _ = try LiveRelayTests.unstarted()
            let running = try LiveRelay(.init(forward: .perfect, backward: .perfect))
            try running.start()
        }
        // The port is free again.
        #expect(throws: Never.self) { try RelaySocket(binding: face) }
        bob.receive()
        #expect(!bob.arrivals.contains { $0.number == 2 })
    }

    private static func unstarted() throws -> TransportAddress {
        let relay = try LiveRelay(.init(forward: .perfect, backward: .perfect))
        relay.stop()
        return relay.face(for: .a)
    }

    @Test func aPortInUseIsAnError() throws {
        let taken = try Peer()
        let error = #expect(throws: LiveRelayError.self) {
            try relay("", "") { $0.faceTowardsA = taken.socket.address }
        }
        #expect(error?.call == "bind" && error?.code == EADDRINUSE)
        #expect(error?.description.hasPrefix("bind: ") == true)
    }

    @Test func sixWorksAsFour() throws {
        let six = TransportAddress(ipv6High: 0, low: 1, port: 0)
        guard let alice = try? RelaySocket(binding: six), let bob = try? RelaySocket(binding: six) else {
            print("skipped: no IPv6 on this machine")
            return
        }
        let relay = try relay("", "") {
            $0.faceTowardsA = six
            $0.faceTowardsB = six
            $0.peerB = bob.address
        }
        try relay.start()
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 100, alignment: 1)
        defer { buffer.deallocate() }
        #expect([UInt8](repeating: 5, count: 9).withUnsafeBytes { alice.send($0, to: relay.face(for: .b)) })
        var answer: (count: Int, source: TransportAddress)?
        #expect(
            wait {
                answer = bob.receive(into: buffer); return answer != nil
            })
        #expect(answer?.count == 9 && answer?.source == relay.face(for: .a))
        #expect(relay.peer(.a) == alice.address)
        relay.stop()
    }

    @Test func statisticsMayBeReadAtAnyTime() throws {
        let relay = try relay("delay=1,jitter=1", "delay=1,jitter=1")
        let (alice, bob) = (try Peer(), try Peer())
        try relay.start()
        for number in 0..<3000 {
            alice.send(number, to: relay.face(for: .b))
            bob.send(number, to: relay.face(for: .a))
            let side: LiveRelay.Side = number % 2 == 0 ? .a : .b
            #expect(balances(relay.statistics(from: side)))
            if number % 500 == 250 { try relay.rebind(.b) }
            if number % 10 == 0 { usleep(1000) }
            alice.receive()
            bob.receive()
        }
        relay.stop()
        #expect(relay.statistics(from: .a).forwarded + relay.statistics(from: .b).forwarded > 1000)
    }
}

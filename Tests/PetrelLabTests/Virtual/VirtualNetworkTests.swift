import PetrelCore
import PetrelLab
import Testing

private let alice = TransportAddress(ipv4: 0x0A00_0001, port: 5000)
private let bob = TransportAddress(ipv4: 0x0A00_0002, port: 6000)
private let carol = TransportAddress(ipv6High: 0x2001_0DB8_0000_0000, low: 3, port: 7000)

private func milliseconds(_ value: Int) -> Instant { .zero + .milliseconds(value) }

private func network(_ text: String, seed: UInt64 = 1, capacity: Int = 1024) throws -> VirtualNetwork {
    let link = try LinkDescription(parsing: text)
    let network = VirtualNetwork(seed: seed, capacity: capacity)
    network.connect(alice, bob, forward: link, backward: link)
    return network
}

/// Everything that arrives up to a time, as text.
private func drain(_ network: VirtualNetwork, until time: Instant = .distantFuture) -> [String] {
    var result: [String] = []
    while let datagram = network.popArrival(notAfter: time) {
        result.append(
            "\(Int(datagram.arrival.milliseconds)) \(datagram.source)>\(datagram.destination) "
                + datagram.bytes.map(String.init).joined(separator: "."))
    }
    return result
}

@Suite struct VirtualNetworkTests {
    @Test func carriesBothWays() throws {
        let network = try network("delay=20")
        #expect(network.nextArrival == .distantFuture)
        #expect(network.send([1, 2], from: alice, to: bob, now: milliseconds(5)) == .arrives(milliseconds(25)))
        #expect(network.send([3], from: bob, to: alice, now: milliseconds(7)) == .arrives(milliseconds(27)))
        #expect(network.nextArrival == milliseconds(25))
        #expect(network.popArrival(notAfter: milliseconds(24)) == nil)
        let datagram = try #require(network.popArrival(notAfter: milliseconds(25)))
        #expect(datagram.sent == milliseconds(5) && datagram.source == alice && datagram.destination == bob)
        #expect(Array(datagram.bytes) == [1, 2])
        // The bytes stay while an answer is sent.
        network.send([9], from: bob, to: alice, now: milliseconds(25))
        #expect(Array(datagram.bytes) == [1, 2])
        #expect(drain(network) == ["27 10.0.0.2:6000>10.0.0.1:5000 3", "45 10.0.0.2:6000>10.0.0.1:5000 9"])
        #expect(network.sent == 3 && network.delivered == 3 && network.inFlight == 0)
    }

    @Test func simultaneousArrivalsComeInTheOrderOfSending() throws {
        let network = try network("delay=20")
        for index in 0..<100 { network.send([UInt8(index)], from: alice, to: bob, now: .zero) }
        #expect(drain(network) == (0..<100).map { "20 10.0.0.1:5000>10.0.0.2:6000 \($0)" })
    }

    @Test func nobodyAndNoRoute() throws {
        let network = try network("delay=20")
        #expect(network.send([1], from: alice, to: carol, now: .zero) == .lost(.unreachable))
        network.attach(carol)
        #expect(network.send([1], from: alice, to: carol, now: .zero) == .lost(.unreachable))
        #expect(network.unroutable == 2)
        network.defaultLink = try LinkDescription(parsing: "delay=7")
        #expect(network.send([1], from: alice, to: carol, now: .zero) == .arrives(milliseconds(7)))
        #expect(network.link(from: alice, to: carol)?.statistics.delivered == 1)
        #expect(network.link(from: carol, to: alice) == nil)
        #expect(drain(network) == ["7 10.0.0.1:5000>[2001:db8::3]:7000 1"])
    }

    @Test func routesMayShareALink() throws {
        let network = VirtualNetwork(seed: 1)
        // 1,000 bytes at 800 kbit/s take 10 ms.
        let uplink = network.addLink(try LinkDescription(parsing: "rate=800"))
        network.route(from: alice, to: bob, through: uplink)
        network.route(from: alice, to: carol, through: uplink)
        let bytes = [UInt8](repeating: 0, count: 1000)
        #expect(network.send(bytes, from: alice, to: bob, now: .zero) == .arrives(milliseconds(10)))
        #expect(network.send(bytes, from: alice, to: carol, now: .zero) == .arrives(milliseconds(20)))
        #expect(network.link(uplink).statistics.delivered == 2)
        #expect(network.send(bytes, from: bob, to: alice, now: .zero) == .lost(.unreachable))
    }

    @Test func rebindingGivesANewAddressAndKillsTheOldOne() throws {
        let network = try network("delay=20")
        let outside = TransportAddress(ipv4: 0xCB00_7101, port: 40_000)
        network.send([1], from: bob, to: alice, now: milliseconds(10))  // in flight at the rebinding
        #expect(network.rebind(alice, to: outside))
        #expect(network.mappedAddress(of: alice) == outside)
        network.send([2], from: alice, to: bob, now: milliseconds(15))
        network.send([3], from: bob, to: alice, now: milliseconds(15))  // to the dead mapping
        network.send([4], from: bob, to: outside, now: milliseconds(15))
        #expect(
            drain(network) == [
                "35 203.0.113.1:40000>10.0.0.2:6000 2",
                // It arrives at the address that the endpoint itself knows.
                "35 10.0.0.2:6000>10.0.0.1:5000 4",
            ])
        #expect(network.undeliverable == 2)
        // A second rebinding, and one to an address that belongs to somebody else.
        let further = TransportAddress(ipv4: 0xCB00_7101, port: 40_001)
        #expect(network.rebind(alice, to: further))
        #expect(!network.rebind(bob, to: outside))
        #expect(!network.rebind(bob, to: alice))
        network.send([5], from: bob, to: outside, now: milliseconds(50))
        network.send([6], from: bob, to: further, now: milliseconds(50))
        #expect(drain(network) == ["70 10.0.0.2:6000>10.0.0.1:5000 6"])
        // What goes to a dead mapping has used the link all the same.
        #expect(network.link(from: bob, to: alice)?.statistics.delivered == 5)
    }

    @Test func anEndpointVanishesAndComesBack() throws {
        let network = try network("delay=20")
        network.send([1], from: alice, to: bob, now: .zero)
        network.detach(bob)
        #expect(network.send([2], from: bob, to: alice, now: milliseconds(1)) == .lost(.unreachable))
        #expect(drain(network, until: milliseconds(30)) == [])
        #expect(network.undeliverable == 1)
        network.send([3], from: alice, to: bob, now: milliseconds(31))
        network.attach(bob)
        #expect(drain(network) == ["51 10.0.0.1:5000>10.0.0.2:6000 3"])
    }

    @Test func memoryIsBounded() throws {
        let network = try network("delay=20", capacity: 10)
        for _ in 0..<15 { network.send([1], from: alice, to: bob, now: .zero) }
        #expect(network.inFlight == 10 && network.overflowed == 5)
        let long = [UInt8](repeating: 1, count: VirtualNetwork.maximumDatagram + 1)
        #expect(drain(network).count == 10)
        #expect(network.send(long, from: alice, to: bob, now: .zero) == .lost(.bufferFull))
        // All slots come back, again and again.
        for round in 0..<100 {
            for _ in 0..<9 { network.send([1], from: alice, to: bob, now: milliseconds(100 + round)) }
            #expect(drain(network).count == 9)
        }
        #expect(network.overflowed == 6)
    }

    @Test func duplicatesArriveTwice() throws {
        let network = try network("delay=20,dup=100")
        network.send([1], from: alice, to: bob, now: .zero)
        #expect(drain(network).count == 2)
        #expect(network.sent == 1 && network.delivered == 2)
    }

    @Test func theTapSeesEverything() throws {
        let network = try network("delay=20,outage=1+1")
        var seen: [String] = []
        network.tap = { record, bytes in
            let event =
                switch record.event {
                case .sent(.lost(let reason)): "lost \(reason)"
                case .sent: "sent"
                case .delivered: "delivered"
                case .undeliverable: "undeliverable"
                }
            seen.append("\(Int(record.time.milliseconds)) \(event) \(bytes.count)")
        }
        network.send([1], from: alice, to: bob, now: .zero)
        _ = drain(network)
        network.send([1, 2], from: alice, to: bob, now: milliseconds(1500))
        network.send([1, 2, 3], from: alice, to: bob, now: milliseconds(2500))
        network.detach(bob)
        _ = drain(network)
        #expect(seen == ["0 sent 1", "20 delivered 1", "1500 lost outage 2", "2500 sent 3", "2520 undeliverable 3"])
    }

    @Test func aBatchIsSent() throws {
        let network = try network("delay=20")
        var batch = EgressBatch(capacity: 4)
        batch.append([1, 2, 3].span.bytes.self, to: bob, from: alice)
        batch.append(to: alice, from: bob) { slot in
            slot[0] = 9
            return 1
        }
        network.send(batch, now: .zero)
        #expect(batch.count == 2)
        #expect(drain(network).count == 2)
        #expect(network.sent == 2)
    }

    /// Two endpoints that answer each other through a bad link, with payloads of their own generator.
    private func conversation(seed: UInt64, payload: UInt64 = 5, text: String) throws -> VirtualNetwork {
        let network = try network(text, seed: seed)
        var random = RandomSource(seed: payload)
        var now = Instant.zero
        for _ in 0..<2000 {
            now += .milliseconds(3)
            while let datagram = network.popArrival(notAfter: now) {
                if datagram.bytes.count > 40 {
                    network.send(
                        Array(datagram.bytes.prefix(20)), from: datagram.destination, to: datagram.source,
                        now: datagram.arrival)
                }
            }
            network.send(random.bytes(100), from: alice, to: bob, now: now)
        }
        return network
    }

    @Test func sameSeedSameBytes() throws {
        let text = "delay=20,jitter=10,reorder=1,loss=10,ge=5,burst=3,rate=500,queue=100,dup=3"
        let first = try conversation(seed: 7, text: text)
        let second = try conversation(seed: 7, text: text)
        #expect(first.traceHash == second.traceHash)
        #expect(first.delivered == second.delivered && first.delivered > 2000)
        #expect(try conversation(seed: 8, text: text).traceHash != first.traceHash)
        #expect(try conversation(seed: 7, payload: 6, text: text).traceHash != first.traceHash)
        #expect(try conversation(seed: 7, text: text + ";@5:delay=21").traceHash != first.traceHash)
    }

    @Test func eachLinkHasItsOwnRandomness() throws {
        let network = try network("loss=50")
        var there: [Bool] = []
        var back: [Bool] = []
        for index in 0..<200 {
            there.append(network.send([1], from: alice, to: bob, now: milliseconds(index)) == .lost(.random))
            back.append(network.send([1], from: bob, to: alice, now: milliseconds(index)) == .lost(.random))
        }
        #expect(there != back)
    }
}

import PetrelCore
import PetrelICE
import PetrelSDP
import PetrelWire

/// A datagram on the virtual network.
struct Datagram {
    var at: Instant
    var order: Int
    var source: TransportAddress
    var destination: TransportAddress
    var bytes: [UInt8]
}

/// One end of a test: an agent, its addresses, and the NAT before it.
final class Node {
    let name: String
    var agent: ICEAgent
    var random: RandomSource
    var batch = EgressBatch(capacity: 64)
    /// Local bases. A base may have an address outside, given by a NAT.
    var bases: [TransportAddress] = []
    var outside: [TransportAddress: TransportAddress] = [:]
    var events: [(at: Instant, event: ICEEvent)] = []
    /// Local candidates go to the peer by signalling, unless this is false.
    var trickles = true
    /// Media of 50 packets a second goes to the send path, and arrivals are told to the agent.
    var sendsMedia = false
    var mediaSent: [Instant] = []
    var mediaAccepted: [Instant] = []
    var mediaRefused = 0
    /// Answers to checks are held back.
    var isDeaf = false
    var verdicts: [Verdict] = []

    init(_ name: String, _ agent: ICEAgent, _ random: RandomSource) {
        (self.name, self.agent, self.random) = (name, agent, random)
    }

    func time(of wanted: ICEState) -> Instant? { events.first { $0.event == .stateChanged(wanted) }?.at }
    func count(_ condition: (ICEEvent) -> Bool) -> Int { events.count { condition($0.event) } }
}

/// Two agents and a network with seeded loss and a fixed delay, in virtual time.
final class VirtualLink {
    var now = Instant.zero
    let delay: TimeDelta
    var loss: Double
    var network: RandomSource
    var a: Node
    var b: Node
    var flying: [Datagram] = []
    var order = 0
    var signallingDelay = TimeDelta.zero
    var signals: [(at: Instant, action: () -> Void)] = []
    var stunServer: TransportAddress?
    /// Datagrams that a test wants to lose: answers true.
    var loses: (Datagram) -> Bool = { _ in false }
    /// Everything that was sent, for tests that look into it.
    var log: [Datagram] = []
    var keepsLog = false
    var nextMedia = Instant.zero
    private var steps = 0

    static func address(_ text: String, _ port: UInt16) -> TransportAddress {
        guard let address = TransportAddress(text, port: port) else { fatalError("bad test address \(text)") }
        return address
    }

    init(
        seed: UInt64, roundTrip: TimeDelta, loss: Double = 0,
        configurations: (ICEConfiguration, ICEConfiguration) = (ICEConfiguration(), ICEConfiguration()),
        roles: (ICERole, ICERole) = (.controlling, .controlled)
    ) {
        delay = roundTrip / 2
        self.loss = loss
        network = RandomSource(seed: seed &* 3 &+ 1)
        var randomA = RandomSource(seed: seed &* 3 &+ 2)
        var randomB = RandomSource(seed: seed &* 3 &+ 3)
        let agentA = ICEAgent(configuration: configurations.0, role: roles.0, random: &randomA, now: .zero)
        let agentB = ICEAgent(configuration: configurations.1, role: roles.1, random: &randomB, now: .zero)
        a = Node("a", agentA, randomA)
        b = Node("b", agentB, randomB)
    }

    func peer(of node: Node) -> Node { node === a ? b : a }

    func addBase(_ node: Node, _ address: TransportAddress, outside: TransportAddress? = nil) {
        node.bases.append(address)
        if let outside { node.outside[address] = outside }
        node.agent.addLocalCandidate(address, now: now)
        drain(node)
    }

    /// Gives each side the other's credentials, the second `later` after the first.
    func exchangeCredentials(later: TimeDelta = .zero) {
        let (ufragA, passwordA, liteA) = (a.agent.localUfrag, a.agent.localPassword, a.agent.configuration.isLite)
        b.agent.setRemoteCredentials(ufrag: ufragA, password: passwordA, isLite: liteA, now: now)
        let (ufragB, passwordB, liteB) = (b.agent.localUfrag, b.agent.localPassword, b.agent.configuration.isLite)
        let set = { [self] in
            _ = a.agent.setRemoteCredentials(ufrag: ufragB, password: passwordB, isLite: liteB, now: now)
        }
        if later == .zero { set() } else { signals.append((now + later, set)) }
        drain(a)
        drain(b)
    }

    /// One host address on each side.
    func addHosts(ipv6: Bool = false) {
        addBase(a, Self.address(ipv6 ? "2001:db8::a" : "192.0.2.1", 5000))
        addBase(b, Self.address(ipv6 ? "2001:db8::b" : "192.0.2.2", 6000))
    }

    private func drain(_ node: Node) {
        while let event = node.agent.nextEvent() {
            node.events.append((now, event))
            guard node.trickles, case .localCandidate(let candidate) = event else { continue }
            let other = peer(of: node)
            guard let line = candidate.attribute, let read = ICECandidate(line) else {
                fatalError("a candidate that cannot be signalled")
            }
            signals.append((now + signallingDelay, { [self] in _ = other.agent.addRemoteCandidate(read, now: now) }))
        }
    }

    func flush(_ node: Node) {
        for index in 0..<node.batch.count {
            let entry = node.batch.entry(index)
            transmit(Array(node.batch.bytes(index)), from: entry.source, of: node, to: entry.destination)
        }
        node.batch.removeAll()
        drain(node)
    }

    func transmit(_ bytes: [UInt8], from base: TransportAddress, of node: Node, to destination: TransportAddress) {
        precondition(node.bases.contains(base), "sent from a socket that is not there")
        let source = node.outside[base] ?? base
        order += 1
        let datagram = Datagram(at: now + delay, order: order, source: source, destination: destination, bytes: bytes)
        if keepsLog { log.append(datagram) }
        if node.isDeaf, bytes[0] == 1 { return }
        if loses(datagram) || network.unit() < loss { return }
        flying.append(datagram)
    }

    private func deliver(_ datagram: Datagram) {
        if datagram.destination == stunServer { return answerAsServer(datagram) }
        for node in [a, b] {
            for base in node.bases where (node.outside[base] ?? base) == datagram.destination {
                let bytes = datagram.bytes
                if bytes[0] < 4 {
                    let verdict = bytes.withUnsafeBytes {
                        node.agent.receive(
                            $0.bytes, from: datagram.source, to: base, now: now, random: &node.random,
                            out: &node.batch)
                    }
                    node.verdicts.append(verdict)
                    flush(node)
                } else if node.agent.isValidated(remote: datagram.source, local: base) {
                    node.mediaAccepted.append(now)
                    node.agent.mediaReceived(from: datagram.source, to: base, now: now)
                    drain(node)
                } else {
                    node.mediaRefused += 1
                }
                return
            }
        }
    }

    private func answerAsServer(_ datagram: Datagram) {
        guard let message = try? datagram.bytes.withUnsafeBytes({ try STUNMessage(parsing: $0.bytes) }),
            message.messageClass == .request
        else { return }
        var answer = [UInt8](repeating: 0xAA, count: 200)
        let length = answer.withUnsafeMutableBytes { buffer in
            var writer = STUNWriter(into: buffer, .success, transaction: message.transaction)
            writer.appendXORMappedAddress(datagram.source)
            return writer.finish() ?? 0
        }
        order += 1
        let back = Datagram(
            at: now + delay, order: order, source: datagram.destination, destination: datagram.source,
            bytes: Array(answer[..<length]))
        if network.unit() >= loss { flying.append(back) }
    }

    /// Runs until `end`, or until `stop` answers true.
    func run(until end: Instant, stop: () -> Bool = { false }) {
        while !stop() {
            var next = min(a.agent.nextDeadline, b.agent.nextDeadline)
            for datagram in flying { next = min(next, datagram.at) }
            for signal in signals { next = min(next, signal.at) }
            let media = a.sendsMedia || b.sendsMedia
            if media { next = min(next, nextMedia) }
            if next > end {
                now = end
                return
            }
            steps = next > now ? 0 : steps + 1
            precondition(steps < 10_000, "time stands still: \(a.agent.nextDeadline) \(b.agent.nextDeadline) \(now)")
            now = max(now, next)
            let due = signals.filter { $0.at <= now }
            signals.removeAll { $0.at <= now }
            for signal in due { signal.action() }
            if let index = flying.indices.filter({ flying[$0].at <= now })
                .min(by: { (flying[$0].at, flying[$0].order) < (flying[$1].at, flying[$1].order) })
            {
                deliver(flying.remove(at: index))
            }
            for node in [a, b] where node.agent.nextDeadline <= now {
                node.agent.handleTimeout(now: now, random: &node.random, out: &node.batch)
                flush(node)
            }
            if media, nextMedia <= now {
                for node in [a, b] where node.sendsMedia {
                    guard let path = node.agent.sendPath else { continue }
                    node.mediaSent.append(now)
                    transmit(
                        [0x80, 111] + [UInt8](repeating: 0, count: 60), from: path.local, of: node, to: path.remote)
                }
                nextMedia = now + .milliseconds(20)
            }
            for node in [a, b] { drain(node) }
        }
    }

    func run(for duration: TimeDelta) { run(until: now + duration) }

    var bothCanSend: Bool { a.agent.sendPath != nil && b.agent.sendPath != nil }
    var bothCompleted: Bool { a.agent.state == .completed && b.agent.state == .completed }

    /// The host call: addresses on both sides, everything signalled at once.
    static func connected(
        seed: UInt64 = 1, roundTrip: TimeDelta = .milliseconds(40), media: Bool = false,
        roles: (ICERole, ICERole) = (.controlling, .controlled)
    ) -> VirtualLink {
        let link = VirtualLink(seed: seed, roundTrip: roundTrip, roles: roles)
        link.addHosts()
        link.exchangeCredentials()
        link.a.sendsMedia = media
        link.b.sendsMedia = media
        link.run(until: .zero + .seconds(10)) { link.bothCompleted }
        return link
    }
}

/// The value below which `share` of the values lie.
func percentile(_ values: [Double], _ share: Double) -> Double {
    guard !values.isEmpty else { return .nan }
    let sorted = values.sorted()
    return sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]
}

import PetrelCore
import PetrelICE
import PetrelWire

/// A server's agents on one shared port, each with a client of its own behind an address of its own, in virtual time.
/// What comes to the port finds its agent by ``PortRoutes`` and by nothing else.
final class SharedPortLink {
    static let port = TransportAddress(ipv4: 0xC000_0201, port: 3478)
    static let delay = TimeDelta.milliseconds(10)

    final class Server {
        var agent: ICEAgent
        var random: RandomSource
        let member: PortMember
        let prefix: String
        var version: UInt64 = 0
        var media = 0
        var verdicts: [Verdict] = []
        init(_ agent: ICEAgent, _ random: RandomSource, _ member: PortMember, _ prefix: String) {
            (self.agent, self.random, self.member, self.prefix) = (agent, random, member, prefix)
        }
    }

    final class Client {
        var agent: ICEAgent
        var random: RandomSource
        let base: TransportAddress
        /// What its NAT shows.
        var outside: TransportAddress
        init(_ agent: ICEAgent, _ random: RandomSource, _ base: TransportAddress) {
            (self.agent, self.random, self.base, outside) = (agent, random, base, base)
        }
    }

    var now = Instant.zero
    var routes = PortRoutes()
    var servers: [Server] = []
    var clients: [Client] = []
    var drops = DropCounters()
    var refused = 0
    private var batch = EgressBatch(capacity: 256)
    private var flying: [(at: Instant, from: TransportAddress, to: TransportAddress, bytes: [UInt8])] = []
    private var random: RandomSource
    private var seed: UInt64

    init(seed: UInt64 = 1) {
        self.seed = seed &* 1000
        random = RandomSource(seed: seed)
    }

    private func fresh() -> RandomSource {
        seed += 1
        return RandomSource(seed: seed)
    }

    /// One more pair of agents, with credentials exchanged. The client knows the port, the port does not know it.
    @discardableResult
    func add(at base: TransportAddress? = nil) -> Int {
        guard let (member, prefix) = routes.admit(random: &random) else { fatalError("full") }
        var (serverRandom, clientRandom) = (fresh(), fresh())
        var configuration = ICEConfiguration()
        configuration.addressPolicy = .server
        configuration.ufragPrefix = prefix
        var server = ICEAgent(configuration: configuration, role: .controlled, random: &serverRandom, now: now)
        var client = ICEAgent(configuration: ICEConfiguration(), role: .controlling, random: &clientRandom, now: now)
        let number = clients.count
        let address = base ?? TransportAddress(ipv4: 0xCB00_7100 + UInt32(number), port: 40_000)
        server.addLocalCandidate(Self.port, now: now)
        client.addLocalCandidate(address, now: now)
        for candidate in server.localCandidates { _ = client.addRemoteCandidate(candidate, now: now) }
        servers.append(Server(server, serverRandom, member, prefix))
        clients.append(Client(client, clientRandom, address))
        exchangeCredentials(number)
        return number
    }

    func exchangeCredentials(_ number: Int) {
        let (server, client) = (servers[number].agent, clients[number].agent)
        servers[number].agent.setRemoteCredentials(ufrag: client.localUfrag, password: client.localPassword, now: now)
        clients[number].agent.setRemoteCredentials(ufrag: server.localUfrag, password: server.localPassword, now: now)
    }

    /// Both sides begin anew (RFC 8445 section 9).
    func restart(_ number: Int) {
        servers[number].agent.restart(random: &servers[number].random, now: now)
        clients[number].agent.restart(random: &clients[number].random, now: now)
        for candidate in servers[number].agent.localCandidates {
            _ = clients[number].agent.addRemoteCandidate(candidate, now: now)
        }
        exchangeCredentials(number)
    }

    func close(_ number: Int) {
        servers[number].agent.close(now: now)
        routes.remove(servers[number].member)
    }

    func inject(_ bytes: [UInt8], from source: TransportAddress) { deliverToPort(bytes, from: source) }

    /// One packet of media from where the client is.
    func media(from number: Int) { deliverToPort(Self.packet, from: clients[number].outside) }
    static let packet: [UInt8] = [0x80, 111] + [UInt8](repeating: 0, count: 60)

    private func deliverToPort(_ bytes: [UInt8], from source: TransportAddress) {
        do throws(DropReason) {
            let member = try routes.member(for: bytes.span.bytes, from: source, to: Self.port)
            guard let server = servers.first(where: { $0.member == member }) else { fatalError("no such member") }
            if bytes[0] < 4 {
                server.verdicts.append(
                    bytes.withUnsafeBytes {
                        server.agent.receive(
                            $0.bytes, from: source, to: Self.port, now: now, random: &server.random, out: &batch)
                    })
                flush(server)
            } else if server.agent.isValidated(remote: source, local: Self.port) {
                server.media += 1
                server.agent.mediaReceived(from: source, to: Self.port, now: now)
            }
        } catch { drops.count(error) }
    }

    private func flush(_ server: Server) {
        for index in 0..<batch.count {
            routes.noteSent(batch.bytes(index).bytes, by: server.member)
            flying.append(
                (now + Self.delay, Self.port, batch.entry(index).destination, Array(batch.bytes(index))))
        }
        batch.removeAll()
        guard server.agent.claimsVersion != server.version else { return }
        server.version = server.agent.claimsVersion
        refused += routes.set(server.agent.claims(now: now), of: server.member, now: now)
    }

    private func flush(_ client: Client) {
        for index in 0..<batch.count {
            flying.append((now + Self.delay, client.outside, batch.entry(index).destination, Array(batch.bytes(index))))
        }
        batch.removeAll()
    }

    func run(for duration: TimeDelta) {
        let end = now + duration
        while true {
            var next = flying.first?.at ?? .distantFuture
            for server in servers { next = min(next, server.agent.nextDeadline) }
            for client in clients { next = min(next, client.agent.nextDeadline) }
            guard next <= end else {
                now = end
                return
            }
            now = max(now, next)
            while let first = flying.first, first.at <= now {
                flying.removeFirst()
                if first.to == Self.port {
                    deliverToPort(first.bytes, from: first.from)
                } else if let client = clients.first(where: { $0.outside == first.to }) {
                    _ = first.bytes.withUnsafeBytes {
                        client.agent.receive(
                            $0.bytes, from: first.from, to: client.base, now: now, random: &client.random, out: &batch)
                    }
                    flush(client)
                }
            }
            for server in servers where server.agent.nextDeadline <= now {
                server.agent.handleTimeout(now: now, random: &server.random, out: &batch)
                flush(server)
            }
            for client in clients where client.agent.nextDeadline <= now {
                client.agent.handleTimeout(now: now, random: &client.random, out: &batch)
                flush(client)
            }
        }
    }

    /// Whether both agents have a way.
    func isConnected(_ number: Int) -> Bool {
        servers[number].agent.sendPath != nil && clients[number].agent.sendPath != nil
    }
}

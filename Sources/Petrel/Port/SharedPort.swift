internal import PetrelCore
internal import PetrelICE
internal import PetrelIO

/// One UDP port that many calls share: for a server that has one port open to the outside.
///
/// ```swift
/// let port = try await SharedPort(port: 3478)
/// var configuration = CallConfiguration()
/// configuration.sharedPort = port
/// let call = try await Call(configuration)     // and as many more
/// ```
/// Connectivity checks find their call by the username in them, everything else by the address it comes from, once a
/// check from there was authenticated for that call. A call may move to another address in the middle (a NAT that
/// forgets). Whatever is for none of the calls is dropped and counted.
///
/// The calls of a port share its thread too. An address of the other side can carry one call at a time: two programs
/// that both use a shared port can have one call between each pair of their addresses.
///
/// Close the calls first, then the port.
public final class SharedPort: Sendable {
    /// The port number.
    public let port: UInt16
    /// The addresses it is open at, without the port.
    public let hosts: [String]
    private let engine: PortEngine

    /// How often a port of the system's choice is given up because another of the machine's addresses has it taken.
    static let portTries = 16

    /// Opens the port at one address: `192.0.2.7`, `2001:db8::1`; `0.0.0.0` and `::` mean every address of that family.
    /// - Throws: as ``init(hosts:port:)``.
    public convenience init(host: String, port: UInt16 = 0) async throws {
        try await self.init(hosts: [host], port: port)
    }

    /// Opens the port.
    /// - Parameters:
    ///   - hosts: local addresses, all of which must be had. Empty: every address of this machine, loopback only where
    ///     there is no other.
    ///   - port: 0 lets the system choose one that is free at all of them.
    /// - Throws: ``CallError/badConfiguration(_:)`` for a host that is no address, ``CallError/noSocket(_:)`` where the
    ///   port is taken or an address is none of this machine's.
    public init(hosts: [String] = [], port: UInt16 = 0) async throws {
        let (wanted, listed) = try Self.addresses(hosts)
        let driver = UDPDriver()
        engine = PortEngine(driver: driver)
        driver.drive(engine)
        do {
            let opened = try await Self.open(wanted, listed: listed, port: port, on: driver)
            self.port = opened.first?.port ?? 0
            self.hosts = opened.map(\.host)
        } catch {
            await driver.close()
            throw error
        }
    }

    deinit {
        Task { [engine] in await Self.close(engine) }
    }

    /// Closes the sockets and ends the port's thread. Calls that still use it lose their way to the other side.
    public func close() async { await Self.close(engine) }

    private static func close(_ engine: PortEngine) async {
        engine.driver.run { engine.end(now: MonotonicClock.now) }
        await engine.driver.close()
    }

    /// What has gone through the port.
    /// - Throws: ``CallError/closed`` once the port is closed.
    public func statistics() async throws -> SharedPortStatistics {
        let engine = engine
        guard let statistics = try await engine.driver.perform({ engine.statistics }) else { throw CallError.closed }
        return statistics
    }

    /// A place for one more call.
    func seat() async throws -> PortSeat {
        let engine = engine
        guard let answer = try await engine.driver.perform({ engine.admit() }) else {
            throw CallError.noSocket("the shared port \(port) is closed")
        }
        guard let seat = answer else {
            throw CallError.noSocket("the shared port \(port) carries \(PortRoutes.maximumMembers) calls already")
        }
        return seat
    }

    // MARK: Sockets

    private static func addresses(_ hosts: [String]) throws -> (addresses: [TransportAddress], listed: Bool) {
        func all() throws -> [TransportAddress] {
            do { return try NetworkInterfaces.addresses() } catch {
                throw CallError.noSocket("the addresses of this machine cannot be listed: \(error)")
            }
        }
        func outside(_ found: [TransportAddress]) -> [TransportAddress] {
            let distant = found.filter { !NetworkInterfaces.isLoopback($0) }
            return distant.isEmpty ? found : distant
        }
        if hosts.isEmpty { return (outside(try all()), false) }
        var found: [TransportAddress] = []
        var listed = true
        for host in hosts {
            guard let address = TransportAddress(host, port: 0) else {
                throw CallError.badConfiguration(
                    "the host '\(host)' is not a numeric IP address without a port, as 192.0.2.7")
            }
            guard address.high == 0, address.low == 0 else {
                found.append(address)
                continue
            }
            listed = false
            found += outside(try all().filter { $0.family == address.family })
        }
        var seen = Set<TransportAddress>()
        return (found.filter { seen.insert($0).inserted }, listed)
    }

    /// Opens one port at all addresses.
    private static func open(
        _ addresses: [TransportAddress], listed: Bool, port: UInt16, on driver: UDPDriver
    ) async throws -> [TransportAddress] {
        var failure = "no UDP socket can be opened: this machine has no address"
        for _ in 0..<(port == 0 ? portTries : 1) {
            var opened: [TransportAddress] = []
            var isTaken = false
            for address in addresses {
                var wanted = address
                wanted.port = port == 0 ? opened.first?.port ?? 0 : port
                do { opened.append(try await driver.open(wanted)) } catch let error as SocketError {
                    failure = error.description
                    // An address that is not ready yet, or gone again, is no reason to do without the others.
                    guard error.isPortTaken || listed else { continue }
                    isTaken = true
                    break
                }
            }
            if !isTaken, !opened.isEmpty { return opened }
            let useless = opened
            _ = try await driver.perform { for address in useless { driver.close(address) } }
        }
        throw CallError.noSocket(failure)
    }
}

/// What has gone through a ``SharedPort``.
public struct SharedPortStatistics: Sendable {
    /// Calls that use it, and addresses of the other sides that are known to belong to one of them.
    public var calls = 0
    public var routes = 0
    /// Datagrams that were for one of them.
    public var datagramsRouted: UInt64 = 0
    /// How often a call could not have an address because another call has it.
    public var claimsRefused: UInt64 = 0
    /// Datagrams that were for none, by reason.
    public var drops: [(reason: String, count: UInt64)] = []

    public init() {}
}

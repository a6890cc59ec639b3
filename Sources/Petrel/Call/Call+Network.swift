internal import PetrelCore
internal import PetrelICE
internal import PetrelIO
internal import PetrelPeer

/// The sockets, and the machine's addresses behind them.
extension Call {
    func openSockets() async throws {
        guard sockets != nil else { return try await takeSharedPort() }
        _ = try await openSockets(
            for: try wantedAddresses(configuration.localAddresses), listed: !configuration.localAddresses.isEmpty)
        try await perform { peer, now, _ in peer.endOfLocalAddresses(now: now) }
    }

    /// Says that the machine's addresses may have changed: another Wi-Fi, a cable, an address that went.
    ///
    /// Opens sockets on addresses that are new, closes those of addresses that are gone, and begins an ICE restart
    /// (RFC 8445 section 9). Media goes on over the old way where it still lives, until the new one works.
    /// - Parameter localAddresses: the addresses to use from now on, as in ``CallConfiguration/localAddresses``; nil: as
    ///   before.
    /// - Returns: an offer for the other side, whose answer goes to ``accept(answer:)``; nil where nothing has changed.
    /// - Throws: ``CallError/noSocket(_:)`` where no address is left; then the call is as it was.
    ///   ``CallError/badConfiguration(_:)`` for addresses where the call is on a ``SharedPort``, whose addresses stay.
    public func networkChanged(localAddresses: [String]? = nil) async throws -> String? {
        guard sockets != nil else {
            guard localAddresses == nil else { throw CallError.badConfiguration(CallConfiguration.sharedAddresses) }
            return nil
        }
        let list = localAddresses ?? state.withLock { $0.localAddresses }
        let wanted = try wantedAddresses(list)
        let driver = engine.driver
        let old = try await perform { _, _, _ in driver.localAddresses }
        let gone = old.filter { address in !wanted.contains { $0.isSameInterface(as: address) } }
        let new = wanted.filter { address in !old.contains { address.isSameInterface(as: $0) } }
        state.withLock { $0.localAddresses = list }
        guard !gone.isEmpty || !new.isEmpty else { return nil }
        guard !wanted.isEmpty else { throw CallError.noSocket("this machine has no address any more") }
        // Sockets first: while they are opened the call lives on those that it has.
        let opened = new.isEmpty ? [] : try await open(new, listed: !list.isEmpty, isEnough: gone.count < old.count)
        update { $0.gathered = false }
        try await perform { peer, now, _ in
            for address in opened where !peer.addLocalAddress(address, now: now) { driver.close(address) }
            try peer.restartICE(now: now)
            for address in gone {
                peer.removeLocalAddress(address, now: now)
                driver.close(address)
            }
            peer.endOfLocalAddresses(now: now)
        }
        return try await createOffer()
    }

    /// The addresses that a list means: itself, or where it is empty all of the machine's that are of use.
    private func wantedAddresses(_ list: [String]) throws -> [TransportAddress] {
        guard list.isEmpty else {
            return try list.map { text in
                if let address = TransportAddress(text, port: 0) ?? TransportAddress(withPort: text) { return address }
                throw CallError.badConfiguration(
                    "the local address '\(text)' is not a numeric IP address, as 192.0.2.7 or 192.0.2.7:5004")
            }
        }
        let all: [TransportAddress]
        do { all = try NetworkInterfaces.addresses() } catch {
            throw CallError.noSocket("the addresses of this machine cannot be listed: \(error)")
        }
        let outside = all.filter { !NetworkInterfaces.isLoopback($0) }
        return outside.isEmpty ? all : outside
    }

    /// The sockets of a shared port are there already.
    private func takeSharedPort() async throws {
        let driver = engine.driver
        let addresses = try await perform { _, _, _ in driver.localAddresses }
        try checkPublicAddresses(against: addresses)
        let used = try await perform { peer, now, _ in
            let used = addresses.count { peer.addLocalAddress($0, now: now) }
            peer.endOfLocalAddresses(now: now)
            return used
        }
        guard used > 0 else { throw unusable(addresses) }
    }

    private func unusable(_ addresses: [TransportAddress]) -> CallError {
        .noSocket(
            "none of the addresses \(addresses.map(\.host).joined(separator: ", ")) may be used with the address profile '\(configuration.addressProfile)'"
        )
    }

    /// A public address that stands for no local one would silently do nothing.
    private func checkPublicAddresses(against local: [TransportAddress]) throws(CallError) {
        for known in try configuration.parsedPublicAddresses() where !local.contains(where: { known.fits($0) }) {
            throw .badConfiguration(
                "the public address \(known.address.host) belongs to none of the local addresses \(local.map(\.host).joined(separator: ", "))"
            )
        }
    }

    private func openSockets(for addresses: [TransportAddress], listed: Bool) async throws {
        try checkPublicAddresses(against: addresses)
        let opened = try await open(addresses, listed: listed, isEnough: false)
        let driver = engine.driver
        let used = try await perform { peer, now, _ in
            opened.count { address in
                if peer.addLocalAddress(address, now: now) { return true }
                driver.close(address)
                return false
            }
        }
        guard used > 0 else { throw unusable(addresses) }
    }

    /// Opens a socket on each address.
    /// - Parameters:
    ///   - listed: the application named them: then all must be had. Of the machine's own, one is enough.
    ///   - isEnough: there are others already.
    private func open(
        _ addresses: [TransportAddress], listed: Bool, isEnough: Bool
    ) async throws -> [TransportAddress] {
        var opened: [TransportAddress] = []
        var failure = CallError.noSocket("no UDP socket can be opened: this machine has no address")
        guard let sockets else { return [] }
        for address in addresses {
            do {
                if address.port == 0, let ports = configuration.udpPorts {
                    var random = RandomSource.system
                    opened.append(try await sockets.open(address, ports: ports, first: random.next()))
                } else {
                    opened.append(try await sockets.open(address))
                }
            } catch let error as SocketError {
                failure = error.takenPorts.map { .noFreePort($0, address.host) } ?? .noSocket(error.description)
                guard !listed else { break }
            }
        }
        guard listed ? opened.count == addresses.count : !opened.isEmpty || isEnough else {
            let (driver, useless) = (engine.driver, opened)
            try? await perform { _, _, _ in for address in useless { driver.close(address) } }
            throw failure
        }
        return opened
    }
}

extension TransportAddress {
    /// An address with its port, as `192.0.2.1:3478` or `[2001:db8::1]:3478`; nil for anything else, port 0 included.
    init?(withPort text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]), port != 0
        else { return nil }
        var host = text[..<colon]
        if host.first == "[", host.last == "]" {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        self.init(String(host), port: port)
    }

    /// Whether a socket at `open` is what is wanted here; port 0 stands for any.
    func isSameInterface(as open: TransportAddress) -> Bool {
        var open = open
        if port == 0 { open.port = 0 }
        return open == self
    }
}

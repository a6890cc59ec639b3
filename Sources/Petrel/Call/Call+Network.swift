internal import PetrelCore
internal import PetrelIO
internal import PetrelPeer

/// The sockets, and the machine's addresses behind them.
extension Call {
    func openSockets() async throws {
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
    public func networkChanged(localAddresses: [String]? = nil) async throws -> String? {
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
        return outside.isEmpty || configuration.addressProfile == .lab ? all : outside
    }

    private func openSockets(for addresses: [TransportAddress], listed: Bool) async throws {
        let opened = try await open(addresses, listed: listed, isEnough: false)
        let driver = engine.driver
        let used = try await perform { peer, now, _ in
            opened.count { address in
                if peer.addLocalAddress(address, now: now) { return true }
                driver.close(address)
                return false
            }
        }
        guard used > 0 else {
            throw CallError.noSocket(
                "none of the addresses \(addresses.map(\.host).joined(separator: ", ")) may be used with the address profile '\(configuration.addressProfile)'"
            )
        }
    }

    /// Opens a socket on each address.
    /// - Parameters:
    ///   - listed: the application named them: then all must be had. Of the machine's own, one is enough.
    ///   - isEnough: there are others already.
    private func open(
        _ addresses: [TransportAddress], listed: Bool, isEnough: Bool
    ) async throws -> [TransportAddress] {
        var opened: [TransportAddress] = []
        var failure = "no UDP socket can be opened: this machine has no address"
        for address in addresses {
            do { opened.append(try await engine.driver.open(address)) } catch let error as SocketError {
                failure = error.description
                guard !listed else { break }
            }
        }
        guard listed ? opened.count == addresses.count : !opened.isEmpty || isEnough else {
            let (driver, useless) = (engine.driver, opened)
            try? await perform { _, _, _ in for address in useless { driver.close(address) } }
            throw CallError.noSocket(failure)
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

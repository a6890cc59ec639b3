import PetrelCore
import PetrelSecurity

/// DTLS: datagrams of a stranger to either role (first octet even or with bit 1), or a handshake of two engines whose
/// datagrams are lost, doubled, changed and mixed with others (first octet 3).
func fuzzDTLSDatagram(_ input: UnsafeRawBufferPointer) {
    var cursor = ByteCursor(input)
    let mode = cursor.byte()
    switch mode & 3 {
    case 0, 1: receive(&cursor, as: mode & 1 == 0 ? .server : .client)
    case 2:
        // The whole rest as one datagram to both.
        let datagram = cursor.rest()
        for role in [DTLSRole.server, .client] {
            let stranger = Endpoint(role, knowsPeer: true)
            stranger.start(now: .zero)
            stranger.take(datagram, now: .zero)
        }
    default: handshake(&cursor)
    }
}

private func receive(_ cursor: inout ByteCursor, as role: DTLSRole) {
    let endpoint = Endpoint(role, knowsPeer: cursor.flag())
    var now = Instant.zero
    endpoint.start(now: now)
    while !cursor.isEmpty {
        now += cursor.step()
        endpoint.timeout(now: now)
        endpoint.take(cursor.chunk(), now: now)
    }
    require(endpoint.engine.state != .connected, "a stranger without a key is never connected")
    require(endpoint.engine.exportKeyingMaterial() == nil, "and gets no keys")
}

private func handshake(_ cursor: inout ByteCursor) {
    let flags = cursor.byte()
    let client = Endpoint(.client, knowsPeer: true)
    let server = Endpoint(.server, knowsPeer: flags & 1 == 0)
    var now = Instant.zero
    client.start(now: now)
    server.start(now: now)
    // Beyond the end of the input everything arrives.
    var steps = 0
    while steps < 400, !(client.isConnected && server.isConnected) {
        steps += 1
        let code = cursor.byte()
        let (from, to) = code & 1 == 0 ? (client, server) : (server, client)
        switch (code >> 1) & 7 {
        case 0:
            for (from, to) in [(client, server), (server, client)] where !from.sent.isEmpty {
                let datagram = from.sent.removeFirst()
                datagram.withUnsafeBytes { to.take($0, now: now) }
            }
            if cursor.isEmpty, client.sent.isEmpty, server.sent.isEmpty {
                now = min(max(now, client.engine.nextDeadline), max(now, server.engine.nextDeadline))
                if now == .distantFuture { break }
                client.timeout(now: now)
                server.timeout(now: now)
            }
        case 1:
            if !from.sent.isEmpty { from.sent.removeFirst() }
        case 2:
            if let first = from.sent.first { first.withUnsafeBytes { to.take($0, now: now) } }
        case 3:
            guard !from.sent.isEmpty else { break }
            var datagram = from.sent.removeFirst()
            let place = Int(cursor.word()) % datagram.count
            datagram[place] ^= max(1, cursor.byte())
            datagram.withUnsafeBytes { to.take($0, now: now) }
        case 4:
            guard !from.sent.isEmpty else { break }
            let datagram = from.sent.removeFirst()
            datagram.prefix(Int(cursor.word()) % (datagram.count + 1)).withUnsafeBytes { to.take($0, now: now) }
        case 5:
            to.take(cursor.chunk(), now: now)
        case 6:
            now += cursor.step()
            client.timeout(now: now)
            server.timeout(now: now)
        default:
            if from.sent.count > 1 { from.sent.append(from.sent.removeFirst()) }
        }
        if now == .distantFuture { break }
    }
    if client.isConnected, server.isConnected {
        guard let left = client.engine.exportKeyingMaterial(), let right = server.engine.exportKeyingMaterial() else {
            return require(false, "who is connected has keys")
        }
        require(left.isEqual(to: right), "both sides have the same keys")
    }
    require(flags & 1 == 0 || !server.isConnected, "who knows no fingerprint is not connected")
}

/// An engine and what it has sent.
private final class Endpoint {
    let engine: DTLSEngine
    var sent: [[UInt8]] = []

    init(_ role: DTLSRole, knowsPeer: Bool) {
        var configuration = DTLSEngine.Configuration()
        configuration.labSeed = role == .client ? 11 : 12
        let (own, other) =
            role == .client ? (Identities.ours, Identities.theirs) : (Identities.theirs, Identities.ours)
        engine = DTLSEngine(role: role, certificate: own, configuration: configuration)
        if knowsPeer { engine.expect(fingerprints: [other.fingerprint()], now: .zero) { _ in } }
    }

    var isConnected: Bool { engine.state == .connected }

    private func emit(_ bytes: UnsafeRawBufferPointer) {
        require(bytes.count <= 1200 && !bytes.isEmpty, "a datagram keeps the MTU: \(bytes.count)")
        if sent.count < 64 { sent.append(Array(bytes)) }
    }

    func start(now: Instant) { engine.start(now: now) { emit($0) } }

    func take(_ bytes: UnsafeRawBufferPointer, now: Instant) {
        withCopy(of: bytes) { copy in
            var answers = 0
            _ = engine.receive(UnsafeRawBufferPointer(copy), now: now) {
                answers += 1
                emit($0)
            }
            // The records of one datagram make one flight, or each an answer of its own; never more than that.
            require(answers <= 16 + bytes.count / 13, "\(answers) datagrams for one of \(bytes.count) octets")
        }
    }

    func timeout(now: Instant) {
        for _ in 0..<4 where engine.nextDeadline <= now { engine.handleTimeout(now: now) { emit($0) } }
        require(engine.nextDeadline > now, "what was due is done")
    }
}

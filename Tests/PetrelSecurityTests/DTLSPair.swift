import PetrelCore
import PetrelSecurity

/// Two engines on a link that loses and delays, in virtual time.
final class DTLSPair {
    struct Link {
        /// The share of datagrams lost, each way.
        var loss = 0.0
        var roundTrip = TimeDelta.milliseconds(40)
    }

    struct Flying {
        var arrival: Instant
        var toServer: Bool
        var bytes: [UInt8]
    }

    var client: DTLSEngine
    var server: DTLSEngine
    var now = Instant.zero
    var link: Link
    /// Every datagram that was sent, lost ones too.
    private(set) var sent: [Flying] = []
    /// Takes a datagram on its way and answers what arrives instead.
    var tamper: ((_ toServer: Bool, _ bytes: [UInt8]) -> [[UInt8]])?
    private var flying: [Flying] = []
    private var random: SeededGenerator

    static let epoch: Int64 = 1_760_000_000
    /// Made once: most tests do not care whose key it is.
    static let caller = make(1)
    static let callee = make(2)
    static let stranger = make(3)

    static func make(_ seed: UInt64) -> Certificate {
        do {
            return try Certificate.make(unixTime: epoch, labSeed: seed)
        } catch {
            fatalError("no certificate: \(error)")
        }
    }

    init(
        seed: UInt64 = 1, link: Link = Link(), client: DTLSEngine.Configuration? = nil,
        server: DTLSEngine.Configuration? = nil, expectClient: [Fingerprint]? = [DTLSPair.caller.fingerprint()],
        expectServer: [Fingerprint]? = [DTLSPair.callee.fingerprint()]
    ) {
        self.link = link
        random = SeededGenerator(seed: seed)
        var ours = client ?? DTLSEngine.Configuration()
        var theirs = server ?? DTLSEngine.Configuration()
        ours.labSeed = ours.labSeed ?? seed &* 2
        theirs.labSeed = theirs.labSeed ?? (seed &* 2 &+ 1)
        self.client = DTLSEngine(role: .client, certificate: Self.caller, configuration: ours)
        self.server = DTLSEngine(role: .server, certificate: Self.callee, configuration: theirs)
        if let expectClient { expectAtServer(expectClient) }
        if let expectServer { self.client.expect(fingerprints: expectServer, now: now) { _ in } }
    }

    func expectAtServer(_ fingerprints: [Fingerprint]) {
        server.expect(fingerprints: fingerprints, now: now) { self.send($0, toServer: false) }
    }

    func expectAtClient(_ fingerprints: [Fingerprint]) {
        client.expect(fingerprints: fingerprints, now: now) { self.send($0, toServer: true) }
    }

    func start() {
        server.start(now: now) { self.send($0, toServer: false) }
        client.start(now: now) { self.send($0, toServer: true) }
    }

    func send(_ bytes: UnsafeRawBufferPointer, toServer: Bool) {
        sent.append(Flying(arrival: now, toServer: toServer, bytes: [UInt8](bytes)))
        let lost = random.unit() < link.loss
        guard !lost else { return }
        for bytes in tamper?(toServer, [UInt8](bytes)) ?? [[UInt8](bytes)] {
            flying.append(Flying(arrival: now + link.roundTrip / 2, toServer: toServer, bytes: bytes))
        }
    }

    @discardableResult
    func deliver(_ bytes: [UInt8], toServer: Bool) -> Verdict {
        let engine = toServer ? server : client
        return bytes.withUnsafeBytes { raw in
            engine.receive(raw, now: now) { self.send($0, toServer: !toServer) }
        }
    }

    /// Runs until `isDone` or `limit`. Answers whether it was done.
    @discardableResult
    func run(until limit: TimeDelta = .seconds(30), _ isDone: (DTLSPair) -> Bool = { $0.isConnected }) -> Bool {
        let end = now + limit
        while !isDone(self) {
            // Equal arrivals keep their order.
            let next = flying.indices.min {
                flying[$0].arrival < flying[$1].arrival || (flying[$0].arrival == flying[$1].arrival && $0 < $1)
            }
            let arrival = next.map { flying[$0].arrival } ?? .distantFuture
            let deadline = min(client.nextDeadline, server.nextDeadline)
            let due = min(arrival, deadline)
            guard due <= end else {
                now = end
                return isDone(self)
            }
            now = max(now, due)
            if let next, arrival <= deadline {
                let datagram = flying.remove(at: next)
                deliver(datagram.bytes, toServer: datagram.toServer)
            } else {
                client.handleTimeout(now: now) { self.send($0, toServer: true) }
                server.handleTimeout(now: now) { self.send($0, toServer: false) }
            }
        }
        return true
    }

    var isConnected: Bool { client.state == .connected && server.state == .connected }

    /// Starts, and runs until both are connected.
    @discardableResult
    func connect(within limit: TimeDelta = .seconds(30)) -> Bool {
        start()
        return run(until: limit)
    }

    /// FNV-1a over everything that was sent.
    var transcript: UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for datagram in sent {
            for byte in datagram.bytes + [datagram.toServer ? 1 : 0] { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        }
        return hash
    }

    /// Whether both ends hold the same keys.
    var agree: Bool {
        guard let left = client.exportKeyingMaterial(), let right = server.exportKeyingMaterial() else { return false }
        return left.isEqual(to: right)
    }
}

extension DTLSEngine.State {
    /// The kind of failure, if it is one.
    var failure: DTLSFailure.Kind? {
        if case .failed(let failure) = self { failure.kind } else { nil }
    }
}

extension DTLSEngine {
    /// Whether it gives keys away.
    var hasKeys: Bool {
        if let material = exportKeyingMaterial() {
            _ = material.profile
            return true
        }
        return false
    }
}

internal import PetrelCore
internal import PetrelICE
internal import PetrelIO

/// One call's share of a ``SharedPort``: what a driver of its own would be to it.
final class PortSeat: DatagramDriver, @unchecked Sendable {
    // @unchecked: all mutable state is confined to the port's thread, but for `isOpen`, which is behind a lock.
    /// How long a closed call still tells a peer that goes on checking that its consent is revoked (RFC 7675 section
    /// 5.2), in case the end of the association was lost: the longest time between two consent checks, and a round trip.
    /// The call's memory is held so long.
    static let revocationTime = TimeDelta.milliseconds(6500)

    let member: PortMember
    /// What all username fragments of the call begin with.
    let prefix: String
    private let port: PortEngine
    private let isOpen = Lock(true)
    private var timer: DriverTimer?
    private var closedAddresses: [TransportAddress] = []
    private let addresses: [TransportAddress]
    private(set) var counts = DriverCounts()
    private var hasEngine = false

    init(port: PortEngine, member: PortMember, prefix: String, localAddresses: [TransportAddress]) {
        (self.port, self.member, self.prefix, addresses) = (port, member, prefix, localAddresses)
    }

    var isOnDriver: Bool { port.driver.isOnDriver }
    var localAddresses: [TransportAddress] { addresses.filter { !closedAddresses.contains($0) } }

    func drive(_ engine: any DatagramEngine) {
        run { [self, weak engine] in
            guard let engine else { return }
            hasEngine = true
            port.attach(engine, to: member)
            timer = port.driver.makeTimer { [weak engine] now in engine?.settle(now: now) }
        }
    }

    func run(_ work: @escaping @Sendable () -> Void) {
        isOpen.withLock { if $0 { port.driver.run(work) } }
    }

    func perform<Result: Sendable>(_ work: @escaping @Sendable () throws -> Result) async throws -> Result? {
        guard isOpen.withLock({ $0 }) else { return nil }
        return try await port.driver.perform(work)
    }

    func send(_ batch: inout EgressBatch) {
        for index in 0..<batch.count { port.noteSent(batch.bytes(index), by: member) }
        let before = port.driver.counts
        port.driver.send(&batch)
        let after = port.driver.counts
        counts.datagramsSent &+= after.datagramsSent &- before.datagramsSent
        counts.bytesSent &+= after.bytesSent &- before.bytesSent
        if after.sendFailures != before.sendFailures {
            counts.sendFailures &+= after.sendFailures &- before.sendFailures
            counts.lastSendError = after.lastSendError
        }
    }

    func wake(at deadline: Instant) { timer?.wake(at: deadline) }

    /// The 5-tuples that the call's datagrams come from have changed.
    func claim(_ claims: [ICEClaim], now: Instant) { port.claim(claims, for: member, now: now) }

    /// The call no longer uses this address. The port keeps it for the others.
    func close(_ local: TransportAddress) { closedAddresses.append(local) }

    /// The port is gone: nothing is waited for any more.
    func forget() {
        timer?.cancel()
        timer = nil
    }

    func close() async {
        let isFirst = isOpen.withLock { isOpen in
            defer { isOpen = false }
            return isOpen
        }
        guard isFirst else { return }
        // Where the port itself is closed there is nothing left to give back.
        _ = try? await port.driver.perform { [self] in
            timer?.cancel()
            let now = MonotonicClock.now
            port.retire(member, now: now)
            guard hasEngine else { return port.remove(member) }
            let last = port.driver.makeTimer { [self] _ in
                timer = nil
                port.remove(member)
            }
            timer = last
            last.wake(at: now + Self.revocationTime)
        }
    }
}

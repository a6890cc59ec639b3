internal import PetrelCore
internal import PetrelICE
internal import PetrelIO

/// The engine behind a ``SharedPort``: hands each datagram to the engine of the call that it is for.
///
/// All calls of the port run on its thread, so that a datagram goes from the socket to its call by a function call.
final class PortEngine: DatagramEngine, @unchecked Sendable {
    // @unchecked: all mutable state is confined to the driver's thread.
    private struct Slot {
        let seat: PortSeat
        var engine: (any DatagramEngine)?
        /// Something came for it in this read.
        var isTouched = false
    }

    let driver: UDPDriver
    private var routes = PortRoutes()
    private var slots: [Slot?] = []
    private var touched: [Int] = []
    /// Calls that are closed and still answer checks, the oldest first.
    private var retired: [PortMember] = []
    private var random = RandomSource.system
    private var counts = SharedPortStatistics()
    private var drops = DropCounters()

    init(driver: UDPDriver) {
        self.driver = driver
        touched.reserveCapacity(64)
    }

    // MARK: The driver's side

    func receive(
        _ bytes: UnsafeMutableRawBufferPointer, from remote: TransportAddress, to local: TransportAddress, now: Instant
    ) {
        do throws(DropReason) {
            let member = try routes.member(for: UnsafeRawBufferPointer(bytes).bytes, from: remote, to: local)
            guard slots.indices.contains(member.index), let engine = slots[member.index]?.engine else {
                throw .unvalidatedAddress
            }
            counts.datagramsRouted &+= 1
            if slots[member.index]?.isTouched == false {
                slots[member.index]?.isTouched = true
                touched.append(member.index)
            }
            engine.receive(bytes, from: remote, to: local, now: now)
        } catch { drops.count(error) }
    }

    func settle(now: Instant) {
        for index in touched {
            slots[index]?.isTouched = false
            slots[index]?.engine?.settle(now: now)
        }
        touched.removeAll(keepingCapacity: true)
    }

    func socketEnded(_ local: TransportAddress, now: Instant) {
        for slot in slots { slot?.engine?.socketEnded(local, now: now) }
    }

    // MARK: Calls, on the driver's thread

    /// Takes on a call; nil where the port is full.
    func admit() -> PortSeat? {
        var admitted = routes.admit(random: &random)
        if admitted == nil, let oldest = retired.first {
            remove(oldest)
            admitted = routes.admit(random: &random)
        }
        guard let (member, prefix) = admitted else { return nil }
        let seat = PortSeat(port: self, member: member, prefix: prefix, localAddresses: driver.localAddresses)
        while slots.count <= member.index { slots.append(nil) }
        slots[member.index] = Slot(seat: seat)
        return seat
    }

    func attach(_ engine: any DatagramEngine, to member: PortMember) {
        if slot(of: member) { slots[member.index]?.engine = engine }
    }

    func claim(_ claims: [ICEClaim], for member: PortMember, now: Instant) {
        let refused = routes.set(claims, of: member, now: now)
        counts.claimsRefused &+= UInt64(clamping: refused)
    }

    func noteSent(_ bytes: UnsafeRawBufferPointer, by member: PortMember) { routes.noteSent(bytes.bytes, by: member) }

    /// A call has ended: its addresses are free at once; checks for it are still answered until it is removed.
    func retire(_ member: PortMember, now: Instant) {
        routes.set([], of: member, now: now)
        if slot(of: member) { retired.append(member) }
    }

    func remove(_ member: PortMember) {
        guard slot(of: member) else { return }
        routes.remove(member)
        slots[member.index] = nil
        retired.removeAll { $0 == member }
    }

    /// The port closes: its calls have nothing to send from any more.
    func end(now: Instant) {
        for slot in slots {
            for local in driver.localAddresses { slot?.engine?.socketEnded(local, now: now) }
            slot?.seat.forget()
        }
        slots = []
        retired = []
        routes = PortRoutes()
    }

    private func slot(of member: PortMember) -> Bool {
        slots.indices.contains(member.index) && slots[member.index]?.seat.member == member
    }

    var statistics: SharedPortStatistics {
        var result = counts
        result.calls = routes.memberCount - retired.count
        result.routes = routes.routeCount
        result.drops = drops.nonZero.map { ("\($0.reason)", $0.count) }
        return result
    }
}

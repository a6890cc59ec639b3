public import PetrelCore

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// One direction of a network: it is told the size and the time of every datagram, and answers when it arrives.
///
/// The way of a datagram: an outage or the MTU may stop it; then it waits in a drop-tail queue and is transmitted
/// at the rate; then it may be lost (so a lost datagram has used capacity); then it takes the delay and the jitter,
/// and may arrive twice.
///
/// The answers depend on the description, the seed, and the sizes and times only. Loss, jitter and duplication draw
/// from generators of their own, each a fixed number of times per datagram offered, whether the option is in use or
/// not. So datagram number n has the same fate in random loss and in bursts counted in packets, whatever the delay,
/// the rate or the changes; bursts counted in time follow the time at which a datagram leaves the queue.
public struct Link: Sendable {
    /// The largest size that is reckoned with, in bytes; a larger one counts as this. Above the 65,507 of UDP.
    public static let maximumSize = 1 << 20

    /// The description in normal form.
    public private(set) var description: LinkDescription
    /// The seed of all its randomness.
    public let seed: UInt64
    /// When the description's times begin.
    public private(set) var start: Instant
    /// What has become of everything that was sent.
    public private(set) var statistics = LinkStatistics()

    private var schedule: RateSchedule
    private var chain = BurstChain()
    private var nextOutage = 0
    /// The latest time told. A datagram that is sent "earlier" counts as sent then.
    private var now = Instant.distantPast
    /// When the last datagram that was not dropped before has left the queue.
    private var busyUntil = Instant.distantPast
    private var lastArrival = Instant.distantPast
    private var lossDraws: SeededGenerator
    private var jitterDraws: SeededGenerator
    private var duplicationDraws: SeededGenerator

    /// Creates a link.
    /// - Parameters:
    ///   - description: the link's conditions, changes and outages.
    ///   - seed: of all its randomness.
    ///   - start: the origin of the changes and outages of the description.
    public init(_ description: LinkDescription, seed: UInt64, start: Instant = .zero) {
        self.description = description.normalized
        self.seed = seed
        self.start = start
        schedule = RateSchedule(self.description, start: start)
        var seeds = SeededGenerator(seed: seed)
        lossDraws = SeededGenerator(seed: seeds.next())
        jitterDraws = SeededGenerator(seed: seeds.next())
        duplicationDraws = SeededGenerator(seed: seeds.next())
    }

    /// Sends a datagram of `size` bytes into the link.
    public mutating func send(size: Int, now time: Instant) -> Passage {
        now = max(now, time)
        let conditions = schedule.conditions(at: now)
        let size = min(max(0, size), Self.maximumSize)
        let draws = drawAll()
        statistics.countOffer(bytes: size)

        var stop: LossReason?
        var departure = now
        if isOut() {
            stop = .outage
        } else if let mtu = conditions.mtu, size > mtu {
            stop = .tooLarge
        } else if let end = enqueue(size: size, conditions) {
            departure = end
        } else {
            stop = .queueFull
        }
        // The chain takes its step for every datagram, also for one that never reached it.
        let isBad = chain.step(
            share: conditions.burstLoss / 100, burst: conditions.burst, time: max(departure, busyUntil),
            draw: draws.burst)
        if let reason = stop ?? (isBad ? .burst : draws.loss < conditions.loss / 100 ? .random : nil) {
            statistics.countLoss(reason)
            return .lost(reason)
        }
        statistics.countDelivery(bytes: size)
        let arrival = arrive(from: departure, conditions, draws.jitter)
        guard draws.duplication < conditions.duplication / 100 else { return .arrives(arrival) }
        statistics.duplicated &+= 1
        return .arrivesTwice(arrival, arrive(from: departure, conditions, draws.copyJitter))
    }

    /// Makes the link another one from `time` on: the times of `description` begin then. What was sent before arrives as
    /// it would have, the queue stands as it is, and the randomness goes on where it was.
    public mutating func change(to description: LinkDescription, now time: Instant) {
        now = max(now, time)
        self.description = description.normalized
        start = now
        schedule = RateSchedule(self.description, start: start)
        nextOutage = 0
    }

    /// How long a datagram sent at `time` would wait before its transmission begins.
    public func queueDelay(at time: Instant) -> TimeDelta { max(.zero, busyUntil - max(now, time)) }

    /// The conditions in force at `time`, without outages.
    public func conditions(at time: Instant) -> LinkConditions {
        description.changes.last { start + $0.time <= time }?.conditions ?? description.conditions
    }

    // MARK: - Stages

    /// Whether the present time lies in an outage.
    private mutating func isOut() -> Bool {
        let outages = description.outages
        // They are sorted by their start; those that have ended are never looked at again.
        while nextOutage < outages.count {
            let outage = outages[nextOutage]
            if now < start + outage.start { return false }
            if now < start + outage.start + outage.duration { return true }
            nextOutage += 1
        }
        return false
    }

    /// The end of the transmission, or nil where the queue has no room.
    private mutating func enqueue(size: Int, _ conditions: LinkConditions) -> Instant? {
        let begin = max(now, busyUntil)
        if begin > now, let rate = conditions.rate {
            // A queue counts bytes. A datagram that finds it empty is always let in.
            let backlog = schedule.bits(from: now, until: begin)
            let room = Double(rate.bitsPerSecond) * conditions.queue.seconds
            if backlog + Double(size) * 8 > room { return nil }
        }
        busyUntil = schedule.end(ofBits: Int64(size) * 8, from: begin)
        statistics.maximumQueueDelay = max(statistics.maximumQueueDelay, busyUntil - now)
        return busyUntil
    }

    private mutating func arrive(from departure: Instant, _ conditions: LinkConditions, _ normal: Double) -> Instant {
        var delay = conditions.delay
        if conditions.jitter > .zero { delay = max(.zero, delay + conditions.jitter * normal) }
        var arrival = departure + delay
        if !conditions.reorders { arrival = max(arrival, lastArrival) }
        lastArrival = max(lastArrival, arrival)
        return arrival
    }

    // MARK: - Randomness

    private struct Draws {
        let loss: Double
        let burst: Double
        let duplication: Double
        /// Standard normal, for the datagram and its copy.
        let jitter: Double
        let copyJitter: Double
    }

    private mutating func drawAll() -> Draws {
        let loss = lossDraws.unit()
        let burst = lossDraws.unit()
        // Box and Muller make two independent normal numbers of two uniform ones. 1 - u is never zero.
        let radius = (-2 * log(1 - jitterDraws.unit())).squareRoot()
        let angle = 2 * Double.pi * jitterDraws.unit()
        return Draws(
            loss: loss, burst: burst, duplication: duplicationDraws.unit(), jitter: radius * cos(angle),
            copyJitter: radius * sin(angle))
    }
}

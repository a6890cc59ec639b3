public import PetrelCore

/// The loss of a path and how it comes (alone or in runs), from what feedback says of each packet.
///
/// Told packets in the order of their sending. It never allocates after its creation.
public struct LossEstimator: Sendable {
    /// Half a second: long enough for some 100 packets of a 720p call, short enough to follow a walk behind a wall.
    static let slot = TimeDelta.milliseconds(500)
    /// Slots remembered, 5 s: as long as a bad half second is reckoned with.
    static let slots = 10
    /// A slot with fewer packets says too little to be ranked.
    static let leastPackets = 12
    /// The packets after which an old run of losses counts half, for the length of runs.
    static let burstMemory = 600.0

    private struct Slot: Sendable {
        var packets = 0
        var lost = 0
        var share: Double { packets > 0 ? Double(lost) / Double(packets) : 0 }
    }

    private var ring = [Slot](repeating: Slot(), count: LossEstimator.slots)
    private var current = 0
    private var slotBegan: Instant?
    private var recent = 0.0
    private var lastSent: Instant?
    private var lostBefore = false
    private var lostPackets = 0.0
    private var runs = 0.0
    private var packetRate = 0.0
    private var samples = 0

    public init() {}

    /// Takes in one packet.
    /// - Parameter sent: when it left, on the sender's clock.
    public mutating func add(lost: Bool, sent: Instant) {
        roll(to: sent)
        ring[current].packets += 1
        if lost { ring[current].lost += 1 }
        samples = min(samples + 1, 1 << 30)
        // A packet weighs as much as the time since the one before it, so that sparse and dense traffic forget alike.
        let passed = lastSent.map { max(0, (sent - $0).seconds) } ?? 0
        lastSent = max(lastSent ?? sent, sent)
        let weight = min(1, max(passed / Self.slot.seconds, 1 / Double(min(samples, 100))))
        recent += weight * ((lost ? 1 : 0) - recent)
        let kept = 1 - 0.693 / Self.burstMemory
        lostPackets *= kept
        runs *= kept
        if lost {
            lostPackets += 1
            if !lostBefore { runs += 1 }
        }
        lostBefore = lost
    }

    private mutating func roll(to sent: Instant) {
        guard let began = slotBegan else {
            slotBegan = sent
            return
        }
        guard sent - began >= Self.slot else { return }
        let steps = min(Int((sent - began).seconds / Self.slot.seconds), Self.slots)
        let measured = Double(ring[current].packets) / (sent - began).seconds
        packetRate = packetRate == 0 ? measured : packetRate * 0.5 + measured * 0.5
        for _ in 0..<max(1, steps) {
            current = (current + 1) % Self.slots
            ring[current] = Slot()
        }
        slotBegan = sent
    }

    /// What is known now.
    public func state(roundTrip: TimeDelta) -> LinkState {
        LinkState(
            loss: max(recent, badSlot), recentLoss: recent, meanLoss: mean,
            burst: runs > 0.5 ? max(1, lostPackets / runs) : 1,
            packetRate: packetRate, roundTrip: roundTrip, samples: samples)
    }

    private var mean: Double {
        let packets = ring.reduce(0) { $0 + $1.packets }
        return packets > 0 ? Double(ring.reduce(0) { $0 + $1.lost }) / Double(packets) : 0
    }

    /// The 80th percentile of the slots that have enough packets.
    private var badSlot: Double {
        // At most ten: the third greatest (or the greatest of a few) is found without sorting into new memory.
        let ranked = ring.reduce(0) { $0 + ($1.packets >= Self.leastPackets ? 1 : 0) }
        guard ranked > 0 else { return 0 }
        let above = ranked / 5
        for slot in ring where slot.packets >= Self.leastPackets {
            let greater = ring.reduce(0) {
                $0 + ($1.packets >= Self.leastPackets && $1.share > slot.share ? 1 : 0)
            }
            let equal = ring.reduce(0) {
                $0 + ($1.packets >= Self.leastPackets && $1.share == slot.share ? 1 : 0)
            }
            if greater <= above, greater + equal > above { return slot.share }
        }
        return 0
    }
}

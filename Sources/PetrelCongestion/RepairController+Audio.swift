public import PetrelCore

/// How the sound of a call is protected, and why.
public struct AudioRepairPlan: Hashable, Sendable {
    /// What decided.
    public enum Reason: String, Hashable, Sendable {
        /// The other side takes no redundancy.
        case notNegotiated
        /// Next to nothing is lost.
        case clean
        /// Too little is known of the path: what the set-up went through, and some caution.
        case opening
        /// Losses come alone: the packets right before each one go along with it.
        case loss
        /// Losses come in runs: packets further back go along.
        case bursts
        /// Every packet is sent more than once: as much redundancy as is needed would take too long, or more bytes.
        case copies
        /// More would be needed than sound may take of the path.
        case budget
    }

    /// Which earlier packets go along with each.
    public var offsets = RedundancyOffsets.none
    /// How often each packet is sent, ``RepairController/copyInterval`` apart.
    public var copies = 1
    /// The delay the receiver needs beyond that of the first packet for all of it to be in time.
    public var receiverDelay = TimeDelta.zero
    /// The share of sound that nothing repairs, as computed.
    public var residual = 0.0
    public var reason = Reason.notNegotiated

    public init() {}

    /// The number of earlier packets in each.
    public var depth: Int { offsets.count }
}

// Sound: redundancy of RFC 2198 with a depth by the loss, its distances by the length of runs, and copies where depth
// would cost too much delay.
extension RepairController {
    /// Between two copies of one packet: 10 ms, half a packet of sound, so that they share few runs of losses.
    public static let copyInterval = TimeDelta.milliseconds(10)
    /// The longest delay that redundancy alone may ask for where losses come alone: 120 ms. Beyond, a second copy of each
    /// packet costs the same bytes and no delay.
    static let longestAudioDelay = 6
    /// The same where they come in runs, in packets of 20 ms: 240 ms. Nothing else than time bridges a run.
    static let longestAudioSpread = 12
    /// Copies of one packet at the most. If it grew, sound would take more of the path than pictures.
    static let mostAudioCopies = 3
    /// Less loss than this is clean: nothing is sent along.
    static let cleanAudioLoss = 0.003
    /// Below so many packets of feedback the loss is a guess.
    static let fewAudioSamples = 60
    /// What is assumed while nothing is known: two earlier packets go along, for a few kilobytes.
    static let assumedAudioLoss = 0.05
    /// Audio may always take this much, and of a good path this share; more of a path that loses so much that pictures
    /// are the first to suffer.
    static let leastAudioBudget = DataRate.kilobitsPerSecond(64)
    static func audioShare(loss: Double) -> Double { 0.15 + 0.5 * max(0, min(0.7, loss) - 0.4) }
    /// So many kbit/s are worth 20 ms less delay: a second copy of each packet costs little more than the depth that it
    /// stands in for.
    static let ratePerPacketTime = 40.0
    /// What a packet costs on the wire beside its payload: IP, UDP, RTP with extensions and the tag of SRTP.
    static let audioOverhead = 66

    /// The share of sound that may stay unrepaired at a loss of `loss`.
    public static func audioResidual(loss: Double) -> Double {
        let relative = loss / 0.4
        return min(0.005, max(0.0003, 0.005 * relative * relative))
    }

    /// How to protect sound.
    /// - Parameters:
    ///   - link: the path as feedback knows it.
    ///   - prior: the loss of the path by what the set-up went through, 0...1.
    ///   - packetBytes: the size of one encoded packet.
    ///   - packetTime: the time between two packets.
    ///   - budget: what the path is thought to carry, everything together.
    ///   - takesRedundancy: whether RED was agreed on.
    public static func audioPlan(
        link: LinkState, prior: Double, packetBytes: Int, packetTime: TimeDelta = .milliseconds(20), budget: DataRate,
        takesRedundancy: Bool
    ) -> AudioRepairPlan {
        var plan = AudioRepairPlan()
        let isOpening = link.samples < fewAudioSamples
        let loss = min(0.85, isOpening ? max(prior, link.loss, assumedAudioLoss) : link.loss)
        plan.residual = loss
        guard takesRedundancy else { return plan }
        guard loss >= cleanAudioLoss else {
            plan.reason = .clean
            return plan
        }
        let wanted = audioResidual(loss: loss)
        let limit = max(leastAudioBudget, budget * audioShare(loss: loss))
        let seconds = max(0.0025, packetTime.seconds)
        let memory = correlation(link, loss: loss, over: packetTime)
        let copyMemory = correlation(link, loss: loss, over: copyInterval)
        var best: (plan: AudioRepairPlan, meets: Bool, cost: Double)?
        var exceeds = false
        for copies in 1...mostAudioCopies {
            // All copies of one packet are lost.
            var packetLoss = loss
            for _ in 1..<copies { packetLoss *= loss + (1 - loss) * copyMemory }
            for reach in 1...longestAudioSpread {
                for spacing in 1...3 where reach % spacing == 0 && (spacing == 1 || memory > 0.15) {
                    let count = reach / spacing
                    // Long delays are for runs: what comes alone is met by copies.
                    if reach > longestAudioDelay, memory <= 0.15 || copies > 1 { continue }
                    let bytes = copies * ((count + 1) * (packetBytes + 4) + audioOverhead)
                    let rate = DataRate(bytes: bytes, over: .seconds(seconds))
                    guard rate <= limit else {
                        exceeds = true
                        continue
                    }
                    var spaced = 1.0
                    for _ in 0..<spacing { spaced *= memory }
                    var residual = packetLoss
                    for _ in 0..<count { residual *= packetLoss + (1 - packetLoss) * spaced }
                    let meets = residual <= wanted
                    let delay = packetTime * reach + copyInterval * (copies - 1)
                    let cost = delay.milliseconds / 20 + rate.kilobitsPerSecond / ratePerPacketTime
                    // The cheapest of those that are good enough; failing that, the best.
                    if let best, best.meets, !meets || best.cost <= cost { continue }
                    if let best, !best.meets, !meets, best.plan.residual <= residual { continue }
                    plan.offsets = RedundancyOffsets(count: count, spacing: spacing)
                    plan.copies = copies
                    plan.residual = residual
                    plan.receiverDelay = delay
                    plan.reason = copies > 1 ? .copies : reach > longestAudioDelay ? .bursts : .loss
                    best = (plan, meets, cost)
                }
            }
        }
        guard let best else {
            plan.reason = .budget
            return plan
        }
        plan = best.plan
        if isOpening { plan.reason = .opening } else if !best.meets, exceeds { plan.reason = .budget }
        return plan
    }

    /// The loss of the path behind what feedback says of packets that were each sent `copies` times under one number.
    public static func pathLoss(observed: Double, copies: Int) -> Double {
        guard copies > 1, observed > 0 else { return observed }
        let root = observed.squareRoot()
        // The cube root by Newton's method from the square root: three steps are exact to a thousandth.
        guard copies > 2 else { return root }
        var value = root
        for _ in 0..<6 { value -= (value * value * value - observed) / (3 * value * value) }
        return min(1, value)
    }

    /// Whether missing sound is asked for again: an answer must come before its time.
    public static func asksForMissingAudio(roundTrip: TimeDelta, playoutDelay: TimeDelta) -> Bool {
        roundTrip <= playoutDelay - .milliseconds(20)
    }

    /// How much likelier than on average a packet is lost when one `interval` before it was, 0...1: two states, of which
    /// the one that loses lasts a run of losses.
    static func correlation(_ link: LinkState, loss: Double, over interval: TimeDelta) -> Double {
        guard loss > 0, loss < 1, link.packetRate > 0 else { return 0 }
        let leave = 1 / max(1, link.burst)
        let enter = min(1, leave * loss / (1 - loss))
        let kept = max(0, min(0.98, 1 - leave - enter))
        let steps = max(1, link.packetRate * interval.seconds)
        return exponential(kept, steps)
    }

    /// `base` to the power of `steps`, 1...: whole steps multiplied, the rest on a line.
    private static func exponential(_ base: Double, _ steps: Double) -> Double {
        var value = 1.0
        var rest = min(steps, 64)
        while rest >= 1 {
            value *= base
            rest -= 1
        }
        return value * (1 - rest * (1 - base))
    }
}

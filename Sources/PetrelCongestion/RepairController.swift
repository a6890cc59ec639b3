public import PetrelCore

/// The one place that decides how losses are repaired: from what is known of the path and what the two sides can do, it
/// answers how much of which repair is sent and when, and says why.
///
/// What it answers about pictures is in `RepairController+Video.swift`. The questions are pure functions of their
/// arguments and of the loss in force, which ``update(link:prior:)`` moves.
public struct RepairController: Sendable {
    /// The most bytes of media and repair together, over those of media.
    public static let largestExpansion = 5.0
    /// Below so many packets of feedback the path is judged by what the set-up went through.
    static let fewSamples = 60
    /// The loss assumed while nothing is known and something is missing: that something was lost is known then.
    static let assumedLoss = 0.2
    /// The last half second may lie this far above the last five seconds by chance: two standard deviations at 150
    /// packets. What exceeds it is a path that gets worse.
    static let noise = 0.06
    /// Less is a clean path.
    static let least = 0.003
    /// More than this is not reckoned with: a path that loses more carries nothing.
    static let most = 0.8

    /// The loss that repair reckons with, 0...1.
    public private(set) var loss = 0.0
    /// Where it comes from.
    public private(set) var reason = Reason.nothingKnown
    public private(set) var roundTrip = TimeDelta.milliseconds(100)

    /// Why the loss in force is what it is.
    public enum Reason: String, Hashable, Sendable {
        case nothingKnown, setUp, clean, steady, worsening
    }

    public init() {}

    /// Takes in the state of the path.
    /// - Parameter prior: the loss of the path by what the set-up went through, 0...1.
    public mutating func update(link: LinkState, prior: Double) {
        roundTrip = link.roundTrip
        if link.samples < Self.fewSamples {
            // Few samples speak with their share of the whole.
            let weight = Double(link.samples) / Double(Self.fewSamples)
            loss = min(Self.most, prior * (1 - weight) + link.meanLoss * weight)
            reason = prior > 0 ? .setUp : .nothingKnown
            return
        }
        let rising = link.recentLoss - Self.noise
        (loss, reason) = rising > link.meanLoss ? (rising, .worsening) : (link.meanLoss, .steady)
        loss = min(Self.most, loss)
        if loss < Self.least { reason = .clean }
    }
}

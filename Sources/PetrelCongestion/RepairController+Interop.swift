public import PetrelCore

/// How video is repaired towards peers that know the standards only, or while nothing better was agreed.
public struct InteropRepairPlan: Hashable, Sendable {
    /// Packets of repair to send with a frame; zero: none.
    public var parities: Int

    public init(parities: Int) { self.parities = parities }

    /// Packets of a frame that are thought of where its real size is not known: 720p at 1.8 Mbit/s.
    static let usualPackets = 8.0
    /// The chance that a frame is whole after the rounds that are waited for.
    static let confidence = 0.95
    /// Between the arrival of a hole and the request for it, and for the answer to be sent.
    static let roundOverhead = TimeDelta.milliseconds(15)
    /// Acknowledgements come so much later than they could, at the most.
    static let acknowledgementDelay = TimeDelta.milliseconds(20)
    /// The longest that is waited. A viewer has noticed by then.
    static let longestPatience = TimeDelta.seconds(1)

    /// How long after it was sent a frame that is not confirmed is worth waiting for: until requests for its packets
    /// would have made it whole in most cases, and that was heard.
    public static func framePatience(_ link: LinkState) -> TimeDelta {
        let loss = min(max(link.loss, 0.02), 0.9)
        var missing = usualPackets * loss
        var rounds = 0
        repeat {
            missing *= loss
            rounds += 1
        } while missing > 1 - confidence && rounds < 20
        let time = link.roundTrip + (link.roundTrip + roundOverhead) * Double(rounds) + acknowledgementDelay
        return min(time, max(longestPatience, link.roundTrip * 3))
    }
}

public import PetrelCore

/// How video is repaired towards peers that know the standards only, or while nothing better was agreed.
public struct InteropRepairPlan: Hashable, Sendable {
    /// Parity packets to send with a frame; zero: none.
    public var parities: Int
    /// Why, for statistics.
    public var reason: Reason

    /// What the number of parity packets follows from.
    public enum Reason: String, Hashable, Sendable {
        /// Nothing is lost, or so little that requests do better.
        case clean
        /// The round trip is so short that a request comes back in time.
        case shortRoundTrip
        /// As many as the loss asks for.
        case loss
        /// More would be of no use: the cap.
        case capped
    }

    public init(parities: Int, reason: Reason) { (self.parities, self.reason) = (parities, reason) }

    /// What a frame is worth: key frames are asked for last and protected best.
    public enum FrameClass: Hashable, Sendable { case key, longTerm, delta }

    /// Below this loss parity costs more than the requests it saves.
    static let leastLoss = 0.01
    /// Below this round trip a request is answered within a picture.
    static let shortRoundTrip = TimeDelta.milliseconds(20)
    /// Masks that peel need more parity than a code that recovers from any packets: so much over that one's, by size.
    static let smallFrameFactor = 1.35
    static let largeFrameFactor = 1.6
    /// Frames up to so many packets are small in this sense.
    static let smallFrame = 12
    /// Parity packets per packet at the most.
    static let cap = 2.0
    /// Requests come beside: what the first volley leaves incomplete, a round trip mends. One volley that leaves a
    /// hundredth incomplete costs twice what it saves.
    static let deltaFailure = 0.1
    static let longTermFailure = 0.03
    static let keyFailure = 0.01

    /// How many parity packets of the standard formats go with a frame.
    /// - Parameters:
    ///   - packets: of the frame.
    ///   - frame: what it is worth.
    public static func parity(packets: Int, frame: FrameClass, link: LinkState) -> InteropRepairPlan {
        guard packets > 0, link.loss >= leastLoss else { return InteropRepairPlan(parities: 0, reason: .clean) }
        guard link.roundTrip >= shortRoundTrip || frame == .key else {
            return InteropRepairPlan(parities: 0, reason: .shortRoundTrip)
        }
        let failure =
            switch frame {
            case .key: keyFailure
            case .longTerm: longTermFailure
            case .delta: deltaFailure
            }
        let ideal = RepairController.packets(toDeliver: packets, loss: link.loss, failure: failure) - packets
        let factor = packets <= smallFrame ? smallFrameFactor : largeFrameFactor
        let wanted = Int((Double(ideal) * factor).rounded(.up))
        let most = Int(Double(packets) * cap)
        return wanted > most
            ? InteropRepairPlan(parities: most, reason: .capped) : InteropRepairPlan(parities: wanted, reason: .loss)
    }

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
        // And one round more: it has few packets to bring, where a frame that leaves out the lost one is all new.
        let time = link.roundTrip + (link.roundTrip + roundOverhead) * Double(rounds + 1) + acknowledgementDelay
        return min(time, max(longestPatience, link.roundTrip * 3))
    }
}

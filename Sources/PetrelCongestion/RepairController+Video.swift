public import PetrelCore

// Pictures between two Petrel peers: how many packets of the sliding-window code go with a frame, and how many follow
// when the other side says what it lacks.
extension RepairController {
    /// The first volley of a frame, over the losses that are expected: some more, so that most frames need no second one;
    /// what one frame does not need, the code gives to the frames before it that still lack something.
    static let volleyFactor = 1.2
    /// The chance that a key frame does not arrive whole by its first volley.
    static let keyFrameFailure = 0.01
    /// The chance that the last volley for a frame leaves it incomplete. It may be large: the repair packets of the frames
    /// behind it cover it too, and the delay of the screen leaves them time.
    static let lastFailure = 0.1
    /// What comes back from the other side later than this after the round trip is late: the interval of its reports
    /// and one lost report.
    static let reportTime = TimeDelta.milliseconds(20)

    /// What a receiver waits for repair beyond the fastest arrival: one round trip for what it lacks, and the time that
    /// frames and reports take; more of it where reports are lost often.
    public static func playoutDelay(loss: Double, roundTrip: TimeDelta) -> TimeDelta {
        let more = max(0, min(most, loss) - 0.3) * 100
        return min(.milliseconds(400), roundTrip + .milliseconds(42 + more))
    }

    /// The delay that the other side is taken to have, by our own view of the path.
    public var playoutDelay: TimeDelta { Self.playoutDelay(loss: loss, roundTrip: roundTrip) }

    /// How many repair packets go with a frame of `packets` packets at once.
    /// - Parameter carry: the fraction that the frames before have left over; moved.
    public func firstVolley(packets: Int, isKeyFrame: Bool, carry: inout Double) -> Int {
        guard packets > 0, loss >= Self.least else { return 0 }
        if isKeyFrame {
            return Self.packets(toDeliver: packets, loss: loss, failure: Self.keyFrameFailure) - packets
        }
        carry += Self.volleyFactor * Double(packets) * loss / (1 - loss)
        let whole = carry.rounded(.down)
        carry -= whole
        return Int(whole)
    }

    /// How many more repair packets go out for frames that lack some.
    /// - Parameters:
    ///   - missing: packets that are lacking, and have no repair packet yet that came.
    ///   - inFlight: repair packets sent for them, of which nothing can be known yet.
    ///   - slack: how much later than now an answer could leave and still come in time; negative where it is too late
    ///     already.
    public func topUp(missing: Int, inFlight: Int, slack: TimeDelta) -> Int {
        guard missing > 0 else { return 0 }
        let loss = max(loss, reason == .nothingKnown ? Self.assumedLoss : Self.least)
        // There is time to see what comes of what is on its way.
        if slack > Self.reportTime {
            let lacking = Double(missing) - Double(inFlight) * (1 - loss)
            return lacking > 0 ? Int((lacking / (1 - loss)).rounded(.up)) : 0
        }
        return max(0, Self.packets(toDeliver: missing, loss: loss, failure: Self.lastFailure) - inFlight)
    }

    /// How many repair packets a media packet entitles the other side to: what the measured loss justifies, twice over,
    /// and a little where none is measured yet.
    public var allowance: Double {
        let loss = max(loss, reason == .nothingKnown ? Self.assumedLoss : 0)
        return min(Self.largestExpansion - 1, 0.25 + 2.2 * loss / (1 - loss))
    }

    /// The least number of packets of which `needed` arrive but for a chance of `failure`, each lost independently.
    static func packets(toDeliver needed: Int, loss: Double, failure: Double) -> Int {
        guard needed > 0 else { return 0 }
        let loss = max(0, min(most, loss))
        let limit = needed * 8 + 64
        // Exact as far as it is cheap; beyond, the binomial is normal.
        guard needed <= 32 else {
            let deviations = failure < 0.005 ? 2.75 : 2.33
            var count = needed
            while count < limit {
                let mean = Double(count) * (1 - loss)
                if mean - deviations * (mean * loss).squareRoot() >= Double(needed) - 0.5 { break }
                count += 1
            }
            return count
        }
        var count = needed
        while count < limit, chance(fewerThan: needed, of: count, loss: loss) > failure { count += 1 }
        return count
    }

    /// The chance that fewer than `needed` of `count` packets arrive.
    static func chance(fewerThan needed: Int, of count: Int, loss: Double) -> Double {
        guard loss > 0 else { return count < needed ? 1 : 0 }
        // The terms of the binomial, from no arrival on.
        var term = 1.0
        for _ in 0..<count { term *= loss }
        var sum = 0.0
        for arrived in 0..<min(needed, count + 1) {
            sum += term
            term *= Double(count - arrived) / Double(arrived + 1) * (1 - loss) / loss
        }
        return min(1, sum)
    }
}

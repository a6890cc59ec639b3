internal import PetrelCore

/// Sends the first key frame more than once on a lossy path.
///
/// Nothing can be shown before it is whole, and asking for its holes costs round trips that the first picture does not
/// have. How lossy the path is was learnt from the connectivity checks; on a clean path nothing is repeated.
struct OpeningRepair {
    struct Repeat {
        var stream: Int32
        var sequences: ClosedRange<Int64>
        var due: Instant
    }

    /// Between two repeats: longer than most bursts of loss on a radio link, shorter than the patience of a viewer.
    static let spacing = TimeDelta.milliseconds(10)
    /// The most repeats of each packet. More would fill a narrow link for longer than asking takes.
    static let mostCopies = 5
    /// The chance that the frame arrives whole without asking.
    static let confidence = 0.95
    /// Where the round trip is shorter, asking is nearly as fast as repeating, and costs less.
    static let longRoundTrip = TimeDelta.milliseconds(60)

    /// How long what was asked for again is answered with repeats, from the first key frame on.
    static let length = TimeDelta.milliseconds(1500)
    /// The least loss that is assumed where something was asked for again: that something was lost is known then.
    static let askedLoss = 0.2

    private(set) var pending: [Repeat] = []
    private(set) var isDone = false
    private var stream: Int32 = -1
    private var began = Instant.distantPast
    private var loss = 0.0

    /// The loss of one direction by what became of round trips before the first picture: connectivity checks, and
    /// flights of the handshake, each of which was lost once for every repeat it took. Zero where none was lost.
    static func loss(checksSent: Int, checksAnswered: Int, flights: Int = 0, repeats: Int = 0) -> Double {
        // The last check may still be on its way.
        let settled = max(0, checksSent - 1)
        let lost = max(0, settled - checksAnswered) + max(0, repeats)
        let all = settled + flights + max(0, repeats)
        guard lost > 0 else { return 0 }
        // A handful of samples: one more lost than seen (the rule of succession), and both directions alike.
        let share = 1 - Double(lost + 1) / Double(all + 2)
        return 1 - share.squareRoot()
    }

    /// How many repeats answer a request for `packets` packets of `stream`, besides the one asked for.
    func repeats(packets: Int, of stream: Int32, roundTrip: TimeDelta, now: Instant) -> Int {
        guard stream == self.stream, now - began < Self.length, roundTrip >= Self.longRoundTrip else { return 0 }
        return Self.copies(packets: packets, loss: max(loss, Self.askedLoss), roundTrip: roundTrip)
    }

    /// How often each of `packets` packets is repeated so that all arrive with the wanted ``confidence``.
    static func copies(packets: Int, loss: Double, roundTrip: TimeDelta) -> Int {
        guard loss > 0, packets > 0 else { return 0 }
        guard roundTrip >= longRoundTrip else { return 1 }
        // The packets expected to be missing after each sending of all.
        var missing = Double(packets) * min(loss, 0.9)
        var copies = 0
        while missing > 1 - confidence, copies < mostCopies {
            missing *= min(loss, 0.9)
            copies += 1
        }
        return max(1, copies)
    }

    /// Plans the repeats of the first key frame.
    mutating func plan(
        stream: Int32, sequences: ClosedRange<Int64>, loss: Double, roundTrip: TimeDelta, now: Instant
    ) {
        isDone = true
        (self.stream, began, self.loss) = (stream, now, loss)
        let copies = Self.copies(packets: sequences.count, loss: loss, roundTrip: roundTrip)
        for copy in 0..<copies {
            pending.append(Repeat(stream: stream, sequences: sequences, due: now + Self.spacing * (copy + 1)))
        }
    }

    mutating func takeDue(now: Instant) -> Repeat? {
        guard let first = pending.first, first.due <= now else { return nil }
        return pending.removeFirst()
    }

    var nextDeadline: Instant { pending.first?.due ?? .distantFuture }
}

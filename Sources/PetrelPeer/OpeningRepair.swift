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
    /// The share of checks answered below which the path counts as lossy: 0.85 is 8 % loss each way.
    static let cleanShare = 0.85

    private(set) var pending: [Repeat] = []
    private(set) var isDone = false

    /// Plans the repeats of the first key frame.
    mutating func plan(
        stream: Int32, sequences: ClosedRange<Int64>, checksSent: Int, checksAnswered: Int, now: Instant
    ) {
        isDone = true
        // Two checks in flight are not lost yet.
        let settled = max(1, checksSent - 2)
        let share = min(1, Double(checksAnswered) / Double(settled))
        guard checksSent >= 4, share < Self.cleanShare else { return }
        let copies = share > 0.6 ? 1 : share > 0.35 ? 2 : 3
        for copy in 1...copies {
            pending.append(Repeat(stream: stream, sequences: sequences, due: now + Self.spacing * copy))
        }
    }

    mutating func takeDue(now: Instant) -> Repeat? {
        guard let first = pending.first, first.due <= now else { return nil }
        return pending.removeFirst()
    }

    /// The other side has the frame.
    mutating func cancel() { pending.removeAll() }

    var nextDeadline: Instant { pending.first?.due ?? .distantFuture }
}

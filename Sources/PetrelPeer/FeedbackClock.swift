internal import PetrelCore
internal import PetrelWire

/// Turns the 24-bit reference times of transport-wide feedback into one line of time on the receiver's clock.
struct FeedbackClock {
    private var last: (reference: Int32, time: Instant)?

    /// The instant, on the receiver's clock counted from the first report, that a report's deltas begin at.
    mutating func base(of feedback: TransportFeedback) -> Instant {
        guard let last else {
            let start = Instant.zero + .seconds(1000)
            self.last = (feedback.referenceTime, start)
            return start
        }
        let time = last.time + feedback.referenceTime(since: last.reference)
        if time > last.time { self.last = (feedback.referenceTime, time) }
        return time
    }
}

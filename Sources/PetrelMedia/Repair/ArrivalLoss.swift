internal import PetrelCongestion
internal import PetrelCore

/// The loss of one stream as its receiver sees it, and the delay that repair needs for it.
struct ArrivalLoss {
    /// Packets are judged together for so long.
    static let slot = TimeDelta.milliseconds(500)
    /// The share that the newest slot has in the mean.
    static let weight = 0.25
    /// The delay for repair is kept while more than this is lost...
    static let beginning = 0.01
    /// ...and until less than this was lost in the mean.
    static let end = 0.003

    private var began: Instant?
    private var first: Int64 = 0
    private var highest: Int64 = 0
    private var packets: Int64 = 0
    private(set) var loss: Double?
    private var isLossy = false
    private var roundTrip = TimeDelta.milliseconds(100)

    /// A packet came as it was sent, not by repair.
    mutating func received(_ sequence: Int64, now: Instant) {
        guard let began else {
            (self.began, first, highest, packets) = (now, sequence, sequence, 1)
            return
        }
        packets += 1
        highest = max(highest, sequence)
        let passed = now - began
        let expected = highest - first + 1
        // The first judgement comes soon: what waits for it is the first picture.
        guard passed >= Self.slot || loss == nil && expected >= 16 else { return }
        let lost = Double(max(0, expected - packets)) / Double(max(1, expected))
        loss = loss.map { $0 + Self.weight * (lost - $0) } ?? lost
        let mean = loss ?? 0
        isLossy = isLossy ? mean > Self.end : mean > Self.beginning
        (self.began, first, packets) = (now, highest + 1, 0)
    }

    mutating func note(roundTrip: TimeDelta) { self.roundTrip = roundTrip }

    /// The delay that repair needs, beyond the fastest arrival; zero where nothing is lost.
    var playoutDelay: TimeDelta {
        isLossy ? RepairController.playoutDelay(loss: loss ?? 0, roundTrip: roundTrip) : .zero
    }
}

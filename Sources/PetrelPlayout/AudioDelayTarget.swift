/// How much delay arrival jitter asks for: quantiles of the lateness of packets against the fastest of the last
/// two seconds. All lengths are 48 kHz ticks.
///
/// Two distributions, because they answer two questions. The worst lateness of each half second says how long the
/// buffer must wait for packets that come in order. Packets that come out of order (retransmitted, recovered,
/// rerouted) are worth waiting for only while one percent less loss costs no more than 40 ms of delay.
struct AudioDelayTarget: Sendable {
    /// The interval whose worst lateness counts once: 500 ms.
    static let interval: Int64 = 24_000
    /// The window of the baseline: 2 s.
    static let window: Int64 = 96_000
    /// The width of a bucket for packets in order: 1 ms.
    private static let bucket: Int64 = 48
    /// The width of a bucket for packets out of order: 20 ms.
    private static let reorderBucket: Int64 = 960
    /// The share of half seconds in which every packet shall be in time.
    private static let quantile = 0.95
    /// What one percent of loss may cost: 40 ms, two buckets.
    private static let costPerLostShare = 200.0

    private var baseline = ArrivalBaseline(window: AudioDelayTarget.window)
    private var worst = DelayHistogram(bucketCount: 1024, forgetFactor: 0.9)
    private var reordered = DelayHistogram(bucketCount: 64, forgetFactor: 0.9993)
    private var intervalStart: Int64?
    private var intervalWorst: Int64 = 0
    /// The buckets added in the last window, newest first: they are corrected when the baseline turns out higher.
    private var recent = InlineArray<4, Int>(repeating: 0)
    private var recentCount = 0
    private let start: Int64
    /// What is added to the quantile against the error of the baseline and the width of a bucket: 1.5 ms.
    private static let margin: Int64 = 72

    /// The delay that jitter asks for.
    private(set) var ticks: Int64
    /// The part of it that packets in order ask for.
    private(set) var inOrder: Int64
    /// The share of packets that never came, over the last hundred or so.
    private(set) var lostShare = 0.0

    init(start: Int64) {
        self.start = start
        ticks = start
        inOrder = start
    }

    /// Arrival time less media time of the fastest recent packet; nil before the first.
    var base: Int64? { baseline.value }

    mutating func arrived(offset: Int64, at arrival: Int64, inOrder: Bool) {
        let before = baseline.value
        baseline.update(offset: offset, at: arrival)
        guard let base = baseline.value else { return }
        if let before, base - before > Self.bucket { raise(by: base - before) }
        let lateness = max(0, offset - base)
        if inOrder {
            if let started = intervalStart, arrival - started >= Self.interval {
                close()
                intervalStart = arrival
                intervalWorst = 0
            } else if intervalStart == nil {
                intervalStart = arrival
            }
            intervalWorst = max(intervalWorst, lateness)
        }
        reordered.add(inOrder ? 0 : Int(min(lateness / Self.reorderBucket + 1, 1 << 20)))
        if !inOrder { update() }
    }

    mutating func played() { lostShare *= 1 - 1.0 / 128 }

    mutating func lost(_ packets: Int) {
        for _ in 0..<min(64, max(0, packets)) { lostShare += (1 - lostShare) / 128 }
    }

    mutating func reset(keepingJitter: Bool) {
        baseline.reset()
        intervalStart = nil
        intervalWorst = 0
        recentCount = 0
        if !keepingJitter {
            worst.reset()
            reordered.reset()
            ticks = start
            inOrder = start
        }
    }

    private mutating func close() {
        let index = Int(min(intervalWorst / Self.bucket, 1 << 20))
        worst.add(index)
        recent[3] = recent[2]
        recent[2] = recent[1]
        recent[1] = recent[0]
        recent[0] = index
        recentCount = min(4, recentCount + 1)
        update()
    }

    /// The path became longer: what looked late in the last window was the new normal.
    private mutating func raise(by rise: Int64) {
        let buckets = Int(min(rise / Self.bucket, 1 << 20))
        for age in 0..<recentCount where recent[age] > 0 {
            let corrected = max(0, recent[age] - buckets)
            worst.move(from: recent[age], to: corrected, age: age)
            recent[age] = corrected
        }
        intervalWorst = max(0, intervalWorst - rise)
        update()
    }

    private mutating func update() {
        guard !worst.isEmpty else { return }
        inOrder = Int64(worst.quantile(Self.quantile) + 1) * Self.bucket + Self.margin
        let base = Int(inOrder / Self.reorderBucket)
        let outOfOrder =
            Int64(reordered.leastCost(base: base, delayCost: 1, lossCost: Self.costPerLostShare)) * Self.reorderBucket
        ticks = max(inOrder, outOfOrder)
    }
}

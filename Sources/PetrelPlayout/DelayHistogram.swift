/// How often each delay occurred, old observations forgotten exponentially: what the delay targets of both media
/// read their quantiles from.
///
/// The forgetting factor starts low and rises to its final value, so that the first observations already form a
/// distribution (n observations weigh like n, until n reaches the memory of the final factor).
struct DelayHistogram: Sendable {
    /// The number of buckets; what lies beyond counts for the last one.
    let bucketCount: Int
    private let forgetFactor: Double
    private var shares: [Double]
    private var observations = 0.0

    /// - Parameters:
    ///   - bucketCount: the number of buckets; the caller chooses their width.
    ///   - forgetFactor: the weight that an observation keeps at each later one, below 1.
    init(bucketCount: Int, forgetFactor: Double) {
        self.bucketCount = max(2, bucketCount)
        self.forgetFactor = min(0.99999, max(0, forgetFactor))
        shares = Array(repeating: 0, count: self.bucketCount)
    }

    var isEmpty: Bool { observations == 0 }

    /// The share of the newest observation at this moment.
    private var newestShare: Double { max(1 - forgetFactor, 1 / (observations + 1)) }

    mutating func add(_ bucket: Int) {
        let share = newestShare
        observations += 1
        let keep = 1 - share
        for index in shares.indices { shares[index] *= keep }
        shares[clamped(bucket)] += share
    }

    /// Moves the weight of an observation that was added `age` observations ago: it turned out to have meant
    /// another delay.
    mutating func move(from bucket: Int, to other: Int, age: Int) {
        guard observations > 0 else { return }
        var weight = max(1 - forgetFactor, 1 / observations)
        for _ in 0..<max(0, age) { weight *= forgetFactor }
        let source = clamped(bucket)
        weight = min(weight, shares[source])
        shares[source] -= weight
        shares[clamped(other)] += weight
    }

    /// Moves everything `buckets` down; what would fall below the first bucket counts for it.
    mutating func shiftDown(by buckets: Int) {
        guard buckets > 0 else { return }
        for index in 1..<bucketCount {
            let share = shares[index]
            shares[index] = 0
            shares[max(0, index - buckets)] += share
        }
    }

    /// The least bucket with at most `1 - probability` of the weight above it.
    func quantile(_ probability: Double) -> Int {
        var above = 1 - probability
        var index = bucketCount - 1
        while index > 0 {
            above -= shares[index]
            if above < 0 { return index }
            index -= 1
        }
        return 0
    }

    /// The bucket at which `bucket * delayCost + share above it * lossCost` is least, counted from `base`.
    func leastCost(base: Int, delayCost: Double, lossCost: Double) -> Int {
        var above = 1.0
        var best = 0
        var bestCost = Double.infinity
        for index in shares.indices {
            above = max(0, above - shares[index])
            let cost = delayCost * Double(max(0, index - base)) + lossCost * above
            if cost < bestCost - 1e-9 {
                bestCost = cost
                best = index
            }
        }
        return best
    }

    mutating func reset() {
        for index in shares.indices { shares[index] = 0 }
        observations = 0
    }

    private func clamped(_ bucket: Int) -> Int { min(bucketCount - 1, max(0, bucket)) }
}

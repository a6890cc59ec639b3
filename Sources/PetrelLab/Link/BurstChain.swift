internal import PetrelCore

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// The two-state chain of Gilbert and Elliott with certain loss in the bad state and none in the good one.
struct BurstChain: Sendable {
    private(set) var isBad = false
    private var hasBegun = false
    private var last = Instant.zero

    /// Takes one step.
    /// - Parameters:
    ///   - share: the part of packets or time in the bad state, 0 to 0.99.
    ///   - time: when the packet is on the wire; only a chain in time looks at it.
    ///   - draw: a uniform random number in 0..<1.
    mutating func step(share: Double, burst: LinkConditions.BurstLength, time: Instant, draw: Double) -> Bool {
        let elapsed = max(0, (time - last).nanoseconds)
        last = max(last, time)
        guard share > 0 else {
            isBad = false
            return false
        }
        guard hasBegun else {
            hasBegun = true
            isBad = draw < share
            return isBad
        }
        switch burst {
        case .packets(let packets):
            let leave = 1 / max(1, packets)
            isBad = isBad ? draw >= leave : draw < leave * share / (1 - share)
        case .time(let time):
            // A Markov chain in continuous time forgets its state with the sum of both rates:
            // 1 / burst out of the bad state, share / (1 - share) / burst into it.
            let sum = 1 / (Double(max(1, time.nanoseconds)) * (1 - share))
            let memory = exp(-Double(elapsed) * sum)
            isBad = draw < share + ((isBad ? 1 : 0) - share) * memory
        }
        return isBad
    }
}

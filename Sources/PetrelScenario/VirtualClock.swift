internal import PetrelCore

/// The clock of one endpoint: it begins where it likes and runs as fast as it likes.
struct VirtualClock {
    let start: Instant
    let rate: Double

    init(_ side: VirtualCallConfiguration.Side) {
        start = .zero + side.clockStart
        rate = 1 + side.clockDriftPPM / 1e6
    }

    /// What this clock shows at the true time `time`.
    func local(_ time: Instant) -> Instant {
        rate == 1 ? start + (time - .zero) : start + (time - .zero) * rate
    }

    /// The true time at which this clock shows `local`, rounded up: never before it does.
    func global(_ local: Instant) -> Instant {
        guard local != .distantFuture else { return .distantFuture }
        let elapsed = local - start
        return rate == 1 ? .zero + elapsed : .zero + elapsed * (1 / rate) + TimeDelta(nanoseconds: 1)
    }
}

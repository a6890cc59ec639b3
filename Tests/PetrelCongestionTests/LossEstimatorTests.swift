import PetrelCongestion
import PetrelCore
import Testing

@Suite("Loss estimator")
struct LossEstimatorTests {
    private func feed(
        _ estimator: inout LossEstimator, from: Instant, seconds: Double, rate: Double = 200,
        _ lost: (inout RandomSource) -> Bool
    ) -> Instant {
        var random = RandomSource(seed: 7)
        var now = from
        for _ in 0..<Int(seconds * rate) {
            now += .seconds(1 / rate)
            estimator.add(lost: lost(&random), sent: now)
        }
        return now
    }

    @Test("A clean path has no loss", arguments: [1.0, 10.0])
    func clean(seconds: Double) {
        var estimator = LossEstimator()
        _ = feed(&estimator, from: .zero, seconds: seconds) { _ in false }
        let state = estimator.state(roundTrip: .milliseconds(40))
        #expect(state.loss == 0 && state.recentLoss == 0 && state.burst == 1)
        #expect(state.roundTrip == .milliseconds(40))
    }

    @Test("Independent losses: the share, with runs of 1/(1-p)", arguments: [0.05, 0.1, 0.3, 0.5, 0.7])
    func independent(share: Double) {
        var estimator = LossEstimator()
        _ = feed(&estimator, from: .zero, seconds: 20) { $0.unit() < share }
        let state = estimator.state(roundTrip: .milliseconds(40))
        // 100 packets a slot: the 80th percentile lies a deviation above the mean.
        let deviation = (share * (1 - share) / 100).squareRoot()
        #expect(state.loss > share - deviation && state.loss < share + 3.5 * deviation)
        #expect(abs(state.burst - 1 / (1 - share)) < 0.25 / (1 - share))
        #expect(abs(state.packetRate - 200) < 5)
    }

    @Test("Losses in runs of eight are told from independent ones of the same share")
    func runs() {
        var estimator = LossEstimator()
        var isBad = false
        _ = feed(&estimator, from: .zero, seconds: 30) { random in
            // Gilbert's two states: 30 % of the time in the bad one, left after 8 packets in the mean.
            isBad = random.unit() < (isBad ? 1 - 1 / 8 : 0.3 / 0.7 / 8)
            return isBad
        }
        let state = estimator.state(roundTrip: .milliseconds(40))
        #expect(state.burst > 5 && state.burst < 12)
        #expect(state.burstDuration > .milliseconds(25) && state.burstDuration < .milliseconds(60))
    }

    @Test("A wall is noticed within half a second, and reckoned with for some seconds after")
    func step() {
        var estimator = LossEstimator()
        var now = feed(&estimator, from: .zero, seconds: 10) { _ in false }
        now = feed(&estimator, from: now, seconds: 0.5) { $0.unit() < 0.3 }
        #expect(estimator.state(roundTrip: .zero).loss > 0.15)
        now = feed(&estimator, from: now, seconds: 2) { $0.unit() < 0.3 }
        now = feed(&estimator, from: now, seconds: 1) { _ in false }
        #expect(estimator.state(roundTrip: .zero).loss > 0.2)
        #expect(estimator.state(roundTrip: .zero).recentLoss < 0.1)
        now = feed(&estimator, from: now, seconds: 6) { _ in false }
        #expect(estimator.state(roundTrip: .zero).loss < 0.01)
    }

    @Test("Gaps and clocks that go back do no harm")
    func odd() {
        var estimator = LossEstimator()
        estimator.add(lost: true, sent: .zero + .seconds(100))
        estimator.add(lost: false, sent: .zero)
        estimator.add(lost: false, sent: .zero + .seconds(1_000_000))
        let state = estimator.state(roundTrip: .zero)
        #expect(state.loss >= 0 && state.loss <= 1 && state.burst >= 1 && state.packetRate >= 0)
    }
}

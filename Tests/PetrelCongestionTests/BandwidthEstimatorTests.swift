import PetrelCongestion
import PetrelCore
import Testing

/// A sender that follows its estimator over a link of a given rate, with a queue, loss and jitter.
private struct Path {
    var estimator: BandwidthEstimator
    var random = SeededGenerator(seed: 9)
    var capacity: DataRate
    var queueLimit = TimeDelta.milliseconds(300)
    var loss = 0.0
    var jitter = 0.0
    var isCut = false
    private var busyUntil = Instant.zero
    private(set) var now = Instant.zero
    private(set) var queue = TimeDelta.zero

    init(_ capacity: Int) {
        self.capacity = .kilobitsPerSecond(capacity)
        estimator = BandwidthEstimator()
    }

    /// Sends at the target rate for `seconds`; feedback comes every 50 ms, a round trip of 40 ms later.
    mutating func run(_ seconds: Double, sending share: Double = 1) {
        let end = now + .seconds(seconds)
        var results: [PacketResult] = []
        var next = now + .milliseconds(50)
        while now < end {
            let gap = (estimator.target * share).time(forBytes: 1200)
            now += min(gap, .milliseconds(50))
            queue = max(.zero, busyUntil - now)
            var arrived: Instant?
            if queue < queueLimit {
                busyUntil = max(busyUntil, now) + capacity.time(forBytes: 1200)
                if random.unit() >= loss { arrived = busyUntil + .milliseconds(20 + random.unit() * jitter) }
            }
            results.append(PacketResult(sent: now, arrived: arrived, bytes: 1200))
            guard now >= next else { continue }
            next = now + .milliseconds(50)
            if isCut {
                estimator.tick(now: now)
            } else {
                estimator.update(results, roundTrip: .milliseconds(40), now: now)
            }
            results = []
        }
    }
}

@Suite struct BandwidthEstimatorTests {
    @Test func aQueueIsFoundAndEmptied() {
        var path = Path(1000)
        path.run(1.5)
        #expect(path.estimator.target.kilobitsPerSecond < 1300)
        var worst = TimeDelta.zero
        path.run(3)
        for _ in 0..<50 {
            path.run(0.1)
            worst = max(worst, path.queue)
        }
        #expect(worst < .milliseconds(150), "\(worst)")
        #expect(path.estimator.target.kilobitsPerSecond >= 550)
        #expect(path.estimator.target.kilobitsPerSecond <= 1300)
    }

    @Test func aStandingQueueIsNotTakenForThePath() {
        // The queue is short and full at once: its delay does not grow, and yet it stands.
        var path = Path(1500)
        path.queueLimit = .milliseconds(120)
        path.run(6)
        #expect(path.queue < .milliseconds(100), "\(path.queue)")
        #expect(path.estimator.target.kilobitsPerSecond < 1900)
    }

    @Test func randomLossIsWeather() {
        var path = Path(50_000)
        path.loss = 0.3
        path.jitter = 3
        path.run(5)
        #expect(path.estimator.target.kilobitsPerSecond >= 2500)
        #expect((0.2...0.4).contains(path.estimator.lossRate))
    }

    @Test func jitterAloneLowersNothing() {
        var path = Path(50_000)
        path.jitter = 20
        path.run(8)
        #expect(path.estimator.target.kilobitsPerSecond >= 2400, "\(path.estimator.target)")
    }

    @Test func silenceHalvesAndIsRecoveredFrom() {
        var path = Path(50_000)
        path.run(2)
        let before = path.estimator.target.kilobitsPerSecond
        path.isCut = true
        path.run(1.3)
        #expect(path.estimator.target.kilobitsPerSecond <= before * 0.55)
        path.run(9)
        #expect(path.estimator.target.kilobitsPerSecond <= 150)
        path.isCut = false
        path.run(0.3)
        let restart = path.estimator.target.kilobitsPerSecond
        #expect(restart <= before * 0.5, "at most half of before at first")
        #expect(restart >= before * 0.3)
        path.run(2)
        #expect(path.estimator.target.kilobitsPerSecond >= before * 0.95)
    }

    @Test func theRateStaysWithinItsBounds() {
        var settings = BandwidthEstimator.Configuration()
        settings.minimum = .kilobitsPerSecond(300)
        settings.start = .kilobitsPerSecond(10)
        settings.maximum = .kilobitsPerSecond(400)
        var estimator = BandwidthEstimator(configuration: settings)
        #expect(estimator.target == settings.minimum)
        var now = Instant.zero
        for step in 0..<2000 {
            now += .milliseconds(10)
            estimator.update(
                [PacketResult(sent: now, arrived: step % 3 == 0 ? nil : now + .milliseconds(step), bytes: 1200)],
                roundTrip: .zero, now: now)
            #expect(estimator.target >= settings.minimum && estimator.target <= settings.maximum)
        }
        // Times from nowhere: nothing may trap.
        for time in [Instant.distantPast, .distantFuture, .zero] {
            estimator.update(
                [PacketResult(sent: time, arrived: .distantFuture, bytes: .max / 2)], roundTrip: .zero, now: now)
            estimator.update(
                [PacketResult(sent: time, arrived: .distantPast, bytes: 0)], roundTrip: .infinite, now: now)
        }
    }
}

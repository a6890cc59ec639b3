import PetrelCongestion
import PetrelCore
import PetrelWire
import Testing

@Suite struct ReceiverEstimatorTests {
    /// Packets of 1200 octets at `rate` over a link of `capacity` with a queue, seen at its end.
    struct Flow {
        var estimator = ReceiverEstimator(configuration: BandwidthEstimator.Configuration())
        var now = Instant.zero + .seconds(5)
        var free = Instant.zero
        var reports: [(at: Instant, rate: DataRate)] = []

        mutating func run(_ seconds: Double, rate: DataRate, capacity: DataRate) {
            let end = now + .seconds(seconds)
            while now < end {
                now += rate.time(forBytes: 1200)
                free = max(free, now) + capacity.time(forBytes: 1200)
                let arrival = free + .milliseconds(20)
                estimator.add(
                    sent: AbsSendTime(now), bytes: 1200, roundTrip: .milliseconds(40), now: arrival)
                if let told = estimator.report(now: arrival) { reports.append((arrival, told)) }
            }
        }
    }

    @Test func aQueueLowersTheEstimateAndAFreePathDoesNot() {
        var narrow = Flow()
        narrow.run(3, rate: .kilobitsPerSecond(1500), capacity: .kilobitsPerSecond(1000))
        #expect(narrow.estimator.rate < .kilobitsPerSecond(1100), "\(narrow.estimator.rate)")
        var wide = Flow()
        wide.run(3, rate: .kilobitsPerSecond(1500), capacity: .kilobitsPerSecond(10_000))
        #expect(wide.estimator.rate >= .kilobitsPerSecond(2000), "\(wide.estimator.rate)")
    }

    /// The send time wraps every 64 s, and seconds of nothing may lie anywhere.
    @Test func wrapsAndSilencesAreNoQueue() {
        var flow = Flow()
        flow.run(130, rate: .kilobitsPerSecond(500), capacity: .kilobitsPerSecond(10_000))
        let rate = flow.estimator.rate
        flow.now += .seconds(40)
        flow.run(5, rate: .kilobitsPerSecond(500), capacity: .kilobitsPerSecond(10_000))
        #expect(flow.estimator.rate >= rate)
    }

    @Test func reportsComeOnceASecondAndFallsAtOnce() throws {
        var flow = Flow()
        flow.run(10, rate: .kilobitsPerSecond(1000), capacity: .kilobitsPerSecond(10_000))
        #expect((10...11).contains(flow.reports.count), "\(flow.reports.count)")
        flow.reports = []
        flow.run(2, rate: .kilobitsPerSecond(2000), capacity: .kilobitsPerSecond(500))
        #expect(flow.reports.count > 3, "\(flow.reports.count)")
        // Who hears nothing for a while says nothing.
        #expect(flow.estimator.nextDeadline < flow.free + .seconds(3))
        for second in 1...10 { _ = flow.estimator.report(now: flow.free + .seconds(Double(second))) }
        #expect(flow.estimator.nextDeadline == .distantFuture)
    }

    @Test func anythingInTheSendTimeStaysWithinTheBounds() {
        var random = SeededGenerator(seed: 3)
        var estimator = ReceiverEstimator(configuration: BandwidthEstimator.Configuration())
        var now = Instant.zero
        for _ in 0..<20_000 {
            now += .microseconds(Int(random.next() % 5000))
            estimator.add(
                sent: AbsSendTime(bits: UInt32(truncatingIfNeeded: random.next())), bytes: 1200,
                roundTrip: .milliseconds(Int(random.next() % 1000)), now: now)
            _ = estimator.report(now: now)
        }
        #expect((100...6000).contains(estimator.rate.kilobitsPerSecond))
    }
}

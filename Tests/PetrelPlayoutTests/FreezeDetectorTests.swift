import PetrelCore
import PetrelPlayout
import Testing

@Suite struct FreezeDetectorTests {
    /// Renders frames at these gaps in milliseconds, after one at 1 s.
    private func detector(_ gaps: [Int]) -> FreezeDetector {
        var detector = FreezeDetector()
        var now = Instant.zero + .seconds(1)
        detector.rendered(at: now)
        for gap in gaps {
            now += .milliseconds(gap)
            detector.rendered(at: now)
        }
        return detector
    }

    @Test func `a freeze starts at d + 150 ms for short gaps`() {
        // d = 33 ms: 3 d = 99, d + 150 = 183.
        let steady = Array(repeating: 33, count: 60)
        #expect(detector(steady + [182]).freezeCount == 0)
        #expect(detector(steady + [183]).freezeCount == 1)
        #expect(detector(steady + [183]).totalFreezesDuration == .milliseconds(183))
        #expect(detector(steady + [182]).hitchCount == 1)
    }

    @Test func `a freeze starts at 3 d for long gaps`() {
        // d = 200 ms: 3 d = 600, d + 150 = 350.
        let steady = Array(repeating: 200, count: 60)
        #expect(detector(steady + [599]).freezeCount == 0)
        #expect(detector(steady + [600]).freezeCount == 1)
    }

    @Test func `the mean has thirty gaps, and the freeze itself joins it`() {
        // After one gap of 1000 among 29 of 33: d = 65.23, threshold 215.2.
        let after = Array(repeating: 33, count: 60) + [1000]
        #expect(detector(after + [215]).freezeCount == 1)
        #expect(detector(after + [216]).freezeCount == 2)
        // Thirty gaps later it has left the mean.
        #expect(detector(after + Array(repeating: 33, count: 30) + [183]).freezeCount == 2)
        #expect(detector(after + Array(repeating: 33, count: 29) + [183]).freezeCount == 1)
    }

    @Test func `too few gaps are no measure`() {
        #expect(detector([33, 33, 33, 33, 5000]).freezeCount == 0)
        #expect(detector([33, 33, 33, 33, 33, 5000]).freezeCount == 1)
    }

    @Test func `a pause is no freeze, and a wait is one before it ends`() {
        var paused = detector(Array(repeating: 33, count: 40))
        let end = Instant.zero + .milliseconds(1000 + 33 * 40)
        #expect(!paused.isFrozen(at: end + .milliseconds(182)))
        #expect(paused.isFrozen(at: end + .milliseconds(183)))
        paused.pause()
        paused.rendered(at: end + .seconds(10))
        #expect(paused.freezeCount == 0)
        // Time that runs backwards, and the ends of the clock, do no harm.
        paused.rendered(at: .distantPast)
        paused.rendered(at: .distantFuture)
        paused.rendered(at: .zero)
        #expect(paused.framesRendered == 45)
    }
}

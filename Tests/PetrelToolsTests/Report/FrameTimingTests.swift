import PetrelTools
import Testing

@Suite struct FrameTimingTests {
    @Test func evenPicturesHaveNoFreeze() throws {
        let times = (0...300).map { Double($0) * 100 / 3 }
        let timing = FrameTiming(renderTimesMs: times, endMs: 0)
        #expect(abs(try #require(timing.fps) - 30) < 1e-9)
        #expect(abs(try #require(timing.fpsP5) - 30) <= 1)
        #expect(timing.freezes.isEmpty)
        #expect(abs(try #require(timing.longestGapMs) - 100 / 3) < 1e-6)
    }

    @Test func freezeIsAGapAboveTheMeanAnd150Milliseconds() {
        // Mean gap 40 ms: the limit is max(120, 190) = 190 ms.
        func freezes(gap: Double) -> Int {
            var times = (0...40).map { Double($0) * 40 }
            times.append(times[40] + gap)
            times.append(times[41] + 40)
            return FrameTiming(renderTimesMs: times, endMs: 0).freezes.count
        }
        #expect(freezes(gap: 189) == 0)
        #expect(freezes(gap: 191) == 1)
    }

    @Test func slowPicturesFreezeAtThreeTimesTheMean() {
        // Mean gap 200 ms: the limit is max(600, 350) = 600 ms.
        func freezes(gap: Double) -> Int {
            var times = (0...40).map { Double($0) * 200 }
            times.append(times[40] + gap)
            return FrameTiming(renderTimesMs: times, endMs: 0).freezes.count
        }
        #expect(freezes(gap: 599) == 0)
        #expect(freezes(gap: 601) == 1)
    }

    @Test func onlyTheLastThirtyGapsMakeTheMean() {
        // 100 gaps of 200 ms, then 30 of 40 ms: the old ones are forgotten.
        var times = [0.0]
        for _ in 0..<100 { times.append(times[times.count - 1] + 200) }
        for _ in 0..<30 { times.append(times[times.count - 1] + 40) }
        times.append(times[times.count - 1] + 195)
        #expect(FrameTiming(renderTimesMs: times, endMs: 0).freezes.count == 1)
    }

    @Test func standingPictureAtTheEndIsAFreeze() throws {
        let times = (0...60).map { Double($0) * 40 }
        let timing = FrameTiming(renderTimesMs: times, endMs: 2400 + 1000)
        #expect(timing.freezes.count == 1)
        #expect(timing.freezes.first?.startMs == 2400)
        #expect(timing.longestGapMs == 1000)
        #expect(try #require(timing.fps) < 18)
    }

    @Test func worstSecondsShowInFpsP5() throws {
        // 20 s at 30 fps with one second of 10 fps: P5 of 20 windows lies just above the worst window.
        var times: [Double] = []
        for second in 0..<20 {
            let count = second == 7 ? 10 : 30
            for frame in 0..<count { times.append(Double(second) * 1000 + Double(frame) * 1000 / Double(count)) }
        }
        let p5 = try #require(FrameTiming(renderTimesMs: times, endMs: 20_000).fpsP5)
        #expect(p5 > 10 && p5 < 30)
        #expect(abs(p5 - 29) < 0.01)  // position 0.95 between the ranks 10 and 30
    }

    @Test func nothingShownIsUnknown() {
        let timing = FrameTiming(renderTimesMs: [], endMs: 1000)
        #expect(timing.fps == nil && timing.fpsP5 == nil && timing.longestGapMs == nil && timing.freezes.isEmpty)
    }
}

@Suite struct PercentilesTests {
    @Test func interpolatesBetweenRanks() throws {
        let values = Percentiles((1...100).shuffled().map(Double.init))
        #expect(values(0) == 1 && values(100) == 100)
        #expect(abs(try #require(values(50)) - 50.5) < 1e-9)
        #expect(abs(try #require(values(95)) - 95.05) < 1e-9)
        #expect(abs(try #require(values(99)) - 99.01) < 1e-9)
    }

    @Test func noValuesIsUnknown() {
        #expect(Percentiles([])(50) == nil)
        #expect(Percentiles([.nan])(50) == nil)
        #expect(Percentiles([7])(99) == 7)
    }
}

import PetrelCore
import Testing

@testable import PetrelPlayout

@Suite struct VideoTimelineTests {
    @Test func `render times keep the camera's rhythm`() {
        var timeline = VideoTimeline()
        var random = SeededGenerator(seed: 2)
        var renders: [Instant] = []
        for index in 0..<900 {
            let capture = Instant.zero + .milliseconds(Double(index) * 40)
            let arrival = capture + .milliseconds(30 + 20 * random.unit())
            renders.append(timeline.insert(timestamp: Int64(index) * 3600, size: 5000, arrival: arrival))
        }
        let gaps = zip(renders, renders.dropFirst()).suffix(400).map { ($1 - $0).milliseconds }
        #expect(gaps.count { abs($0 - 40) < 1 } > 350)
        #expect(timeline.jitterDelay > .milliseconds(15) && timeline.jitterDelay < .milliseconds(24))
    }

    @Test func `large key frames do not raise the delay`() {
        var timeline = VideoTimeline()
        for index in 0..<900 {
            let isKey = index % 15 == 0
            let arrival = Instant.zero + .milliseconds(Double(index) * 33 + (isKey ? 60 : 20))
            _ = timeline.insert(timestamp: Int64(index) * 2970, size: isKey ? 60_000 : 5000, arrival: arrival)
        }
        #expect(timeline.jitterDelay <= .milliseconds(2))
    }

    @Test func `frames that wait for repairs raise it once they are more than one in twenty`() {
        for (share, expected) in [(50, false), (8, true)] {
            var timeline = VideoTimeline()
            for index in 0..<900 {
                let arrival = Instant.zero + .milliseconds(Double(index) * 33 + (index % share == 0 ? 60 : 20))
                _ = timeline.insert(timestamp: Int64(index) * 2970, size: 5000, arrival: arrival)
            }
            #expect((timeline.jitterDelay > .milliseconds(35)) == expected)
        }
    }

    @Test func `the decode allowance is what decoding takes`() {
        var timeline = VideoTimeline()
        #expect(timeline.decodeAllowance == .milliseconds(3))
        for index in 0..<200 { timeline.decoded(took: .milliseconds(index % 30 == 0 ? 40 : 7)) }
        #expect(timeline.decodeAllowance == .milliseconds(8))
    }
}

import PetrelCore
import Testing

@testable import PetrelPlayout

@Suite struct VideoReceiverTests {
    private func isOrdered(_ result: VideoSimulation.Result) -> Bool {
        zip(result.rendered, result.rendered.dropFirst()).allSatisfy { $0.id < $1.id && $0.at <= $1.at }
    }

    @Test func `on a clean link a frame is shown as soon as it is decoded`() {
        let result = VideoSimulation(seconds: 60).run()
        print("video clean: P50", result.latency(0.5), "P95", result.latency(0.95), "P99", result.latency(0.99))
        // One-way delay 20 ms; 8 ms encoding, up to 12 ms pacing, 3 ms decoding are in it.
        #expect(result.latency(0.5) <= 20 + 28)
        #expect(result.latency(0.95) <= 20 + 45)
        // After each of the six key frames (60 ms on the wire) one frame is due together with the next.
        #expect(result.statistics.framesRendered >= 1794)
        #expect(result.freezes.freezeCount == 0)
        #expect(isOrdered(result))
    }

    @Test(arguments: [200.0, -200])
    func `clock drift of 200 ppm is absorbed`(drift: Double) {
        let result = VideoSimulation(seconds: 600, drift: drift).run()
        #expect(result.latency(0.5, from: 500) <= 20 + 28)
        #expect(result.latency(0.95, from: 500) <= 20 + 45)
        #expect(result.freezes.freezeCount == 0)
    }

    @Test func `jitter is smoothed by as much delay as it needs`() {
        let result = VideoSimulation(seconds: 120, network: { _, _, random in 20 + 30 * random.unit() }).run()
        print("video jitter 30: P50", result.latency(0.5, from: 10), "late", result.statistics.framesLate)
        #expect(result.latency(0.5, from: 10) < 20 + 28 + 35)
        // Steady intervals: the deviation of the gaps is far below that of the arrivals (12 ms).
        let times = result.rendered.filter { $0.at > 20 }.map(\.at)
        let gaps = zip(times, times.dropFirst()).map { ($1 - $0) * 1000 - 1000 / 30 }
        let deviation = (gaps.reduce(0) { $0 + $1 * $1 } / Double(gaps.count)).squareRoot()
        #expect(deviation < 5)
        #expect(result.freezes.freezeCount == 0)
        #expect(isOrdered(result))
    }

    @Test func `an outage is one freeze, and nothing of it remains`() {
        let result = VideoSimulation(
            seconds: 60,
            network: { _, seconds, random in
                seconds > 20 && seconds < 21 ? 20 + (21 - seconds) * 1000 : 20 + random.unit()
            }
        ).run()
        #expect(result.freezes.freezeCount == 1)
        #expect(result.statistics.framesDropped > 15)
        #expect(result.latency(0.5, from: 23) <= 20 + 28)
        #expect(result.latency(0.95, from: 23) <= 20 + 45)
        // Within 200 ms of its end the picture is live again.
        #expect(result.latency(0.99, from: 21.3, to: 23) <= 20 + 60)
        #expect(isOrdered(result))
    }

    @Test func `a longer path stays longer by its length only`() {
        let result = VideoSimulation(
            seconds: 60, network: { _, seconds, random in (seconds > 30 ? 120 : 20) + random.unit() }
        ).run()
        #expect(result.latency(0.5, from: 50) <= 120 + 45)
        #expect(result.freezes.freezeCount <= 1)
    }

    @Test func `the minimum delay is reached at a bounded speed`() {
        var simulation = VideoSimulation(seconds: 30, keyFrameEvery: 10_000)
        simulation.onFrame = { receiver, seconds in
            receiver.setMinimumDelay(seconds > 10 && seconds < 20 ? .milliseconds(150) : .zero)
        }
        let result = simulation.run()
        #expect(abs(result.latency(0.5, from: 12, to: 20) - (20 + 8 + 4 + 150)) < 8)
        #expect(result.latency(0.5, from: 26) <= 20 + 28)
        #expect(result.freezes.freezeCount == 0)
        let times = result.rendered.map(\.at)
        let longest = zip(times, times.dropFirst()).map { $1 - $0 }.max() ?? 1
        #expect(longest < 0.060)
        #expect(result.statistics.framesRendered >= 895)
    }

    @Test func `a decoder that cannot keep up shows the newest and stays bounded`() {
        let result = VideoSimulation(seconds: 60, decodeMilliseconds: { _ in 50 }, keyFrameEvery: 60).run()
        #expect(result.mostFrames <= VideoReceiver.maximumFrames)
        #expect(result.statistics.framesRendered > 300)
        #expect(result.latency(0.5, from: 10) < 2500)
        #expect(isOrdered(result))
    }

    @Test func `a refused frame asks for a key frame`() {
        var receiver = VideoReceiver()
        func frame(_ id: Int64, key: Bool = false) -> VideoReceiver.Frame {
            .init(id: id, timestamp: id * 3000, size: 1000, isKeyFrame: key)
        }
        var now = Instant.zero + .seconds(1)
        #expect(receiver.insert(frame(1, key: true), arrival: now) == .accept)
        #expect(receiver.nextDecode(at: now)?.id == 1)
        #expect(receiver.nextDecode(at: now) == nil)
        receiver.decoded(1, took: .milliseconds(1), hasPicture: false, failed: true)
        #expect(receiver.needsKeyFrame)
        now += .milliseconds(33)
        #expect(receiver.insert(frame(2), arrival: now) == .drop(.bufferFull))
        #expect(receiver.insert(frame(3, key: true), arrival: now) == .accept)
        #expect(!receiver.needsKeyFrame)
        #expect(receiver.insert(frame(3, key: true), arrival: now) == .drop(.rtpTooOld))
        #expect(receiver.nextDecode(at: now)?.id == 3)
    }

    @Test func `timestamps that jump, and any values, harm nobody`() {
        for seed in 0..<1000 {
            var random = SeededGenerator(seed: UInt64(seed))
            var receiver = VideoReceiver()
            var now = Instant.zero + .seconds(1)
            var id: Int64 = 0
            var timestamp: Int64 = 0
            var lastRendered: Int64 = -1
            var isBounded = true
            for _ in 0..<300 {
                switch random.next() % 8 {
                case 0: timestamp &+= Int64(bitPattern: random.next()) >> Int64(random.next() % 63)
                case 1: now += .milliseconds(Int(random.next() % 2000))
                case 2:
                    if let order = receiver.nextDecode(at: now) {
                        receiver.decoded(
                            order.id, took: TimeDelta(nanoseconds: Int64(bitPattern: random.next()) >> 20),
                            hasPicture: random.next() % 4 != 0, failed: random.next() % 30 == 0)
                    }
                case 3:
                    if let order = receiver.nextRender(at: now) {
                        isBounded = isBounded && order.id > lastRendered
                        lastRendered = order.id
                    }
                case 4: receiver.setMinimumDelay(TimeDelta(nanoseconds: Int64(bitPattern: random.next()) >> 20))
                default:
                    id += Int64(random.next() % 3)
                    timestamp &+= 3000
                    let frame = VideoReceiver.Frame(
                        id: id, timestamp: timestamp, size: Int(truncatingIfNeeded: random.next()),
                        isKeyFrame: random.next() % 10 == 0)
                    _ = receiver.insert(frame, arrival: now)
                    if let deadline = receiver.nextDeadline {
                        isBounded = isBounded && deadline <= now + .milliseconds(1001)
                    }
                }
                isBounded = isBounded && receiver.frameCount <= VideoReceiver.maximumFrames
            }
            #expect(isBounded, "seed \(seed)")
        }
    }
}

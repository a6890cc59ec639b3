import PetrelCore
import Testing

@testable import PetrelPlayout

/// A remote with camera and microphone, two streams over one network, one clock mapping, both receivers and the
/// synchroniser between them, in virtual time: the skew of every rendered frame.
@Suite struct LipSyncTests {
    struct Setting {
        var seconds = 60.0
        var audio: (inout SeededGenerator, Double) -> Double = { random, _ in 20 + random.unit() }
        var video: (inout SeededGenerator, Double) -> Double = { random, _ in 20 + random.unit() }
        var drift = 0.0
    }

    struct Outcome {
        var skews: [(seconds: Double, value: Double)] = []
        var audioLatency: [Double] = []
        var videoLatency: [Double] = []
        var concealed: UInt64 = 0

        func skew(_ quantile: Double, from: Double = 0) -> Double {
            let values = skews.filter { $0.seconds >= from }.map { abs($0.value) }.sorted()
            return values.isEmpty ? .nan : values[min(values.count - 1, Int(Double(values.count) * quantile))]
        }
        func range(from: Double) -> ClosedRange<Double> {
            let values = skews.filter { $0.seconds >= from }.map(\.value)
            return (values.min() ?? .nan)...(values.max() ?? .nan)
        }
        func median(_ values: [Double]) -> Double { values.isEmpty ? .nan : values.sorted()[values.count / 2] }
    }

    static func run(_ setting: Setting) -> Outcome {
        var random = SeededGenerator(seed: 12)
        let audio = AudioReceiverTimingTests.receiver()
        var video = VideoReceiver()
        var mapping = CaptureClockMapping()
        var sync = AVSync()
        let remote = NTPTime(bits: 0xE912_3456_789A_BCDE)
        // All of the remote's clocks run `drift` ppm fast: its media, and its NTP time.
        let rate = 1 + setting.drift * 1e-6
        func ntp(_ seconds: Double) -> NTPTime { remote.advanced(by: .seconds(1 + (seconds - 1) * rate)) }
        func audioCapture(_ index: Int) -> Double { 1 + Double(index) * 0.02 / rate }
        func videoCapture(_ index: Int) -> Double { 1 + Double(index) / 30 / rate }
        func instant(_ seconds: Double) -> Instant { Instant(nanoseconds: Int64(seconds * 1e9)) }
        struct Event {
            var at: Double
            var index: Int
            var isVideo: Bool
        }
        var events: [Event] = []
        var previous = 0.0
        for index in 0..<Int(setting.seconds / 0.02) {
            let sent = audioCapture(index + 1)
            events.append(Event(at: sent + setting.audio(&random, sent - 1) / 1000, index: index, isVideo: false))
        }
        for index in 0..<Int(setting.seconds * 30) {
            let sent = videoCapture(index) + 0.008 + 0.004 + 0.008 * random.unit()
            previous = max(previous, sent + setting.video(&random, sent - 1) / 1000)
            events.append(Event(at: previous, index: index, isVideo: true))
        }
        events.sort { ($0.at, $0.index) < ($1.at, $1.index) }

        // Times of render by true capture time.
        var heard: [(capture: Double, latency: Double)] = []
        var seen: [(capture: Double, latency: Double)] = []
        let payloads = CountingDecoder.packets(1000)
        let block = UnsafeMutableBufferPointer<Int16>.allocate(capacity: 480)
        defer { block.deallocate() }
        var next = 0
        var decoding: (id: Int64, end: Double)?
        var audioDelay: AVSync.StreamDelay?
        var videoDelay: AVSync.StreamDelay?
        // One millisecond at a time: the screen refreshes whenever a frame is due.
        for step in 1000..<Int((setting.seconds + 1) * 1000) {
            let now = Double(step) / 1000
            while next < events.count, events[next].at <= now {
                let event = events[next]
                next += 1
                let at = instant(event.at)
                let captured = event.isVideo ? videoCapture(event.index) : audioCapture(event.index)
                mapping.update(captureTime: ntp(captured), arrival: at)
                let local = mapping.instant(of: ntp(captured))
                if event.isVideo {
                    _ = video.insert(
                        .init(
                            id: Int64(event.index),
                            timestamp: 90_000 + Int64(event.index) * 3000,
                            captureTime: local, size: 5000, isKeyFrame: event.index == 0), arrival: at)
                } else if let payload = payloads[event.index % 1000] {
                    audio.insert(
                        timestamp: 48_000 + Int64(event.index) * 960,
                        sequence: Int64(event.index), payload: payload, arrival: at, captureTime: local)
                }
            }
            let present = instant(now)
            if let done = decoding, done.end <= now {
                video.decoded(done.id, took: .milliseconds(3), hasPicture: true)
                decoding = nil
            }
            if decoding == nil, let order = video.nextDecode(at: present) { decoding = (order.id, now + 0.003) }
            if let order = video.nextRender(at: present) {
                let captured = videoCapture(Int(order.id))
                seen.append((captured, (now - captured) * 1000))
                if let local = order.captureTime {
                    videoDelay = .init(
                        captureToRender: present - local, buffer: video.timeline.currentDelay,
                        own: video.timeline.ownDelay)
                }
            }
            if step % 10 == 3 {
                let pull = audio.pull(at: present, into: block)
                if let local = pull.captureTime, let timestamp = pull.timestamp {
                    let captured = 1 + Double(timestamp - 48_000) / 48_000 / rate - 0.0065
                    heard.append((captured, (now - captured) * 1000))
                    audioDelay = .init(
                        captureToRender: present - local, buffer: pull.bufferDelay, own: pull.jitterDelay)
                }
            }
            if step % 100 == 0, let audioDelay, let videoDelay {
                sync.update(audio: audioDelay, video: videoDelay, at: present)
                audio.setMinimumDelay(sync.audioMinimum)
                video.setMinimumDelay(sync.videoMinimum)
            }
        }
        var outcome = Outcome()
        var index = 0
        for frame in seen where !heard.isEmpty {
            while index + 1 < heard.count, heard[index + 1].capture <= frame.capture { index += 1 }
            guard abs(heard[index].capture - frame.capture) < 0.05 else { continue }
            outcome.skews.append((frame.capture - 1, frame.latency - heard[index].latency))
        }
        outcome.audioLatency = heard.filter { $0.capture > 6 }.map(\.latency)
        outcome.videoLatency = seen.filter { $0.capture > 6 }.map(\.latency)
        outcome.concealed = audio.statistics.concealedSamples
        return outcome
    }

    private func show(_ name: String, _ outcome: Outcome) {
        print(
            name, "skew |P50|", outcome.skew(0.5), "|P95|", outcome.skew(0.95), "range after 3 s",
            outcome.range(from: 3), "audio P50", outcome.median(outcome.audioLatency), "video P50",
            outcome.median(outcome.videoLatency), "concealed", outcome.concealed)
    }

    @Test func `on a clean link sound and picture are together from the first frame`() {
        let outcome = Self.run(Setting())
        show("sync clean:", outcome)
        #expect(outcome.skews.count > 1780)
        #expect(outcome.skew(0.95) <= 20)
        #expect(outcome.range(from: 0).lowerBound >= -70 && outcome.range(from: 0).upperBound <= 45)
        #expect(outcome.median(outcome.audioLatency) <= 20 + 48)
        #expect(outcome.median(outcome.videoLatency) <= 20 + 28)
        #expect(outcome.concealed == 0)
    }

    @Test func `a picture 100 ms late holds the sound back`() {
        let outcome = Self.run(Setting(video: { random, _ in 120 + random.unit() }))
        show("sync video +100:", outcome)
        #expect(outcome.skew(0.95, from: 3) <= 20)
        #expect(outcome.median(outcome.videoLatency) <= 120 + 28)
    }

    @Test func `sound 100 ms late holds the picture back`() {
        let outcome = Self.run(Setting(audio: { random, _ in 120 + random.unit() }))
        show("sync audio +100:", outcome)
        #expect(outcome.skew(0.95, from: 3) <= 20)
        #expect(outcome.median(outcome.audioLatency) <= 120 + 48)
    }

    @Test func `jitter on both stays below what is noticed`() {
        let outcome = Self.run(
            Setting(
                seconds: 120, audio: { random, _ in 20 + 30 * random.unit() },
                video: { random, _ in 20 + 40 * random.unit() }))
        show("sync jitter:", outcome)
        #expect(outcome.skew(0.95) <= 45)
        #expect(outcome.range(from: 5).upperBound <= 45)
    }

    @Test(arguments: [200.0, -200])
    func `drift of 200 ppm does not pull them apart`(drift: Double) {
        let outcome = Self.run(Setting(seconds: 300, drift: drift))
        show("sync drift:", outcome)
        #expect(outcome.skew(0.95) <= 20)
    }

    @Test func `a change of path is followed`() {
        let outcome = Self.run(
            Setting(video: { random, seconds in (seconds > 20 && seconds < 40 ? 140 : 20) + random.unit() }))
        show("sync path change:", outcome)
        let settled = outcome.skews.filter { $0.seconds > 26 && $0.seconds < 39 }.map { abs($0.value) }
        #expect((settled.max() ?? 100) <= 25)
        let after = outcome.skews.filter { $0.seconds > 52 }.map { abs($0.value) }
        #expect((after.max() ?? 100) <= 25)
    }
}

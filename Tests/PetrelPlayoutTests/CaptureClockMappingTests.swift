import PetrelCore
import Testing

@testable import PetrelPlayout

@Suite struct CaptureClockMappingTests {
    /// A remote whose clock started elsewhere and runs `drift` ppm fast.
    private struct Remote {
        var origin = NTPTime(bits: 0xE800_0000_1234_5678)
        var drift = 0.0

        func ntp(_ seconds: Double) -> NTPTime { origin.advanced(by: .seconds(seconds * (1 + drift * 1e-6))) }
    }

    @Test func `the fastest packet is the measure`() {
        var mapping = CaptureClockMapping()
        #expect(mapping.instant(of: NTPTime(bits: 0)) == nil)
        let remote = Remote()
        var random = SeededGenerator(seed: 1)
        for index in 0..<200 {
            let captured = Double(index) * 0.02
            let arrival = captured + 0.030 + 0.020 * random.unit()
            mapping.update(captureTime: remote.ntp(captured), arrival: Instant.zero + .seconds(arrival))
        }
        let mapped = mapping.instant(of: remote.ntp(3)) ?? .zero
        #expect(abs(mapped.milliseconds - 3030) < 1)
        mapping.setMinimumTransit(.milliseconds(30))
        let corrected = mapping.instant(of: remote.ntp(3)) ?? .zero
        #expect(abs(corrected.milliseconds - 3000) < 1)
    }

    @Test(arguments: [200.0, -200])
    func `drift is followed without steps`(drift: Double) {
        var mapping = CaptureClockMapping()
        let remote = Remote(drift: drift)
        var random = SeededGenerator(seed: 1)
        var last: Double?
        var worstStep = 0.0
        var worstError = 0.0
        for index in 0..<30_000 {
            let captured = Double(index) * 0.02
            let arrival = captured + 0.030 + 0.010 * random.unit()
            mapping.update(captureTime: remote.ntp(captured), arrival: Instant.zero + .seconds(arrival))
            let error = (mapping.instant(of: remote.ntp(captured)) ?? .zero).milliseconds - (captured * 1000 + 30)
            if index > 100 {
                worstError = max(worstError, abs(error))
                if let last { worstStep = max(worstStep, abs(error - last)) }
            }
            last = error
        }
        // 120 ms of drift in ten minutes.
        #expect(worstError < 4)
        #expect(worstStep < 0.1)
    }

    @Test func `a clock that is set starts the mapping anew, an outage does not`() {
        var mapping = CaptureClockMapping()
        var remote = Remote()
        for index in 0..<500 {
            let captured = Double(index) * 0.02
            mapping.update(captureTime: remote.ntp(captured), arrival: Instant.zero + .seconds(captured + 0.03))
        }
        // Two seconds late, a few packets: an outage.
        for index in 500..<520 {
            let captured = Double(index) * 0.02
            mapping.update(captureTime: remote.ntp(captured), arrival: Instant.zero + .seconds(captured + 2))
        }
        #expect(abs((mapping.instant(of: remote.ntp(10)) ?? .zero).milliseconds - 10_030) < 1)
        for shift in [-3600.0, 3600] {
            remote.origin = remote.origin.advanced(by: .seconds(shift))
            let base = shift < 0 ? 20.0 : 40
            for index in 0..<100 {
                let captured = base + Double(index) * 0.02
                mapping.update(captureTime: remote.ntp(captured), arrival: Instant.zero + .seconds(captured + 0.05))
            }
            #expect(abs((mapping.instant(of: remote.ntp(base)) ?? .zero).milliseconds - (base * 1000 + 50)) < 1)
        }
    }

    @Test func `a known clock overrides`() {
        var mapping = CaptureClockMapping()
        let wall = WallClock(unixNanoseconds: 1_700_000_000_000_000_000, at: Instant(nanoseconds: 5))
        mapping.setClock(wall)
        let time = wall.ntp(at: Instant.zero + .seconds(7))
        #expect(abs(((mapping.instant(of: time) ?? .zero) - Instant.zero - .seconds(7)).nanoseconds) < 10)
    }

    @Test func `sender reports and abs-capture-time give RTP timestamps a time`() {
        var clock = RemoteMediaClock(clockRate: 90_000)
        #expect(clock.captureTime(of: 1) == nil)
        let time = NTPTime(bits: 0xE800_0000_8000_0000)
        clock.update(timestamp: 1_000_000, time: time)
        // 90,000 ticks are a second, in both directions.
        #expect(clock.captureTime(of: 1_090_000)?.bits == 0xE800_0001_8000_0000)
        #expect(clock.captureTime(of: 910_000)?.bits == 0xE7FF_FFFF_8000_0000)
        _ = clock.captureTime(of: .max)
        _ = clock.captureTime(of: .min)
    }

    @Test func `any values harm nobody`() {
        for seed in 0..<500 {
            var random = SeededGenerator(seed: UInt64(seed))
            var mapping = CaptureClockMapping()
            var timeline = VideoTimeline()
            for _ in 0..<100 {
                let time = NTPTime(bits: random.next())
                let extremes = [Instant.distantFuture, .distantPast, .zero]
                let arrival =
                    random.next() % 5 == 0
                    ? extremes[Int(random.next() % 3)]
                    : Instant(nanoseconds: Int64(bitPattern: random.next()) >> Int64(random.next() % 63))
                mapping.update(captureTime: time, arrival: arrival)
                #expect(mapping.instant(of: NTPTime(bits: random.next())) != nil)
                let timestamp = Int64(bitPattern: random.next()) >> Int64(random.next() % 63)
                let render = timeline.insert(timestamp: timestamp, size: 1000, arrival: arrival)
                #expect(render <= max(.zero, arrival) + .seconds(1))
            }
        }
    }
}

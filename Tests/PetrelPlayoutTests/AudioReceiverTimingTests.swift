import PetrelCore
import Testing

@testable import PetrelPlayout

/// Delay, loss and clocks with a codec that costs nothing: what the buffer does with time.
@Suite struct AudioReceiverTimingTests {
    static func receiver(hasFEC: Bool = false, _ configuration: AudioReceiver.Configuration = .init()) -> AudioReceiver
    {
        let decoder = CountingDecoder()
        decoder.hasFEC = hasFEC
        decoder.channels = configuration.channels
        return AudioReceiver(configuration: configuration, decoder: decoder)
    }

    func run(_ simulation: AudioSimulation, hasFEC: Bool = false) -> AudioSimulation.Result {
        simulation.run(Self.receiver(hasFEC: hasFEC), packets: CountingDecoder.packets())
    }

    func concealed(_ result: AudioSimulation.Result) -> Double {
        Double(result.statistics.concealedSamples) / Double(max(1, result.statistics.totalSamplesReceived))
    }

    /// One-way delay 20 ms, packets of 20 ms, a codec that lags 6.5 ms: 46.5 ms are there before any buffer.
    @Test(arguments: [0.1, 1.7, 3.3, 5.0, 6.6, 8.2, 9.9])
    func `on a clean link the buffer costs little more than the grid of the pulls`(phase: Double) {
        let result = run(AudioSimulation(seconds: 60, phase: phase, network: { _, _, random in 20 + random.unit() }))
        #expect(result.latency(0.5, from: 2) <= 20 + 48)
        #expect(result.latency(0.5, from: 2) <= 46.5 + 15)
        #expect(result.latency(0.99, from: 3) <= 46.5 + 20)
        #expect(result.statistics.concealedSamples == 0)
        #expect(result.statistics.packetsDiscarded == 0)
        // Once settled, it leaves the sound alone.
        #expect(result.statistics.insertedSamplesForDeceleration < 1500)
    }

    @Test func `jitter of one millisecond conceals less than one in a thousand in ten minutes`() {
        let result = run(AudioSimulation(seconds: 600, network: { _, _, random in 20 + abs(random.gauss()) }))
        #expect(concealed(result) < 0.001)
        #expect(result.latency(0.5, from: 5) <= 46.5 + 20)
    }

    @Test func `the delay follows the jitter, whatever its distribution`() {
        let uniform = run(AudioSimulation(seconds: 600, network: { _, _, random in 20 + 20 * random.unit() }))
        #expect(concealed(uniform) < 0.001)
        #expect(uniform.latency(0.5, from: 10) < 46.5 + 20 + 20)
        let gauss = run(AudioSimulation(seconds: 600, network: { _, _, random in 60 + 10 * random.gauss() }))
        #expect(concealed(gauss) < 0.001)
        // From the fastest in two seconds to the slowest in two: five deviations and the grid.
        #expect(gauss.latency(0.5, from: 10) < 86.5 + 60)
        let exponential = run(
            AudioSimulation(seconds: 600, network: { _, _, random in 20 + 10 * random.exponential() }))
        #expect(concealed(exponential) < 0.004)
        #expect(exponential.latency(0.5, from: 10) < 46.5 + 90)
    }

    @Test func `when the jitter goes, the delay goes within a minute`() {
        let result = run(
            AudioSimulation(
                seconds: 180, network: { _, seconds, random in 20 + (seconds < 60 ? 40 : 1) * random.unit() }))
        #expect(result.latency(0.5, from: 20, to: 60) > 46.5 + 30)
        #expect(result.latency(0.5, from: 150) < 46.5 + 20)
    }

    @Test(arguments: [200.0, -200])
    func `clock drift of 200 ppm is absorbed`(drift: Double) {
        let result = run(AudioSimulation(seconds: 600, drift: drift, network: { _, _, random in 20 + random.unit() }))
        #expect(concealed(result) < 0.0005)
        // 0.12 s of drift in ten minutes has gone, the delay has not.
        for minute in 1..<10 {
            let latency = result.latency(0.5, from: Double(minute * 60), to: Double(minute * 60 + 60))
            #expect(latency > 46.5 && latency < 46.5 + 20)
        }
        let net =
            Double(result.statistics.removedSamplesForAcceleration)
            - Double(result.statistics.insertedSamplesForDeceleration)
        // 200 ppm of 600 s are 5760 samples; the start removes up to 30 ms.
        #expect(abs(net - drift * 28.8) < 2000)
    }

    @Test(arguments: [120, 240, 480, 960, 1920, 2880, 5760])
    func `packets of every length play without holes`(samples: Int) {
        let decoder = CountingDecoder()
        decoder.frame = samples
        let simulation = AudioSimulation(
            seconds: 30, frame: samples, network: { _, _, random in 20 + random.unit() })
        let result = simulation.run(
            AudioReceiver(configuration: .init(), decoder: decoder), packets: CountingDecoder.packets())
        #expect(result.statistics.concealedSamples == 0)
        #expect(result.statistics.packetsDiscarded == 0)
        #expect(result.latency(0.5, from: 3) < 26.5 + Double(samples) / 48 + 18)
    }

    @Test func `irregular pulls are evened out`() {
        let result = run(
            AudioSimulation(seconds: 120, pullJitter: 8, network: { _, _, random in 20 + random.unit() }))
        #expect(concealed(result) < 0.001)
        #expect(result.latency(0.5, from: 5) < 46.5 + 25)
    }

    @Test func `five percent loss is recovered by in-band FEC`() {
        let result = run(
            AudioSimulation(
                seconds: 600, network: { _, _, random in random.unit() < 0.05 ? nil : 20 + random.unit() }),
            hasFEC: true)
        // What stays lost has lost its successor too: 0.05 * 0.05.
        #expect(concealed(result) < 0.004)
        let recovered = Double(result.statistics.recoveredSamples) / Double(result.statistics.totalSamplesReceived)
        #expect(recovered > 0.04)
        #expect(result.latency(0.5, from: 10) < 46.5 + 40)
    }

    @Test func `loss without FEC costs concealment but no delay`() {
        let result = run(
            AudioSimulation(
                seconds: 600, network: { _, _, random in random.unit() < 0.05 ? nil : 20 + random.unit() }))
        #expect(concealed(result) > 0.04 && concealed(result) < 0.055)
        #expect(result.latency(0.5, from: 10) < 46.5 + 20)
        #expect(result.statistics.interruptions == 0)
    }

    @Test func `packets repaired late are waited for when they are many`() {
        let many = run(
            AudioSimulation(
                seconds: 300, network: { _, _, random in random.unit() < 0.1 ? 80 : 20 + random.unit() }))
        #expect(many.latency(0.5, from: 100) > 46.5 + 60)
        #expect(many.count(.concealed, from: 100) < 100)
        let few = run(
            AudioSimulation(
                seconds: 300, network: { _, _, random in random.unit() < 0.003 ? 200 : 20 + random.unit() }))
        #expect(few.latency(0.5, from: 100) < 46.5 + 20)
        #expect(concealed(few) < 0.008)
    }

    @Test func `a longer path is one interruption and no lasting delay`() {
        let result = run(
            AudioSimulation(
                seconds: 60, network: { _, seconds, random in (seconds > 30 ? 120 : 20) + random.unit() }))
        #expect(result.statistics.concealmentEvents <= 2)
        #expect(result.statistics.concealedSamples <= 6000)
        // The path is 100 ms longer, the buffer is what it was.
        #expect(result.latency(0.5, from: 50) < 146.5 + 20)
        // And back: the surplus is played away.
        let back = run(
            AudioSimulation(
                seconds: 60, network: { _, seconds, random in (seconds < 30 ? 120 : 20) + random.unit() }))
        #expect(back.latency(0.5, from: 40) < 46.5 + 20)
        #expect(back.statistics.concealedSamples == 0)
    }

    @Test func `after a burst of five seconds the delay is back within two`() {
        let result = run(
            AudioSimulation(
                seconds: 60,
                network: { _, seconds, random in
                    seconds > 20 && seconds < 25 ? 20 + (25 - seconds) * 1000 : 20 + random.unit()
                }))
        // The packets of 20 to 25 s come together at 25.02 s.
        #expect(result.latency(0.99, from: 27.02) < 46.5 + 30)
        #expect(result.count(.normal, from: 25.2, to: 60) >= 3470)
    }

    @Test func `a short outage is heard late, not cut`() {
        let result = run(
            AudioSimulation(
                seconds: 60,
                network: { _, seconds, random in
                    seconds > 20 && seconds < 20.2 ? 20 + (20.2 - seconds) * 1000 : 20 + random.unit()
                }))
        #expect(result.statistics.packetsDiscarded == 0)
        #expect(result.latency(0.5, from: 35) < 46.5 + 20)
    }

    @Test func `the minimum delay is kept, and left again`() {
        var simulation = AudioSimulation(seconds: 60, network: { _, _, random in 20 + random.unit() })
        simulation.onPull = { receiver, now in
            let seconds = now.milliseconds / 1000 - 1
            receiver.setMinimumDelay(.milliseconds(seconds > 20 && seconds < 40 ? 150 : 0))
        }
        let result = run(simulation)
        #expect(abs(result.latency(0.5, from: 25, to: 40) - (46.5 + 150)) < 15)
        #expect(result.latency(0.5, from: 50) < 46.5 + 20)
        #expect(result.statistics.concealedSamples == 0)
        // A change of 135 ms takes about a second up and a few down, never more than 30 % of time.
        #expect(result.latency(0.5, from: 22, to: 23) > 46.5 + 100)
    }

    @Test func `a pause of the sender is silence, not concealment`() {
        // One second of sound, one of pause with a two-byte packet every 400 ms: what Opus does with DTX.
        var packets = CountingDecoder.packets(100)
        for index in 50..<100 { packets[index] = (index - 50) % 20 == 0 ? FrameBuffer([0, 0]) : nil }
        let result = AudioSimulation(seconds: 60, network: { _, _, random in 20 + random.unit() })
            .run(Self.receiver(), packets: packets)
        #expect(result.statistics.concealedSamples == 0)
        #expect(result.count(.silence) > 2700 && result.count(.silence) < 3100)
        #expect(result.latency(0.5, from: 10) < 46.5 + 20)
        #expect(result.statistics.packetsDiscarded == 0)
    }

    @Test func `long loss fades to silence and resumes`() {
        var simulation = AudioSimulation(
            seconds: 20, network: { _, seconds, _ in seconds > 10 && seconds < 12 ? nil : 20 })
        simulation.keepsOutput = true
        let result = run(simulation)
        #expect(result.statistics.interruptions == 1)
        #expect(result.statistics.silentConcealedSamples > 80_000)
        let outage = result.output[Int(10.5 * 48_000)..<Int(12.0 * 48_000)]
        #expect(outage.allSatisfy { $0 == 0 })
        #expect(result.count(.normal, from: 12.2, to: 20) >= 775)
        #expect(result.latency(0.5, from: 14) < 46.5 + 20)
    }

    @Test func `the same calls give the same samples`() {
        var simulation = AudioSimulation(
            seconds: 30, pullJitter: 3,
            network: { _, _, random in random.unit() < 0.1 ? nil : 20 + 30 * random.unit() })
        simulation.keepsOutput = true
        let first = run(simulation, hasFEC: true)
        let second = run(simulation, hasFEC: true)
        #expect(first.output == second.output)
        #expect(first.statistics == second.statistics)
    }

    @Test func `every sample played is counted once`() {
        let result = run(
            AudioSimulation(
                seconds: 120, network: { _, _, random in random.unit() < 0.1 ? nil : 20 + 30 * random.unit() }),
            hasFEC: true)
        let played = result.pulls.count { $0.pull.kind != .none }
        #expect(result.statistics.totalSamplesReceived == UInt64(played * 480))
        #expect(
            result.statistics.jitterBufferEmittedCount
                <= result.statistics.totalSamplesReceived + result.statistics.removedSamplesForAcceleration + 5760)
        // The mean of the delay that the counters tell is the delay that was measured.
        let mean = result.statistics.jitterBufferDelay / Double(result.statistics.jitterBufferEmittedCount) * 1000
        #expect(mean > 5 && mean < 80)
    }
}

import PetrelCore
import PetrelMedia
import PetrelPeer
import PetrelScenario
import Testing

/// Video repair between two Petrel peers by the sliding-window code: made-up frames of 720p30 at 1.8 Mbit/s, a round trip
/// of 100 ms, loss in both directions.
@Suite struct OwnRepairTests {
    static func call(_ loss: String, seconds: Double, seed: UInt64 = 1) throws -> VirtualCallConfiguration {
        var configuration = try VirtualCallConfiguration(link: "delay=50,\(loss)")
        configuration.duration = .seconds(seconds)
        configuration.seed = seed
        configuration.hasAudio = false
        configuration.video = .synthetic(framesPerSecond: 30, bytesPerFrame: 7500, bytesPerKeyFrame: 40_000)
        configuration.buffersSynthetic = true
        return configuration
    }

    /// What one direction of a call cost and gave. Latencies in milliseconds, from the third second on.
    struct Figures: CustomStringConvertible {
        var expansion = 0.0
        var latency: (p50: Double, p95: Double, p99: Double) = (0, 0, 0)
        var freezes = 0
        var framesPerSecond = 0.0
        var keyFrames: UInt64 = 0
        var mediaKilobits = 0.0
        var recovered: UInt64 = 0
        var description: String {
            "expansion \(expansion) latency \(latency) freezes \(freezes) fps \(framesPerSecond) "
                + "key frames \(keyFrames) media kbit/s \(mediaKilobits) recovered \(recovered)"
        }
    }

    static func run(_ configuration: VirtualCallConfiguration) throws -> [Figures] {
        let call = try VirtualCall(configuration)
        let result = call.run()
        let peers = [(call.callerPeer, call.calleePeer), (call.calleePeer, call.callerPeer)]
        return zip(result.directions, peers).map { entry, peers in
            let direction = entry.1
            var figures = Figures()
            let sender = peers.0.statistics(now: .zero).outbound.first { $0.kind == .video }?.counts
            let receiver = peers.1.statistics(now: .zero).inbound.first { $0.kind == .video }?.counts
            guard let sender, let receiver else { return figures }
            let payload = sender.bytesSent + sender.retransmittedBytes + sender.repairBytes
            figures.expansion = Double(payload) / Double(max(1, sender.mediaBytes))
            figures.latency = (
                direction.videoLatency(0.5, from: .seconds(3)), direction.videoLatency(0.95, from: .seconds(3)),
                direction.videoLatency(0.99, from: .seconds(3))
            )
            figures.freezes = direction.freezes
            figures.framesPerSecond = direction.framesPerSecond
            figures.keyFrames = sender.keyFramesSent
            figures.mediaKilobits = Double(sender.mediaBytes) * 8 / 1000 / configuration.duration.seconds
            figures.recovered = receiver.packetsRecovered
            return figures
        }
    }

    /// Loss in percent, the most expansion and the longest latency (P99): what long calls show, with some room for the
    /// chance of a short one.
    @Test(arguments: [(0, 1.02, 75.0), (10, 1.28, 214), (20, 1.50, 230), (30, 1.77, 221), (50, 2.75, 246)])
    func randomLoss(percent: Int, expansion: Double, latency: Double) throws {
        for figures in try Self.run(Self.call("loss=\(percent)", seconds: 20)) {
            print("repair at \(percent) % loss, round trip 100 ms: \(figures)")
            #expect(figures.expansion <= expansion)
            #expect(figures.latency.p99 <= latency)
            #expect(figures.freezes == 0)
            #expect(figures.framesPerSecond >= 29)
            #expect(figures.mediaKilobits >= 1700)
            #expect(figures.keyFrames == 1)
            #expect(percent == 0 || figures.recovered > 50)
        }
    }

    @Test func burstsOfThree() throws {
        for figures in try Self.run(Self.call("ge=30,burst=3", seconds: 20)) {
            print("repair at 30 % loss in bursts of 3: \(figures)")
            #expect(figures.expansion <= 2.15)
            #expect(figures.freezes <= 1)
            #expect(figures.framesPerSecond >= 28)
        }
    }

    /// With the real codec and sound: the picture keeps its rate and its height, and the encoder is not throttled by what
    /// repair costs.
    @Test func theRealCodecAtThirtyPercent() throws {
        var configuration = try Self.call("loss=30", seconds: 12)
        configuration.video = .testCard(width: 1280, height: 720, framesPerSecond: 30)
        configuration.hasAudio = true
        for figures in try Self.run(configuration) {
            print("repair at 30 % loss, real codec: \(figures)")
            #expect(figures.expansion <= 2.0)
            #expect(figures.latency.p99 <= 245)
            // The rate begins at 2.5 Mbit/s for everything, and grows.
            #expect(figures.mediaKilobits >= 1200)
            #expect(figures.freezes == 0)
            #expect(figures.framesPerSecond >= 29)
        }
    }

    /// A path that was clean and turns bad, and gets well again: nothing freezes, and the delay goes away again.
    @Test func theDelayComesAndGoes() throws {
        var configuration = try Self.call("loss=0", seconds: 30)
        configuration.seed = 3
        let call = try VirtualCall(configuration)
        var random = SeededGenerator(seed: 1)
        call.filter = { [weak call] _, _, _ in
            guard let call, call.now > .zero + .seconds(5), call.now < .zero + .seconds(12) else { return true }
            return random.unit() > 0.3
        }
        let result = call.run()
        for (name, direction) in result.directions {
            let before = direction.pictures(from: 3, to: 5).map { ($0.rendered - $0.captured).milliseconds }.max()
            let after = direction.pictures(from: 26, to: 30).map { ($0.rendered - $0.captured).milliseconds }.max()
            #expect((before ?? .infinity) < 80 && (after ?? .infinity) < 80, "\(name) \(before ?? -1) \(after ?? -1)")
            #expect(direction.freezes <= 1, "\(name)")
            #expect(direction.longestGap(from: 3, to: 30) < 400, "\(name)")
        }
    }
}

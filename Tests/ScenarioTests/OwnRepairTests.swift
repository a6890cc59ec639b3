import PetrelCore
import PetrelMedia
import PetrelPeer
import PetrelScenario
import Testing

/// Video repair between two Petrel peers by the sliding-window code.
@Suite struct OwnRepairTests {
    /// 720p30 at 1.8 Mbit/s, round trip 100 ms.
    static func call(loss: String, seconds: Double, seed: UInt64 = 1) throws -> VirtualCallConfiguration {
        var configuration = try VirtualCallConfiguration(link: "delay=50,\(loss)")
        configuration.duration = .seconds(seconds)
        configuration.seed = seed
        configuration.hasAudio = false
        configuration.video = .synthetic(framesPerSecond: 30, bytesPerFrame: 7500, bytesPerKeyFrame: 40_000)
        configuration.buffersSynthetic = true
        return configuration
    }

    struct Figures: CustomStringConvertible {
        var expansion = 0.0
        var latency: (p50: Double, p95: Double, p99: Double) = (0, 0, 0)
        var freezes = 0
        var framesPerSecond = 0.0
        var keyFrames = 0
        var estimate = 0.0
        var description: String {
            "expansion \(expansion) latency \(latency) freezes \(freezes) fps \(framesPerSecond) keys \(keyFrames) estimate \(estimate)"
        }
    }

    static func run(_ configuration: VirtualCallConfiguration) throws -> [Figures] {
        let call = try VirtualCall(configuration)
        let result = call.run()
        return zip(result.directions, [call.callerPeer, call.calleePeer]).map { entry, peer in
            let (_, direction) = entry
            var figures = Figures()
            let statistics = peer.statistics(now: .zero)
            guard let sent = statistics.outbound.first(where: { $0.kind == .video })?.counts else { return figures }
            figures.expansion =
                Double(sent.bytesSent + sent.retransmittedBytes + sent.repairBytes) / Double(max(1, sent.mediaBytes))
            figures.latency = (
                direction.videoLatency(0.5, from: .seconds(3)), direction.videoLatency(0.95, from: .seconds(3)),
                direction.videoLatency(0.99, from: .seconds(3))
            )
            figures.freezes = direction.freezes
            figures.framesPerSecond = direction.framesPerSecond
            figures.keyFrames = sent.keyFramesSent == 0 ? 0 : Int(sent.keyFramesSent)
            figures.estimate = Double(statistics.estimate.kilobitsPerSecond)
            print(sent, statistics.drops.nonZero, statistics.inbound.map(\.counts))
            return figures
        }
    }

    @Test(arguments: [0, 10, 30]) func table(loss: Int) throws {
        for figures in try Self.run(Self.call(loss: "loss=\(loss)", seconds: 20)) { print(loss, figures) }
    }
}

import Foundation
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
        var media = 0.0
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
            figures.media = Double(sent.mediaBytes) * 8 / 1000 / configuration.duration.seconds
            figures.latency = (
                direction.videoLatency(0.5, from: .seconds(3)), direction.videoLatency(0.95, from: .seconds(3)),
                direction.videoLatency(0.99, from: .seconds(3))
            )
            figures.freezes = direction.freezes
            figures.framesPerSecond = direction.framesPerSecond
            figures.keyFrames = sent.keyFramesSent == 0 ? 0 : Int(sent.keyFramesSent)
            figures.estimate = Double(statistics.estimate.kilobitsPerSecond)
            return figures
        }
    }

    @Test func table() throws {
        let text = ProcessInfo.processInfo.environment["LOSSES"] ?? "30"
        let seconds = Double(ProcessInfo.processInfo.environment["SECS"] ?? "60") ?? 60
        let seeds = Int(ProcessInfo.processInfo.environment["SEEDS"] ?? "1") ?? 1
        for loss in text.split(separator: ";") {
            var all: [Figures] = []
            for seed in 1...seeds {
                var c = try Self.call(loss: String(loss), seconds: seconds, seed: UInt64(seed))
                if ProcessInfo.processInfo.environment["REAL"] != nil {
                    c.video = .testCard(width: 1280, height: 720, framesPerSecond: 30)
                    c.hasAudio = true
                }
                all += try Self.run(c)
            }
            let n = Double(all.count)
            func r(_ x: Double, _ d: Double = 10) -> Double { (x * d).rounded() / d }
            print(
                "ROW", loss, "exp", r(all.map(\.expansion).reduce(0, +) / n, 1000), "p50/95/99",
                r(all.map(\.latency.p50).max()!), r(all.map(\.latency.p95).max()!), r(all.map(\.latency.p99).max()!),
                "frz", all.map(\.freezes).reduce(0, +), "fps", r(all.map(\.framesPerSecond).min()!, 100), "keys",
                all.map(\.keyFrames).reduce(0, +), "est", all.map(\.estimate).min()!, "media", all.map(\.media).min()!)
        }
    }
}

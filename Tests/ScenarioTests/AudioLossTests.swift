import Foundation
import PetrelCore
import PetrelLab
import PetrelMedia
import PetrelPeer
import PetrelScenario
import Testing

/// Sound on paths that lose much: what is concealed, and how late it is heard.
@Suite struct AudioLossTests {
    /// Measures by hand: PETREL_AUDIO_TABLE="delay=50,loss=30;..." prints a row for each link.
    @Test(.enabled(if: ProcessInfo.processInfo.environment["PETREL_AUDIO_TABLE"] != nil))
    func table() throws {
        let environment = ProcessInfo.processInfo.environment
        let links = (environment["PETREL_AUDIO_TABLE"] ?? "").split(separator: ";").map(String.init)
        let seconds = Double(environment["PETREL_AUDIO_SECONDS"] ?? "") ?? 60
        let seeds = UInt64(environment["PETREL_AUDIO_SEEDS"] ?? "") ?? 1
        print(
            "link | concealed % | events | recovered % | P50 | P95 | P99 ms | sound kbit/s | skew early P95, late P95")
        for link in links {
            for seed in 1...seeds {
                var configuration = try VirtualCallConfiguration.synthetic(link, seconds: seconds, seed: seed)
                if environment["PETREL_AUDIO_ONLY"] != nil { configuration.video = .none }
                let call = try VirtualCall(configuration)
                let result = call.run()
                for ((_, direction), peer) in zip(result.directions, [call.callerPeer, call.calleePeer]) {
                    let total = Double(direction.sounds.count)
                    let sent = peer.statistics(now: .zero).outbound.first { $0.kind == .audio }?.counts
                    let bytes = (sent?.bytesSent ?? 0) + (sent?.retransmittedBytes ?? 0)
                    let runs = zip(direction.sounds, direction.sounds.dropFirst())
                        .count { $0.kind != .concealed && $1.kind == .concealed }
                    let numbers: [Double] = [
                        direction.concealedShare * 100, Double(runs),
                        Double(direction.sounds.count { $0.kind == .recovered }) / total * 100,
                        direction.audioLatency(0.5), direction.audioLatency(0.95), direction.audioLatency(0.99),
                        Double(bytes) * 8 / seconds / 1000,
                        Quantile.of(direction.skews, 0.95) ?? .nan, -(Quantile.of(direction.skews, 0.05) ?? .nan),
                    ]
                    print(link, seed, numbers.map { String(format: "%.2f", $0) }.joined(separator: " | "))
                }
            }
        }
    }
}

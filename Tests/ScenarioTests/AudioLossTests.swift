import Foundation
import PetrelCore
import PetrelLab
import PetrelMedia
import PetrelPeer
import PetrelScenario
import Testing

/// Sound on paths that lose much: what is concealed, and how late it is heard.
@Suite struct AudioLossTests {
    /// Random loss both ways at a round trip of 100 ms: what may be concealed, in percent, and how late 95 % of the sound
    /// is heard, in milliseconds. The calls are short, so that each goal has some room for chance.
    @Test(arguments: [(5, 0.4, 150.0), (10, 0.4, 150.0), (30, 0.6, 180.0), (50, 1.2, 250.0)])
    func soundDoesNotBreak(loss: Int, concealed: Double, latency: Double) throws {
        let call = try VirtualCall(.synthetic("delay=50,loss=\(loss)", seconds: 20))
        let result = call.run()
        for (name, direction) in result.directions {
            #expect(direction.sounds.count > 1800, "\(name)")
            #expect(direction.concealedShare * 100 <= concealed, "\(name) \(direction.concealedShare * 100)")
            #expect(direction.audioLatency(0.95) <= latency, "\(name) \(direction.audioLatency(0.95))")
            #expect(direction.sounds.contains { $0.kind == .recovered }, "\(name): recovered is not concealed")
        }
    }

    /// On a clean path nothing is sent twice, and nothing waits for it.
    @Test func aCleanPathPaysNothing() throws {
        let call = try VirtualCall(.synthetic("delay=50", seconds: 12))
        var early: UInt64 = 0
        call.at(.seconds(6)) { early = Self.redundantBlocks($0) }
        let result = call.run()
        #expect(Self.redundantBlocks(call) == early)
        for (name, direction) in result.directions {
            #expect(direction.audioLatency(0.5, from: .seconds(6)) <= 50 + 48, "\(name)")
            #expect(direction.concealedBlocks == 0, "\(name)")
        }
    }

    private static func redundantBlocks(_ call: VirtualCall) -> UInt64 {
        call.callerPeer.statistics(now: .zero).outbound.reduce(0) { $0 + $1.counts.redundantBlocksSent }
    }

    /// Measures by hand: PETREL_AUDIO_TABLE="delay=50,loss=30;..." prints a row for each link.
    @Test(.enabled(if: ProcessInfo.processInfo.environment["PETREL_AUDIO_TABLE"] != nil))
    func table() throws {
        let environment = ProcessInfo.processInfo.environment
        let links = (environment["PETREL_AUDIO_TABLE"] ?? "").split(separator: ";").map(String.init)
        let seconds = Double(environment["PETREL_AUDIO_SECONDS"] ?? "") ?? 60
        let seeds = UInt64(environment["PETREL_AUDIO_SEEDS"] ?? "") ?? 1
        print(
            "link | concealed % | events | recovered % | P50 | P95 | P99 ms | later P95 | sound kbit/s | skew early P95, late P95"
        )
        for link in links {
            for seed in 1...seeds {
                var configuration = try VirtualCallConfiguration.synthetic(link, seconds: seconds, seed: seed)
                if environment["PETREL_AUDIO_SMALL"] != nil {
                    configuration.video = .testCard(width: 320, height: 180, framesPerSecond: 30)
                }
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
                        direction.audioLatency(0.95, from: .seconds(seconds / 2)),
                        Double(bytes) * 8 / seconds / 1000,
                        Quantile.of(direction.skews, 0.95) ?? .nan, -(Quantile.of(direction.skews, 0.05) ?? .nan),
                    ]
                    print(link, seed, numbers.map { String(format: "%.2f", $0) }.joined(separator: " | "))
                }
            }
        }
    }
}

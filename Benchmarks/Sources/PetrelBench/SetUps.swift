import BenchSupport
import PetrelCore
import PetrelScenario

/// From the creation of the offer to the first picture, signalling without delay, in the slower direction.
enum SetUps {
    /// A call without a picture after so long has failed.
    static let patience = TimeDelta.seconds(15)
    /// Runs on links without loss, where only the moment of capture differs.
    static let cleanRuns = 20

    static func run(runs: Int) throws {
        print("First picture, slower direction, 1280x720, real codecs, signalling without delay, virtual time")
        print(
            Text.left("link", 26) + Text.right("runs", 6) + Text.right("P50", 9) + Text.right("P95", 9)
                + Text.right("P99", 9) + Text.right("worst", 9) + "  ms")
        for roundTrip in [0, 40, 100, 200] {
            let times = try measure("delay=\(roundTrip / 2)", runs: min(runs, cleanRuns))
            line("RTT \(roundTrip), no loss", times, gate: 1, atMost: 3.5 * Double(roundTrip) + 90)
        }
        let times = try measure("delay=50,loss=30", runs: runs)
        line("RTT 100, 30 % loss", times, gate: 0.95, atMost: 600)
        let slowest = times.enumerated().sorted { $0.element > $1.element }.prefix(5)
        print(
            "  slowest seeds: "
                + slowest.map { "\($0.offset + 1) (\(Text.milliseconds($0.element)))" }.joined(separator: ", "))
    }

    private static func measure(_ link: String, runs: Int) throws -> [TimeDelta] {
        var times: [TimeDelta] = []
        for seed in 1...UInt64(runs) {
            Progress.show("\(link): \(seed) of \(runs)")
            times.append(try firstPicture(link, seed: seed))
        }
        Progress.clear()
        return times
    }

    private static func firstPicture(_ link: String, seed: UInt64) throws -> TimeDelta {
        var configuration = try VirtualCallConfiguration(link: link)
        configuration.seed = seed
        configuration.duration = patience
        let call = try VirtualCall(configuration)
        call.run(until: .zero + patience) { $0.seenByCaller.pictures.isEmpty || $0.seenByCallee.pictures.isEmpty }
        guard let back = call.seenByCaller.firstPicture, let there = call.seenByCallee.firstPicture else {
            return .infinite
        }
        return max(there, back) - .zero
    }

    private static func line(_ name: String, _ times: [TimeDelta], gate: Double, atMost limit: Double) {
        func quantile(_ share: Double) -> String {
            let value = Quantile.of(times, share)
            return Text.right(value == .infinite ? "never" : Text.milliseconds(value), 9)
        }
        print(
            Text.left(name, 26) + Text.right(String(times.count), 6) + quantile(0.5) + quantile(0.95) + quantile(0.99)
                + quantile(1) + "  " + (gate == 1 ? "worst " : "P95 ")
                + Text.verdict(Quantile.of(times, gate), atMost: limit))
    }
}

import PetrelCore
import PetrelLab
import PetrelScenario
import Testing

/// How long it takes from the creation of the offer to the first picture on each side.
@Suite struct FirstPictureTests {
    /// The first picture of the slower direction, in milliseconds.
    private func firstPicture(_ configuration: VirtualCallConfiguration) throws -> Double? {
        let call = try VirtualCall(configuration)
        call.run(until: .zero + .seconds(5)) {
            $0.seenByCaller.pictures.isEmpty || $0.seenByCallee.pictures.isEmpty
        }
        guard let there = call.seenByCallee.pictures.first, let back = call.seenByCaller.pictures.first else {
            return nil
        }
        return max(there.rendered, back.rendered).milliseconds
    }

    @Test(arguments: [0, 40, 100, 200]) func cleanPath(roundTrip: Int) throws {
        for seed in 1...3 {
            let first = try firstPicture(.small("delay=\(roundTrip / 2)", seconds: 5, seed: UInt64(seed)))
            let limit = 3.5 * Double(roundTrip) + 90
            #expect(first.map { $0 <= limit } ?? false, "\(first ?? -1) ms at a round trip of \(roundTrip) ms")
        }
    }

    /// 200 set-ups with a first key frame of 20 kB: that of the real encoder has 13 to 17 kB.
    @Test func thirtyPercentLoss() throws {
        var times: [Double] = []
        for seed in 1...200 {
            if let first = try firstPicture(.synthetic("delay=50,loss=30", seconds: 5, seed: UInt64(seed))) {
                times.append(first)
            }
        }
        let quantiles = [0.5, 0.95, 0.99].map { Quantile.of(times, $0) ?? .infinity }
        print("first picture at 30 % loss, round trip 100 ms: P50, P95, P99 = \(quantiles) ms of \(times.count)")
        #expect(times.count == 200)
        #expect(quantiles[1] <= 600)
    }

    @Test func thirtyPercentLossWithTheRealCodec() throws {
        for seed in 1001...1008 {
            let first = try firstPicture(.small("delay=50,loss=30", seconds: 5, seed: UInt64(seed)))
            #expect(first.map { $0 <= 800 } ?? false, "\(first ?? -1) ms, seed \(seed)")
        }
    }
}

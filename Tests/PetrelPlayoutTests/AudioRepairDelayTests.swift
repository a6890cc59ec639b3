import PetrelCore
import Testing

@testable import PetrelPlayout

@Suite struct AudioRepairDelayTests {
    /// A stream with independent losses whose packets bring `depth` earlier ones along.
    private func run(
        _ delay: inout AudioRepairDelay, loss: Double, depth: Int, packets: Range<Int64>, seed: UInt64 = 1
    ) {
        var random = RandomSource(seed: seed)
        var missing: Set<Int64> = []
        for sequence in packets {
            guard random.unit() >= loss else {
                missing.insert(sequence)
                continue
            }
            let scheme = AudioRedundancyScheme(reach: depth * 960, depth: depth)
            delay.arrived(sequence: sequence, length: 960, scheme: scheme, at: sequence * 960)
            for distance in 1...Int64(max(1, depth)) where depth > 0 && missing.remove(sequence - distance) != nil {
                delay.recovered(sequence: sequence - distance, distance: distance)
            }
        }
    }

    @Test func nothingIsWaitedForWithoutLossOrWithoutRedundancy() {
        var delay = AudioRepairDelay()
        run(&delay, loss: 0, depth: 4, packets: 0..<1000)
        #expect(delay.ticks == 0 && delay.loss == 0)
        run(&delay, loss: 0.3, depth: 0, packets: 1000..<2000)
        #expect(delay.ticks == 0 && delay.loss > 0.2)
    }

    /// p^(k+1) falls below a hundredth of p or so: 60 ms at 10 %, 80 at 30 %, never more than there is.
    @Test(arguments: [(0.1, 40...80), (0.3, 80...100), (0.5, 120...140)])
    func theDelayFollowsTheLoss(loss: Double, range: ClosedRange<Int64>) {
        var delay = AudioRepairDelay()
        run(&delay, loss: loss, depth: 8, packets: 0..<3000)
        #expect(range.contains(delay.ticks / 48), "\(delay.ticks / 48)")
        run(&delay, loss: loss, depth: 1, packets: 3000..<4000)
        #expect(delay.ticks <= 960)
    }

    /// Up within a fraction of a second, down slowly: 30 ms in a second.
    @Test func itRisesAtOnceAndSinksSlowly() {
        var delay = AudioRepairDelay()
        run(&delay, loss: 0, depth: 4, packets: 0..<500)
        run(&delay, loss: 0.4, depth: 4, packets: 500..<530)
        #expect(delay.ticks >= 960)
        run(&delay, loss: 0.4, depth: 4, packets: 530..<1500)
        let high = delay.ticks
        #expect(high >= 3 * 960)
        run(&delay, loss: 0, depth: 0, packets: 1500..<1525)
        #expect(delay.ticks >= high - 720)
        run(&delay, loss: 0, depth: 0, packets: 1525..<3000)
        #expect(delay.ticks == 0)
    }

    @Test func anySequenceIsBounded() {
        var delay = AudioRepairDelay()
        var random = RandomSource(seed: 3)
        for step in 0..<5000 {
            let sequence = Int64(bitPattern: random.next()) >> (8 + Int64(step % 56))
            let scheme = AudioRedundancyScheme(
                reach: Int(random.next() & 0x3FFF), depth: Int(random.next() & 31), distance: 0)
            if step % 3 == 0 {
                delay.recovered(sequence: sequence, distance: Int64(random.next() & 63) - 5)
            } else {
                delay.arrived(
                    sequence: sequence, length: Int(random.next() % 5761), scheme: scheme, at: Int64(step) * 960)
            }
            #expect((0...16_383).contains(delay.ticks) && (0...1).contains(delay.loss))
        }
    }
}

import PetrelCongestion
import PetrelCore
import Testing

@Suite struct InteropRepairTests {
    private func link(_ loss: Double, roundTrip: Int = 100) -> LinkState {
        LinkState(loss: loss, recentLoss: loss, roundTrip: .milliseconds(roundTrip), samples: 1000)
    }

    @Test("More loss, more parity; key frames most; never more than twice the frame; a clean path none")
    func parity() {
        for packets in [1, 4, 8, 12, 13, 40] {
            var before = 0
            for loss in stride(from: 0.0, through: 0.7, by: 0.05) {
                let delta = InteropRepairPlan.parity(packets: packets, frame: .delta, link: link(loss))
                let golden = InteropRepairPlan.parity(packets: packets, frame: .longTerm, link: link(loss))
                let key = InteropRepairPlan.parity(packets: packets, frame: .key, link: link(loss))
                #expect(delta.parities <= golden.parities && golden.parities <= key.parities)
                #expect(key.parities <= packets * 2)
                #expect(delta.parities >= before)
                before = delta.parities
            }
            #expect(InteropRepairPlan.parity(packets: packets, frame: .key, link: link(0)).reason == .clean)
        }
        #expect(InteropRepairPlan.parity(packets: 8, frame: .delta, link: link(0.7)).reason == .capped)
        #expect(InteropRepairPlan.parity(packets: 8, frame: .delta, link: link(0.1, roundTrip: 10)).parities == 0)
        #expect(InteropRepairPlan.parity(packets: 8, frame: .key, link: link(0.1, roundTrip: 10)).parities > 0)
        #expect(InteropRepairPlan.parity(packets: 0, frame: .key, link: link(0.5)).parities == 0)
    }

    @Test("A frame is waited for as long as requests take to mend it, and never for ever")
    func patience() {
        var before = TimeDelta.zero
        for loss in stride(from: 0.0, through: 1.0, by: 0.1) {
            let patience = InteropRepairPlan.framePatience(link(loss))
            #expect(patience >= before && patience >= .milliseconds(200) && patience <= .seconds(1))
            before = patience
        }
        // Eight packets at 30 % need four rounds until 0.05 packets are missing: 8 * 0.3^5 = 0.02; and one more.
        #expect(InteropRepairPlan.framePatience(link(0.3)) == .milliseconds(100 + 5 * 115 + 20))
    }
}

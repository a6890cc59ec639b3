import PetrelCore
import Testing

@testable import PetrelCongestion

@Suite struct AudioRepairPlanTests {
    private func plan(
        _ loss: Double, burst: Double? = nil, samples: Int = 1000, packetRate: Double = 300, prior: Double = 0,
        budget: Int = 4000, takesRedundancy: Bool = true
    ) -> AudioRepairPlan {
        let link = LinkState(
            loss: loss, recentLoss: loss, burst: burst ?? 1 / (1 - loss), packetRate: packetRate, samples: samples)
        return RepairController.audioPlan(
            link: link, prior: prior, packetBytes: 80, budget: .kilobitsPerSecond(budget),
            takesRedundancy: takesRedundancy)
    }

    @Test func aCleanPathCostsNothing() {
        #expect(plan(0).depth == 0 && plan(0).copies == 1 && plan(0).reason == .clean)
        #expect(plan(0.3, takesRedundancy: false).depth == 0)
        #expect(plan(0.3, takesRedundancy: false).reason == .notNegotiated)
    }

    /// Independent losses: a packet that goes out in c copies of d + 1 packets is gone with p^(c(d+1)).
    @Test(arguments: [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
    func whatStaysLostIsAsComputedAndSmall(loss: Double) {
        let plan = plan(loss)
        var expected = 1.0
        for _ in 0..<(plan.copies * (plan.depth + 1)) { expected *= loss }
        #expect(abs(plan.residual - expected) < 1e-9, "\(plan)")
        #expect(plan.residual <= RepairController.audioResidual(loss: loss))
        #expect(plan.receiverDelay <= .milliseconds(160))
        #expect(plan.receiverDelay == .milliseconds(20 * plan.offsets.reach + 10 * (plan.copies - 1)))
    }

    @Test func moreLossNeverStaysLessProtected() {
        var last = 0
        for step in 1...80 {
            let plan = plan(Double(step) / 100)
            let chances = plan.copies * (plan.depth + 1)
            #expect(chances >= last - 1, "\(step) %: \(chances) after \(last)")
            last = chances
        }
    }

    /// Runs of eight losses in a call of sound alone last 160 ms: only distance helps.
    @Test func runsOfLossesAreMetByDistance() {
        let alone = plan(0.1, packetRate: 50)
        let runs = plan(0.1, burst: 8, packetRate: 50)
        #expect(runs.offsets.reach >= 8 && runs.offsets.reach > alone.offsets.reach, "\(runs)")
        #expect(runs.residual < 0.06)
        // Beside pictures a run of eight packets is over before the next packet of sound.
        #expect(plan(0.1, burst: 8, packetRate: 600).receiverDelay <= .milliseconds(120))
    }

    @Test func theBudgetIsKept() {
        for kilobits in [0, 100, 500, 1000, 2000] {
            let plan = plan(0.6, budget: kilobits)
            let bytes = plan.copies * ((plan.depth + 1) * 84 + RepairController.audioOverhead)
            let share = RepairController.audioShare(loss: 0.6)
            let allowed = max(64, Double(kilobits) * share)
            #expect(plan.depth == 0 && plan.copies == 1 || Double(bytes) * 50 * 8 / 1000 <= allowed + 1)
            if kilobits < 1000 { #expect(plan.reason == .budget) }
        }
    }

    @Test func theOpeningIsCautious() {
        #expect(plan(0, samples: 0).depth >= 1 && plan(0, samples: 0).reason == .opening)
        #expect(plan(0, samples: 0, prior: 0.3).residual <= 0.003)
    }

    @Test func copiesUnderOneNumberHideLoss() {
        #expect(RepairController.pathLoss(observed: 0.3, copies: 1) == 0.3)
        #expect(abs(RepairController.pathLoss(observed: 0.25, copies: 2) - 0.5) < 1e-6)
        #expect(abs(RepairController.pathLoss(observed: 0.343, copies: 3) - 0.7) < 1e-3)
        #expect(RepairController.pathLoss(observed: 0, copies: 3) == 0)
    }

    @Test func missingSoundIsAskedForWhereItCanCome() {
        #expect(RepairController.asksForMissingAudio(roundTrip: .milliseconds(40), playoutDelay: .milliseconds(60)))
        #expect(!RepairController.asksForMissingAudio(roundTrip: .milliseconds(100), playoutDelay: .milliseconds(80)))
    }

    @Test func offsets() {
        let offsets = RedundancyOffsets(count: 3, spacing: 4)
        #expect(offsets.count == 3 && offsets.reach == 12 && offsets.contains(8) && !offsets.contains(7))
        #expect(RedundancyOffsets(count: 40).reach == 17 && RedundancyOffsets(count: -1).isEmpty)
        #expect(!RedundancyOffsets(count: 3).contains(99) && !RedundancyOffsets(count: 3).contains(0))
    }
}

import PetrelCongestion
import PetrelCore
import Testing

@Suite struct RepairControllerTests {
    static func controller(_ loss: Double, samples: Int = 1000, prior: Double = 0) -> RepairController {
        var controller = RepairController()
        controller.update(
            link: LinkState(
                loss: loss, recentLoss: loss, meanLoss: loss, roundTrip: .milliseconds(100), samples: samples),
            prior: prior)
        return controller
    }

    /// The chance that all that is needed arrives, tried out.
    static func share(of count: Int, loss: Double, needed: Int) -> Double {
        var random = SeededGenerator(seed: 1)
        var good = 0
        for _ in 0..<20_000 {
            var arrived = 0
            for _ in 0..<count where random.unit() >= loss { arrived += 1 }
            if arrived >= needed { good += 1 }
        }
        return Double(good) / 20_000
    }

    /// The first volley on average: some more than what is lost, over the capacity of the path and far below doubling.
    @Test(arguments: [0.1, 0.3, 0.5]) func theFirstVolleyIsNearCapacity(loss: Double) {
        let controller = Self.controller(loss)
        var carry = 0.0
        var sent = 0
        for _ in 0..<100 { sent += 7 + controller.firstVolley(packets: 7, isKeyFrame: false, carry: &carry) }
        let expansion = Double(sent) / 700
        #expect(expansion > 1 / (1 - loss) && expansion < 1.2 / (1 - loss), "\(expansion)")
    }

    @Test func aKeyFrameArrivesAtOnce() {
        var carry = 0.0
        for loss in [0.05, 0.3, 0.5] {
            for packets in [5, 20, 40, 80] {
                let volley = Self.controller(loss).firstVolley(packets: packets, isKeyFrame: true, carry: &carry)
                let share = Self.share(of: packets + volley, loss: loss, needed: packets)
                #expect(share > 0.98, "\(packets) \(loss) \(share)")
                #expect(Self.share(of: packets + volley / 2, loss: loss, needed: packets) < 0.98)
            }
        }
    }

    @Test func aCleanPathCostsNothing() {
        var carry = 0.0
        let controller = Self.controller(0.001)
        for _ in 0..<100 { #expect(controller.firstVolley(packets: 7, isKeyFrame: false, carry: &carry) == 0) }
        #expect(controller.reason == .clean)
    }

    /// With time left only what is lacking on average is sent; in the last round it is made sure.
    @Test func theLastRoundIsMadeSure() {
        let controller = Self.controller(0.3)
        let early = controller.topUp(missing: 2, inFlight: 0, slack: .milliseconds(80))
        let last = controller.topUp(missing: 2, inFlight: 0, slack: .zero)
        #expect(early == 3)
        #expect(last > early)
        #expect(Self.share(of: last, loss: 0.3, needed: 2) > 0.9)
        // What is on its way is counted on.
        #expect(controller.topUp(missing: 2, inFlight: 3, slack: .milliseconds(80)) == 0)
        #expect(controller.topUp(missing: 2, inFlight: last, slack: .zero) == 0)
        #expect(controller.topUp(missing: 0, inFlight: 0, slack: .zero) == 0)
    }

    @Test func theAllowanceFollowsTheMeasuredLoss() {
        #expect(Self.controller(0).allowance == 0.25)
        #expect(Self.controller(0.3).allowance < 1.3)
        #expect(Self.controller(0.9).allowance == RepairController.largestExpansion - 1)
    }

    @Test func fewSamplesAreJudgedByTheSetUp() {
        #expect(Self.controller(0, samples: 0, prior: 0.3).loss == 0.3)
        #expect(Self.controller(0, samples: 0, prior: 0.3).reason == .setUp)
        #expect(Self.controller(0.1, samples: 30, prior: 0.3).loss == 0.2)
        #expect(Self.controller(0.1, samples: 60, prior: 0.3).loss == 0.1)
    }

    @Test func aPathThatGetsWorseIsFollowedAtOnce() {
        var controller = RepairController()
        controller.update(
            link: LinkState(loss: 0.4, recentLoss: 0.4, meanLoss: 0.1, samples: 1000), prior: 0)
        #expect(controller.loss > 0.3 && controller.reason == .worsening)
    }

    @Test func thePlayoutDelayIsOneRoundTripAndALittle() {
        #expect(RepairController.playoutDelay(loss: 0.1, roundTrip: .milliseconds(100)) == .milliseconds(142))
        #expect(RepairController.playoutDelay(loss: 0.5, roundTrip: .milliseconds(100)) == .milliseconds(162))
        #expect(RepairController.playoutDelay(loss: 0.5, roundTrip: .seconds(3)) == .milliseconds(400))
    }
}

import PetrelCore
import PetrelLab
import PetrelMedia
import PetrelPeer
import PetrelScenario
import Testing

/// Lost frames are left out by frames that do not lean on them, instead of waiting for key frames.
@Suite struct ReferenceRecoveryTests {
    private struct Outcome {
        var freezes = 0
        var longestGap = 0.0
        var shown = 0
        var keyFrames = 0
        var requests: UInt64 = 0
        var errors = 0
        var p95 = 0.0
        var stamps: [Int?] = []
    }

    private func call(_ link: String, references: Bool, ownCode: Bool, seeds: ClosedRange<UInt64>, seconds: Double)
        throws -> Outcome
    {
        var outcome = Outcome()
        for seed in seeds {
            try call(link, references: references, ownCode: ownCode, seed: seed, seconds: seconds, into: &outcome)
        }
        return outcome
    }

    private func call(
        _ link: String, references: Bool, ownCode: Bool, seed: UInt64, seconds: Double, into outcome: inout Outcome
    ) throws {
        var configuration = try VirtualCallConfiguration(link: link)
        configuration.duration = .seconds(seconds)
        configuration.video = .testCard(width: 320, height: 180, framesPerSecond: 30)
        configuration.hasAudio = false
        configuration.seed = seed
        configuration.usesFrameReferences = references
        configuration.usesRepairCode = ownCode
        let call = try VirtualCall(configuration)
        let result = call.run()
        for (direction, sender) in [
            (result.callerToCallee, call.callerPeer), (result.calleeToCaller, call.calleePeer),
        ] {
            outcome.freezes += direction.freezes
            outcome.errors += direction.decoderErrors
            outcome.shown += direction.pictures.count
            outcome.keyFrames += direction.keyFramesSent
            outcome.requests += sender.statistics(now: .zero).outbound.reduce(0) { $0 + $1.counts.plisReceived }
            let times = direction.pictures.map(\.rendered)
            for (first, second) in zip(times, times.dropFirst()) {
                outcome.longestGap = max(outcome.longestGap, (second - first).milliseconds)
            }
            let late = direction.videoLatencies.map(\.milliseconds).sorted()
            outcome.p95 = max(outcome.p95, late.isEmpty ? 0 : late[late.count * 95 / 100])
            outcome.stamps += direction.pictures.map(\.stamp)
        }
    }

    @Test(
        arguments: [
            "delay=50,loss=30", "delay=50,ge=10,burst=8", "delay=50,ge=30,burst=8", "delay=50,outage=4+0.5",
        ])
    func lostFramesAreLeftOut(link: String) throws {
        let before = try call(link, references: false, ownCode: true, seeds: 1...2, seconds: 8)
        let after = try call(link, references: true, ownCode: true, seeds: 1...2, seconds: 8)
        for (name, outcome) in [("without", before), ("with", after)] {
            print(
                "\(link), \(name) references: \(outcome.freezes) freezes, "
                    + "longest gap \(Int(outcome.longestGap)) ms, \(outcome.shown) shown, \(outcome.keyFrames) key frames, "
                    + "\(outcome.requests) asked for, P95 \(Int(outcome.p95)) ms")
        }
        #expect(after.errors == 0)
        #expect(after.stamps.allSatisfy { $0 != nil }, "every picture shown is whole")
        // Two calls both ways: a key frame at the beginning of each is the rule.
        #expect(after.keyFrames <= before.keyFrames + 2)
        #expect(after.freezes <= before.freezes + 6 && after.shown * 100 >= before.shown * 95)
    }
}

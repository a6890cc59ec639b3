import Foundation
import PetrelCore
import PetrelPeer
import PetrelScenario
import Testing

@Suite struct ManyCallsTests {
    /// In a process of its own, since the memory of other tests would be counted too.
    @Test("C85: 1,000 calls made and closed leave no memory behind")
    func thousandCallsLeaveNoMemoryBehind() throws {
        if let file = OwnProcess.answerFile {
            try "\(try Self.growth(calls: 1000))".write(toFile: file, atomically: true, encoding: .utf8)
            return
        }
        let answer = try OwnProcess.run("thousandCallsLeaveNoMemoryBehind")
        let growth = try #require(Int(answer))
        print("C85: \(growth) kB more resident after 1,000 calls than after 200")
        #expect(growth <= 2000)
    }

    private static func growth(calls: Int) throws -> Int {
        weak var caller: Peer?
        weak var callee: Peer?
        var first = 0
        for cycle in 0..<calls {
            var configuration = try VirtualCallConfiguration(link: "delay=5")
            configuration.seed = UInt64(cycle)
            configuration.video = .synthetic(framesPerSecond: 30, bytesPerFrame: 6000, bytesPerKeyFrame: 20_000)
            configuration.hasAudio = false
            let call = try VirtualCall(configuration)
            call.run(until: .zero + .seconds(1)) {
                $0.callerPeer.state != .connected || $0.calleePeer.state != .connected
            }
            try #require(call.callerPeer.state == .connected && call.calleePeer.state == .connected)
            for isCaller in [true, false] {
                call.withPeer(caller: isCaller) { peer, now, out in peer.close(now: now, into: &out) }
            }
            (caller, callee) = (call.callerPeer, call.calleePeer)
            if cycle == 200 { first = residentKilobytes() }
        }
        try #require(caller == nil && callee == nil)
        return residentKilobytes() - first
    }

    private static func residentKilobytes() -> Int {
        guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8),
            let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmRSS:") })
        else { return 0 }
        return Int(line.filter(\.isNumber)) ?? 0
    }
}

import PetrelCore
import PetrelLab
import PetrelPeer
import PetrelMedia
import PetrelScenario
import Testing
@Suite struct Tmp {
    @Test func tmp() throws {
        let configuration = try VirtualCallConfiguration.small("delay=20,rate=1000,queue=200", seconds: 15)
        let call = try VirtualCall(configuration)
        var last = 0
        for t in stride(from: 250, through: 15000, by: 250) {
            call.run(until: .zero + .milliseconds(t))
            let s = call.callerPeer.statistics(now: .zero + .seconds(1000) + .milliseconds(t))
            let p = call.seenByCallee.pictures
            let v = s.outbound.first { $0.kind == .video }!
            print(
                t, "est", s.estimate.kilobitsPerSecond, "queue", s.queueDelay, "pics", p.count - last, "lat",
                p.last.map { ($0.rendered - $0.captured).milliseconds } ?? 0, "lost", s.network.remotePacketsLost,
                s.network.remoteFractionLost as Any, "sent", s.network.bytesSent, "rtx", v.counts.retransmittedPackets,
                "dropped", v.counts.framesDropped, "key", v.counts.keyFramesSent, "plis", v.counts.plisReceived)
            last = p.count
        }
    }
}

import PetrelCore
import PetrelICE
import PetrelLab
import PetrelMedia
import PetrelPeer
import PetrelScenario
import Testing

/// How long it takes from the creation of the offer to the first picture on each side.
@Suite struct FirstPictureTests {
    @Test func lossy() throws {
        for (w, h) in [(640, 360), (1280, 720)] {
            var configuration = try VirtualCallConfiguration(link: "delay=20")
            configuration.video = .testCard(width: w, height: h, framesPerSecond: 30)
            configuration.duration = .milliseconds(300)
            let call = try VirtualCall(configuration)
            call.run(until: .zero + .seconds(5)) { $0.seenByCaller.pictures.isEmpty || $0.seenByCallee.pictures.isEmpty }
            let r = call.result()
            print("key", w, r.callerToCallee.videoBytesSent, r.callerToCallee.picturesSent, r.callerToCallee.keyFramesSent)
            }
        var firsts: [TimeDelta] = []
        var detail: [(TimeDelta, UInt64, TimeDelta, TimeDelta, Int, Int, Int, Int)] = []
        for seed in 1...200 {
            var configuration = try VirtualCallConfiguration(link: "delay=50,loss=30")
            configuration.seed = UInt64(seed)
            configuration.hasAudio = true
            configuration.video = .synthetic(framesPerSecond: 30, bytesPerFrame: 5000, bytesPerKeyFrame: 20_000)
            let call = try VirtualCall(configuration)
            call.run(until: .zero + .seconds(5)) { $0.seenByCaller.pictures.isEmpty || $0.seenByCallee.pictures.isEmpty }
            let r = call.result()
            if let a = r.callerToCallee.firstPicture, let b = r.calleeToCaller.firstPicture {
                firsts.append(max(a, b) - .zero)
                let s = call.callerPeer.statistics(now: .zero).ice, t = call.calleePeer.statistics(now: .zero).ice
                detail.append((max(a,b) - .zero, UInt64(seed), max(r.callerConnected!, r.calleeConnected!) - .zero, max(call.callerPeer.milestones.pathFound! , call.calleePeer.milestones.pathFound!) - .zero - .seconds(1000), s.requestsSent, s.responsesReceived, t.requestsSent, t.responsesReceived))
            } else { print("seed", seed, "none") }
        }
        print(Quantile.of(firsts, 0.5)!, Quantile.of(firsts, 0.95)!, Quantile.of(firsts, 0.99)!, firsts.count)
        let c = detail.map { $0.2 }, p = detail.map { $0.3 }
        print("connected", Quantile.of(c, 0.5)!, Quantile.of(c, 0.95)!, "path", Quantile.of(p, 0.5)!, Quantile.of(p, 0.95)!, "first-connected", Quantile.of(detail.map { $0.0 - $0.2 }, 0.5)!, Quantile.of(detail.map { $0.0 - $0.2 }, 0.95)!)
        for d in detail.sorted(by: { $0.0 > $1.0 }).prefix(20) { print(d) }
    }
}

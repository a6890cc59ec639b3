import PetrelCore
import PetrelLab
import PetrelScenario
import Testing

@Suite struct CleanCallTests {
    @Test func trace() throws {
        for d in [20] {
        var configuration = try VirtualCallConfiguration(link: "delay=\(d)")
        configuration.duration = .seconds(4)
        configuration.video = .testCard(width: 640, height: 360, framesPerSecond: 30)
        let result = try VirtualCall(configuration).run()
        let x = result.callerToCallee
        print("first", x.firstPicture!, result.calleeConnected!, "first sound", x.sounds.first!.played)
        for (i, p) in x.pictures.enumerated() where i < 40 || i % 10 == 0 {
            let s = x.sounds.last { $0.played <= p.rendered }
            print(i, p.rendered, "v", p.rendered - p.captured, "a", s.flatMap { s in s.captured.map { s.played - $0 } } as Any)
        }
        }
    }
}

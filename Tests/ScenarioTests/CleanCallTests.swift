import PetrelCore
import PetrelLab
import PetrelScenario
import Testing

@Suite struct CleanCallTests {
    @Test func aCleanCallShowsAndSounds() throws {
        var configuration = try VirtualCallConfiguration(link: "delay=20")
        configuration.duration = .seconds(4)
        configuration.video = .testCard(width: 640, height: 360, framesPerSecond: 30)
        let call = try VirtualCall(configuration)
        let result = call.run()
        print("connected", result.callerConnected as Any, result.calleeConnected as Any, result.callerStates, result.calleeStates, call.signallingError as Any)
        for (name, direction) in [("->", result.callerToCallee), ("<-", result.calleeToCaller)] {
            let latency = direction.videoLatencies
            let audio = direction.audioLatencies
            print(
                name, "first", direction.firstPicture as Any, "sent", direction.picturesSent, "seen", direction.pictures.count,
                "video ms", Quantile.of(latency, 0.5) as Any, Quantile.of(latency, 0.95) as Any, "audio ms",
                Quantile.of(audio, 0.5) as Any, Quantile.of(audio, 0.95) as Any, "concealed", direction.concealedShare,
                "freezes", direction.freezes, "skew", Quantile.of(direction.skews.map { abs($0) }, 0.95) as Any)
        }
    }
}

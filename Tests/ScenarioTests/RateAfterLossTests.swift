import PetrelCongestion
import PetrelCore
import PetrelScenario
import Testing

/// What repair takes from the encoders it gives back.
@Suite struct RateAfterLossTests {
    @Test func theEncoderGetsItsRateBackWhenLossEnds() throws {
        var configuration = try VirtualCallConfiguration(link: "delay=20,loss=30;@6:loss=0")
        configuration.video = .testCard(width: 480, height: 270, framesPerSecond: 30)
        configuration.duration = .seconds(12)
        // The path is never thought to carry more, so what was taken for repair is missing until it is given back.
        configuration.bandwidth.maximum = .kilobitsPerSecond(2200)
        let result = try VirtualCall(configuration).run()
        for seen in [result.callerToCallee, result.calleeToCaller] {
            let during = seen.sentPictures.filter { $0.captured < .zero + .seconds(6) }.map(\.rate)
            #expect(try #require(during.min()) < .kilobitsPerSecond(1700))
            #expect(try #require(seen.sentPictures.last).rate == configuration.maximumVideoRate)
        }
    }
}

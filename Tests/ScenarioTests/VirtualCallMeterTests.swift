import PetrelCore
import PetrelScenario
import Testing

@Suite struct VirtualCallMeterTests {
    private func call() throws -> VirtualCall {
        var configuration = try VirtualCallConfiguration(link: "delay=20,loss=5")
        configuration.duration = .seconds(1)
        configuration.video = .testCard(width: 320, height: 180, framesPerSecond: 30)
        return try VirtualCall(configuration)
    }

    @Test func measuringChangesNothing() throws {
        let plain = try call().run()
        let metered = try call()
        var reading: Int64 = 0
        let meter = VirtualCallMeter {
            reading += 1
            return reading
        }
        metered.meter = meter
        let result = metered.run()
        #expect(result.traceHash == plain.traceHash)
        #expect(result.datagrams == plain.datagrams)
        // The clock moves on by one at each reading: a part has taken as much as it was called.
        let decoded = Int64(result.callerToCallee.pictures.count + result.calleeToCaller.pictures.count)
        #expect(meter.spent(.videoEncoder) >= Int64(result.callerToCallee.picturesSent))
        #expect(meter.spent(.videoDecoder) >= decoded && decoded > 0)
        for part in VirtualCallMeter.Part.allCases { #expect(meter.spent(part) > 0, "\(part)") }
    }

    @Test func theTestMediaAreNoCodec() {
        #expect(VirtualCallMeter.Part.allCases.filter { !$0.isCodec } == [.testMedia])
    }
}

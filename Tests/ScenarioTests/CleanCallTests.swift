import PetrelCore
import PetrelICE
import PetrelLab
import PetrelScenario
import Testing

/// Calls on a path without loss: what is left is the machine itself.
@Suite struct CleanCallTests {
    @Test(arguments: [0, 20, 50, 100]) func latencyIsTheWayAndLittleMore(oneWay: Int) throws {
        var configuration = try VirtualCallConfiguration.small("delay=\(oneWay)", seconds: 6)
        configuration.seed = UInt64(oneWay + 3)
        let call = try VirtualCall(configuration)
        let result = call.run()
        #expect(call.signallingError == nil)
        let way = Double(oneWay)
        for (name, direction) in result.directions {
            #expect(direction.videoLatency(0.5) <= way + 28, "\(name)")
            #expect(direction.videoLatency(0.95) <= way + 45, "\(name)")
            #expect(direction.audioLatency(0.5) <= way + 48, "\(name)")
            #expect(direction.audioLatency(0.95) <= way + 60, "\(name)")
            #expect(direction.freezes == 0, "\(name)")
            #expect(direction.decoderErrors == 0, "\(name)")
            #expect(direction.concealedBlocks == 0, "\(name)")
            #expect(direction.skewP95 <= 20, "\(name)")
            #expect(direction.framesPerSecond >= 29, "\(name)")
            #expect(direction.keyFramesSent == 1, "\(name)")
            // All but what is under way at the end.
            #expect(direction.pictures.count >= direction.picturesSent - 6, "\(name)")
            let stamps = direction.pictures.compactMap(\.stamp)
            #expect(stamps.count == direction.pictures.count, "every picture shows its counter")
            #expect(zip(stamps, stamps.dropFirst()).allSatisfy { $0 < $1 }, "pictures come in order")
            #expect(zip(direction.pictures, direction.pictures.dropFirst()).allSatisfy { $0.captured < $1.captured })
            // The voice is about as loud as it was made: silence or noise would be far off.
            let loud = direction.sounds.filter { $0.played > .zero + .seconds(1) }.map(\.level)
            let mean = loud.reduce(0, +) / Double(max(1, loud.count))
            #expect((200...12_000).contains(mean), "\(name) \(mean)")
        }
    }

    @Test func pictureAndSoundBeginTogether() throws {
        for seed in 1...4 {
            let result = try VirtualCall(.small("delay=30", seconds: 2, seed: UInt64(seed))).run()
            for (name, direction) in result.directions {
                #expect(direction.skewP95 <= 30, "\(name) seed \(seed)")
                let settled = direction.skews.dropFirst(6).map(abs)
                #expect((Quantile.of(settled, 0.95) ?? .infinity) <= 20, "\(name) seed \(seed)")
            }
        }
    }

    @Test func aCallIn720p() throws {
        var configuration = try VirtualCallConfiguration(link: "delay=20")
        configuration.duration = .seconds(3)
        let result = try VirtualCall(configuration).run()
        for (name, direction) in result.directions {
            #expect(direction.videoLatency(0.5) <= 48, "\(name)")
            #expect(direction.videoLatency(0.95) <= 65, "\(name)")
            #expect(direction.framesPerSecond >= 29, "\(name)")
            #expect(direction.freezes == 0, "\(name)")
        }
    }

    @Test func aCallOverIPv6WithTrickledCandidates() throws {
        var configuration = try VirtualCallConfiguration.synthetic("delay=20", seconds: 2)
        configuration.usesIPv6 = true
        configuration.trickleDelay = .milliseconds(20)
        let call = try VirtualCall(configuration)
        let result = call.run()
        #expect(call.signallingError == nil)
        for (name, direction) in result.directions {
            #expect(direction.framesPerSecond >= 29, "\(name)")
            #expect((direction.firstPicture ?? .distantFuture) <= .zero + .milliseconds(400), "\(name)")
        }
        #expect(call.callerLog.paths.first?.path.remote.family == .ipv6)
    }
}

internal import Petrel
internal import PetrelCodecs
internal import PetrelCore
internal import PetrelIO
internal import Testing

extension LiveTests {
    @Suite struct MediaTests {
        @Test func picturesAndSoundArriveBothWays() async throws {
            try await withPair { pair in
                for call in [pair.a, pair.b] {
                    try await call.addVideo(StampedCard())
                    try await call.addAudio(TestSpeechSource())
                }
                try await pair.connect()
                try await eventually("forty pictures and audible sound at both ends") {
                    pair.atA.pictures > 40 && pair.atB.pictures > 40 && pair.atA.recentPeak > 1000
                        && pair.atB.recentPeak > 1000
                }
                for witness in [pair.atA, pair.atB] {
                    let seen = witness.seen.withLock { $0 }
                    #expect(seen.unreadable == 0)
                    #expect(seen.stamps == seen.stamps.sorted(), "pictures come in order")
                    #expect(Set(seen.stamps).count == seen.stamps.count, "no picture comes twice")
                    #expect(seen.sizes == [VideoSize(width: 320, height: 240)])
                    let latency = seen.videoLatency.sorted()[seen.videoLatency.count / 2]
                    #expect(latency > 0 && latency < 500 * Double(patience), "latency of \(latency) ms")
                    let sound = try #require(seen.lastAudioLatency)
                    #expect(sound > 0 && sound < 500 * Double(patience), "latency of \(sound) ms")
                    #expect(seen.videoTracks.count == 1 && seen.audioTracks.count == 1)
                    #expect(seen.videoTracks.first?.stream == seen.audioTracks.first?.stream)
                    #expect(seen.states.contains(.connecting) && seen.states.contains(.connected))
                    #expect(seen.paths >= 1 && seen.candidates >= 1 && seen.endOfCandidates >= 1)
                }
            }
        }

        @Test func aMutedTrackIsStillAndSilent() async throws {
            try await withPair { pair in
                let video = try await pair.a.addVideo(StampedCard())
                let audio = try await pair.a.addAudio(TestSpeechSource())
                try await pair.connect()
                try await eventually("media before") { pair.atB.pictures > 5 && pair.atB.recentPeak > 1000 }

                video.isMuted = true
                audio.isMuted = true
                #expect(video.isMuted && audio.isMuted)
                try await Task.sleep(for: .milliseconds(500 * patience))
                let (before, blocks) = pair.atB.seen.withLock { ($0.stamps.count, $0.blocks) }
                pair.atB.forgetSound()
                try await eventually("1.5 s of sound while muted") { pair.atB.hasFullWindow }
                #expect(pair.atB.recentPeak < 100, "silence is sent")
                #expect(pair.atB.stamps.count == before, "no picture is sent")
                #expect(pair.atB.seen.withLock { $0.blocks } > blocks, "sound goes on")

                video.isMuted = false
                audio.isMuted = false
                try await eventually("media again") {
                    pair.atB.stamps.count > before + 10 && pair.atB.recentPeak > 1000
                }
                let after = pair.atB.stamps
                #expect(after[before] > after[before - 1], "no picture from before the pause comes late")
            }
        }

        @Test func anotherSourceTakesOver() async throws {
            try await withPair { pair in
                let first = StampedCard()
                let video = try await pair.a.addVideo(first)
                let audio = try await pair.a.addAudio()
                try await pair.connect()
                try await eventually("the first source") { pair.atB.pictures > 5 }

                video.replaceSource(StampedCard(first: 500))
                audio.replaceSource(TestSpeechSource())
                try await eventually("the second source") {
                    pair.atB.stamps.count { $0 >= 500 } > 10 && pair.atB.recentPeak > 1000
                }
                let stamps = pair.atB.stamps
                let turn = try #require(stamps.firstIndex { $0 >= 500 })
                #expect(stamps[turn...].allSatisfy { $0 >= 500 }, "nothing of the first source comes any more")
                let asked = first.count.withLock { $0 }
                try await Task.sleep(for: .milliseconds(300))
                #expect(first.count.withLock { $0 } == asked, "the first source is not asked any more")

                video.replaceSource(nil)
                try await Task.sleep(for: .milliseconds(500 * patience))
                let still = pair.atB.pictures
                video.send(StampedCard(first: 900).nextPicture() ?? I420Buffer(width: 320, height: 240))
                try await eventually("a picture of the application's") { pair.atB.stamps.last == 900 }
                #expect(pair.atB.pictures == still + 1)
            }
        }

        @Test func limitsHoldFromTheMomentTheyAreSet() async throws {
            try await withPair { pair in
                let card = StampedCard(width: 640, height: 480)
                let video = try await pair.a.addVideo(card)
                try await pair.connect()
                try await eventually("the whole size") {
                    pair.atB.seen.withLock { $0.sizes.contains(VideoSize(width: 640, height: 480)) }
                }
                pair.a.limitVideo(to: VideoSize(width: 320, height: 320))
                try await eventually("the smaller size, in shape") {
                    pair.atB.seen.withLock { $0.sizes.contains(VideoSize(width: 320, height: 240)) }
                }
                try await pair.a.setVideoLimits(maximumKilobitsPerSecond: 200)
                try await eventually("the lower target") {
                    try await pair.a.statistics().outbound.first?.targetBitrate ?? 0 <= 200_000
                }
                // Three seconds at the new rate: the encoder needs one to come down.
                try await Task.sleep(for: .seconds(1))
                let one = try await pair.a.statistics()
                try await Task.sleep(for: .seconds(3))
                let two = try await pair.a.statistics()
                let bytes = (two.outbound.first?.bytesSent ?? 0) - (one.outbound.first?.bytesSent ?? 0)
                let seconds = Double(two.unixNanoseconds - one.unixNanoseconds) / 1e9
                let kilobits = Double(bytes) * 8 / 1000 / seconds
                #expect(kilobits > 20 && kilobits < 300, "\(kilobits) kbit/s at a limit of 200")

                video.limit(kilobitsPerSecond: 100)
                #expect(try await pair.a.statistics().outbound.first?.targetBitrate == 100_000)
                video.limit(kilobitsPerSecond: nil)
                try await pair.a.setVideoLimits(maximumKilobitsPerSecond: 3000)
                try await eventually("a higher target") {
                    try await pair.a.statistics().outbound.first?.targetBitrate ?? 0 > 250_000
                }
                await #expect(throws: CallError.self) {
                    try await pair.a.setVideoLimits(maximumKilobitsPerSecond: 100, minimumKilobitsPerSecond: 200)
                }
                await #expect(throws: CallError.self) {
                    try await pair.a.setVideoLimits(maximumKilobitsPerSecond: .max)
                }
            }
        }

        @Test func twoTracksShareTheRate() async throws {
            let configuration = Pair.configuration { $0.maximumVideoKilobitsPerSecond = 400 }
            try await withPair(configuration) { pair in
                try await pair.a.addVideo(StampedCard())
                try await pair.a.addVideo(StampedCard(first: 500))
                try await pair.connect()
                try await eventually("both") {
                    pair.atB.stamps.contains { $0 < 500 } && pair.atB.stamps.contains { $0 >= 500 }
                }
                try await eventually("half of it each") {
                    try await pair.a.statistics().outbound.allSatisfy { $0.targetBitrate <= 200_000 }
                }
                #expect(try await pair.a.statistics().outbound.count == 2)
            }
        }

        @Test func aKeyFrameComesWhenItIsAskedFor() async throws {
            try await withPair { pair in
                let video = try await pair.a.addVideo(StampedCard())
                try await pair.connect()
                try await eventually("pictures") { pair.atB.pictures > 10 }
                try await Task.sleep(for: .milliseconds(500))
                let before = pair.atB.seen.withLock { $0.keyFrames }
                #expect(before >= 1)
                pair.atB.seen.withLock { $0.videoTracks }.first?.requestKeyFrame()
                try await eventually("a key frame for the receiver") {
                    pair.atB.seen.withLock { $0.keyFrames } > before
                }
                let asked = try await pair.a.statistics().outbound.first
                #expect((asked?.pliCount ?? 0) + (asked?.firCount ?? 0) >= 1)

                let between = pair.atB.seen.withLock { $0.keyFrames }
                video.requestKeyFrame()
                try await eventually("a key frame of the sender's own") {
                    pair.atB.seen.withLock { $0.keyFrames } > between
                }
            }
        }

        @Test func tracksComeAndGoByANewOffer() async throws {
            try await withPair { pair in
                let audio = try await pair.a.addAudio(TestSpeechSource())
                try await pair.connect()
                try await eventually("sound alone") { pair.atB.recentPeak > 1000 }

                let video = try await pair.a.addVideo(StampedCard())
                try await Task.sleep(for: .milliseconds(200))
                #expect(pair.atB.pictures == 0, "nothing is sent before it is negotiated")
                try await pair.negotiate()
                try await eventually("a picture as well") { pair.atB.pictures > 10 }

                // The other side joins in, and offers itself.
                try await pair.b.addVideo(StampedCard(first: 300))
                try await pair.a.accept(
                    answer: "v=0", expectingFailure: "an answer without an offer of ours")
                let offer = try await pair.b.createOffer()
                try await pair.b.accept(answer: try await pair.a.answer(offer))
                try await eventually("a picture the other way") { pair.atA.pictures > 10 }

                try await pair.a.remove(video)
                try await pair.negotiate()
                try await eventually("the end of the track") { !pair.atB.seen.withLock { $0.ended }.isEmpty }
                let count = pair.atB.pictures
                try await Task.sleep(for: .milliseconds(300))
                #expect(pair.atB.pictures == count, "nothing of a track that has ended is handed over")
                #expect(pair.a.callState == .connected && pair.b.callState == .connected)
                try await eventually("sound goes on") { pair.atB.recentPeak > 1000 }

                // A track that comes after one that went uses its place.
                try await pair.a.addVideo(StampedCard(first: 700))
                try await pair.negotiate()
                try await eventually("a third track") { pair.atB.stamps.contains { $0 >= 700 } }
                try await pair.a.remove(audio)
                try await pair.negotiate()
                try await eventually("the end of the sound") { pair.atB.seen.withLock { $0.ended.count } >= 2 }
            }
        }

        @Test func sequencesEndWithTheCall() async throws {
            let pair = try await Pair()
            try await pair.a.addVideo(StampedCard())
            try await pair.a.addAudio(TestSpeechSource())
            try await pair.connect()
            try await eventually("tracks") {
                pair.atB.seen.withLock { !$0.videoTracks.isEmpty && !$0.audioTracks.isEmpty }
            }
            let (video, audio) = pair.atB.seen.withLock { ($0.videoTracks, $0.audioTracks) }
            let pictures = video[0].pictures
            let sound = audio[0].audio
            let seeing = Task {
                var count = 0
                for await _ in pictures { count += 1 }
                return count
            }
            let hearing = Task {
                var count = 0
                for await _ in sound { count += 1 }
                return count
            }
            let before = pair.atB.pictures
            try await eventually("more pictures") { pair.atB.pictures > before + 10 }
            await pair.close()
            #expect(await seeing.value > 0)
            #expect(await hearing.value > 0)
            // One that is asked for afterwards is over at once.
            for await _ in video[0].pictures { Issue.record("a picture after the end") }
            #expect(pair.atB.seen.withLock { $0.streamHasEnded })
        }

        /// C54: an encoder makes forward error correction where the other side asks for it, and never otherwise.
        @Test func soundIsDoubledOnlyWhereItIsAskedFor() async throws {
            try await withPair { pair in
                // The rewritten answer is all that A knows.
                func negotiate(fec: Bool) async throws {
                    let answer = try await pair.b.answer(try await pair.a.createOffer())
                    #expect(answer.contains(";useinbandfec=1"), "there is something to take away")
                    try await pair.a.accept(answer: fec ? answer : answer.replacing(";useinbandfec=1", with: ""))
                }
                try await pair.a.addAudio(TestSpeechSource())
                try await negotiate(fec: false)
                try await pair.connected()
                let counts = Lock((all: 0, doubled: 0))
                try await eventually("a track") { !pair.atB.seen.withLock { $0.audioTracks }.isEmpty }
                let track = try #require(pair.atB.seen.withLock { $0.audioTracks }.first)
                track.onEncodedPacket { packet in
                    let isDoubled = OpusDecoder.hasFEC(packet.payload.bytes)
                    counts.withLock { $0 = ($0.all + 1, $0.doubled + (isDoubled ? 1 : 0)) }
                }
                try await eventually("three seconds of sound") { counts.withLock { $0.all } >= 150 }
                #expect(counts.withLock { $0.doubled } == 0)

                // The control, which a new offer brings about; and back again.
                try await negotiate(fec: true)
                try await eventually("sound with copies of itself") { counts.withLock { $0.doubled } > 20 }
                try await negotiate(fec: false)
                try await Task.sleep(for: .milliseconds(500 * patience))
                counts.withLock { $0 = (0, 0) }
                try await eventually("two seconds of sound") { counts.withLock { $0.all } >= 100 }
                #expect(counts.withLock { $0.doubled } == 0)
            }
        }

        @Test func stereoStaysStereo() async throws {
            let stereo = Pair.configuration { $0.receivedAudioChannels = 2 }
            try await withPair(Pair.configuration(), stereo) { pair in
                let left = try await pair.a.addAudio(channels: 2)
                let loudest = Lock([0, 0])
                try await pair.connect()
                try await eventually("a track") {
                    // A tone on the left alone.
                    left.send((0..<1920).map { $0 % 2 == 0 && $0 / 2 % 96 < 48 ? 8000 : 0 })
                    return !pair.atB.seen.withLock { $0.audioTracks }.isEmpty
                }
                let track = try #require(pair.atB.seen.withLock { $0.audioTracks }.first)
                #expect(track.channels == 2)
                track.onAudio { sound in
                    loudest.withLock { loudest in
                        for (index, sample) in sound.samples.enumerated() {
                            loudest[index % 2] = max(loudest[index % 2], abs(Int(sample)))
                        }
                    }
                }
                try await eventually("the tone on the left") {
                    left.send((0..<1920).map { $0 % 2 == 0 && $0 / 2 % 96 < 48 ? 8000 : 0 })
                    return loudest.withLock { $0[0] } > 3000
                }
                #expect(loudest.withLock { $0[1] < $0[0] / 2 })
            }
        }
    }
}

extension Call {
    /// Expects a typed error, and the call to go on.
    func accept(answer: String, expectingFailure what: Comment) async throws {
        await #expect(throws: CallError.self, what) { try await self.accept(answer: answer) }
    }
}

internal import Petrel
internal import PetrelIO
internal import Testing

extension LiveTests {
    @Suite struct StatisticsTests {
        @Test func countsArePlausibleAndOnlyGrow() async throws {
            try await withPair { pair in
                try await pair.a.addVideo(StampedCard())
                try await pair.a.addAudio(TestSpeechSource())
                try await pair.connect()
                try await eventually("pictures") { pair.atB.pictures > 20 }
                var (lastA, lastB) = (try await pair.a.statistics(), try await pair.b.statistics())
                let start = (lastA, lastB)
                for _ in 0..<6 {
                    try await Task.sleep(for: .milliseconds(500))
                    // The receiver first: what it has must have been sent.
                    let b = try await pair.b.statistics()
                    let a = try await pair.a.statistics()
                    expectGrowth(lastA, a)
                    expectGrowth(lastB, b)
                    (lastA, lastB) = (a, b)
                }
                let seconds = Double(lastA.unixNanoseconds - start.0.unixNanoseconds) / 1e9
                let sent = try #require(lastA.outbound.first { $0.kind == "video" })
                let sentBefore = try #require(start.0.outbound.first { $0.kind == "video" })
                let got = try #require(lastB.inbound.first { $0.kind == "video" })
                let rate = Double(sent.framesSent - sentBefore.framesSent) / seconds
                if patience == 1 { #expect(rate > 10 && rate < 25, "\(rate) pictures a second of 20") }
                #expect(sent.frameWidth == 320 && sent.frameHeight == 240)
                #expect(got.frameWidth == 320 && got.frameHeight == 240)
                #expect(sent.framesEncoded >= sent.framesSent && sent.totalEncodeTime > 0)
                #expect(sent.packetsSent >= sent.framesSent && sent.bytesSent > sent.mediaBytes / 2)
                #expect(sent.targetBitrate > 100_000 && sent.targetBitrate <= 1_000_000)
                #expect(got.framesDecoded >= got.framesRendered && got.framesReceived >= got.framesDecoded)
                #expect(got.totalDecodeTime > 0 && got.jitterBufferEmittedCount > 0)
                #expect(got.ssrc == sent.ssrc)
                #expect(got.packetsReceived <= sent.packetsSent + sent.retransmittedPacketsSent)
                let heard = try #require(lastB.inbound.first { $0.kind == "audio" })
                #expect(Double(heard.totalSamplesReceived) > 48_000 * 2)
                #expect(heard.concealedSamples <= heard.totalSamplesReceived)
                #expect(heard.jitter >= 0 && heard.jitter < 1)

                let transport = lastA.transport
                #expect(transport.packetsSent > 0 && transport.bytesSent > transport.packetsSent * 20)
                #expect(transport.sendFailures == 0)
                #expect(transport.requestsSent >= transport.responsesReceived && transport.responsesReceived > 0)
                let roundTrip = try #require(transport.currentRoundTripTime)
                #expect(roundTrip >= 0 && roundTrip < Double(patience))
                #expect(transport.availableOutgoingBitrate > 100_000)
                // Both ends of a path without loss count the same, but for what is on its way.
                let (out, into) = (lastA.transport.packetsSent, lastB.transport.packetsReceived)
                #expect(into <= out + 100 && out <= into + 100, "\(out) sent, \(into) received")
                let (path, secured) = (try #require(lastB.pathFoundAt), try #require(lastB.securedAt))
                let picture = try #require(lastB.firstVideoFrameAt)
                #expect(path <= secured && secured <= picture)
                #expect(try #require(lastB.firstAudioAt) >= path)
                try await eventually("a measured skew") { try await pair.b.statistics().avSkewMilliseconds != nil }
            }
        }

        private func expectGrowth(_ old: CallStatistics, _ new: CallStatistics) {
            #expect(new.unixNanoseconds > old.unixNanoseconds)
            for (one, two) in zip(old.outbound, new.outbound) {
                #expect(one.ssrc == two.ssrc && one.trackNumber == two.trackNumber)
                #expect(two.packetsSent >= one.packetsSent && two.bytesSent >= one.bytesSent)
                #expect(two.framesSent >= one.framesSent && two.framesEncoded >= one.framesEncoded)
                #expect(two.retransmittedPacketsSent >= one.retransmittedPacketsSent)
                #expect(two.keyFramesEncoded >= one.keyFramesEncoded && two.mediaBytes >= one.mediaBytes)
                #expect(two.totalEncodeTime >= one.totalEncodeTime)
            }
            for (one, two) in zip(old.inbound, new.inbound) {
                #expect(one.ssrc == two.ssrc)
                #expect(two.packetsReceived >= one.packetsReceived && two.bytesReceived >= one.bytesReceived)
                #expect(two.framesReceived >= one.framesReceived && two.framesDecoded >= one.framesDecoded)
                #expect(two.framesRendered >= one.framesRendered && two.framesDropped >= one.framesDropped)
                #expect(two.totalSamplesReceived >= one.totalSamplesReceived)
                #expect(two.concealedSamples >= one.concealedSamples)
                #expect(two.jitterBufferEmittedCount >= one.jitterBufferEmittedCount)
                #expect(two.jitterBufferDelay >= one.jitterBufferDelay)
                #expect(two.totalFreezesDuration >= one.totalFreezesDuration && two.freezeCount >= one.freezeCount)
            }
            #expect(new.transport.packetsSent >= old.transport.packetsSent)
            #expect(new.transport.packetsReceived >= old.transport.packetsReceived)
            #expect(new.transport.bytesSent >= old.transport.bytesSent)
            #expect(new.transport.requestsSent >= old.transport.requestsSent)
        }
    }
}

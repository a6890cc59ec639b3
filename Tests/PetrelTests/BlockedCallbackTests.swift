internal import Logging
internal import Petrel
internal import PetrelCodecs
internal import PetrelCore
internal import PetrelIO
internal import Testing

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

extension LiveTests {
    /// What the application does in its functions, and how long, never holds up ICE and RTCP (C80).
    @Suite struct BlockedCallbackTests {
        /// Longer than the time between two checks for consent (RFC 7675 section 5.1: 4 to 6 s), and much longer than
        /// ICE takes to notice a path that has gone quiet.
        static let blockSeconds: UInt32 = 7

        /// Watches a connected pair while `block` is in force: consent is asked and answered, nobody is disconnected.
        private func expectLife(_ pair: Pair) async throws {
            let (before, beforeB) = (try await pair.a.statistics(), try await pair.b.statistics())
            let began = MonotonicClock.now
            while (MonotonicClock.now - began).seconds < Double(Self.blockSeconds) - 0.5 {
                try await Task.sleep(for: .milliseconds(200))
                #expect(pair.a.callState == .connected && pair.b.callState == .connected)
            }
            let (after, afterB) = (try await pair.a.statistics(), try await pair.b.statistics())
            #expect(after.transport.responsesReceived > before.transport.responsesReceived, "consent is fresh")
            #expect(afterB.transport.responsesReceived > beforeB.transport.responsesReceived, "consent is fresh")
            #expect(after.transport.packetsReceived > before.transport.packetsReceived, "feedback comes")
            #expect(after.outbound.map(\.packetsSent).reduce(0, +) > before.outbound.map(\.packetsSent).reduce(0, +))
        }

        @Test func aSinkThatBlocks() async throws {
            try await withPair { pair in
                try await pair.a.addVideo(StampedCard(framesPerSecond: 30))
                try await pair.a.addAudio(TestSpeechSource())
                try await pair.connect()
                try await eventually("media") { pair.atB.pictures > 10 && pair.atB.recentPeak > 1000 }
                let blocks = Lock(2)
                let block: @Sendable () -> Void = {
                    let isMine = blocks.withLock { blocks in
                        blocks -= 1
                        return blocks >= 0
                    }
                    if isMine { sleep(Self.blockSeconds) }
                }
                let (video, audio) = pair.atB.seen.withLock { ($0.videoTracks[0], $0.audioTracks[0]) }
                // One each: the first call of each of them blocks its own track's thread.
                let (first, second) = (Lock(true), Lock(true))
                video.onFrame { _ in
                    if first.withLock({ first in
                        defer { first = false }; return first
                    }) {
                        block()
                    }
                }
                audio.onAudio { _ in
                    if second.withLock({ second in
                        defer { second = false }; return second
                    }) {
                        block()
                    }
                }
                try await eventually("both to block") { blocks.withLock { $0 <= 0 } }
                try await expectLife(pair)
                let frames = pair.atB.pictures
                try await eventually("pictures again") { pair.atB.pictures > frames + 10 }
                pair.atB.forgetSound()
                try await eventually("sound again") { pair.atB.recentPeak > 1000 }
                // Caught up: what is shown and heard is new again.
                try await eventually("sound without delay", within: 5) {
                    pair.atB.seen.withLock { $0.lastAudioLatency ?? 10_000 } < 500 * Double(patience)
                }
                try await eventually("pictures without delay", within: 5) {
                    pair.atB.seen.withLock { $0.videoLatency.last ?? 10_000 } < 500 * Double(patience)
                }
                #expect(pair.atB.seen.withLock { $0.unreadable } == 0)
            }
        }

        private final class BlockingCard: VideoSource {
            let framesPerSecond = 30.0
            private let card = StampedCard()
            private let count = Lock(0)
            func nextPicture() -> I420Buffer? {
                let index = count.withLock { count in
                    count += 1
                    return count
                }
                if index == 20 { sleep(BlockedCallbackTests.blockSeconds) }
                return card.nextPicture()
            }
        }

        @Test func sourcesAndEncoderWatchersThatBlock() async throws {
            try await withPair { pair in
                try await pair.a.addVideo(BlockingCard())
                let watched = try await pair.a.addVideo(StampedCard(first: 500))
                try await pair.a.addAudio(TestSpeechSource())
                try await pair.connect()
                try await eventually("media") { pair.atB.pictures > 10 && pair.atB.recentPeak > 1000 }
                let isFirst = Lock(true)
                watched.onEncode { _, _ in
                    if isFirst.withLock({ first in
                        defer { first = false }; return first
                    }) {
                        sleep(Self.blockSeconds)
                    }
                }
                try await expectLife(pair)
                let last = pair.atB.stamps.count
                try await eventually("both again") {
                    let new = pair.atB.stamps.dropFirst(last)
                    return new.contains { $0 < 500 } && new.contains { $0 >= 500 }
                }
            }
        }

        @Test func aLogHandlerThatBlocks() async throws {
            let blocked = Lock(0)
            let logged = Pair.configuration {
                $0.logger = Logger(label: "petrel.test") { _ in
                    KeepingHandler(
                        lines: Lock([]),
                        onLine: {
                            let isFirst = blocked.withLock { blocked in
                                blocked += 1
                                return blocked == 1
                            }
                            if isFirst { sleep(Self.blockSeconds) }
                        })
                }
                $0.logger.logLevel = .trace
            }
            try await withPair(logged) { pair in
                try await pair.a.addAudio(TestSpeechSource())
                try await pair.connect()
                #expect(
                    blocked.withLock { $0 } >= 1,
                    "the first line blocks, for longer than it takes to connect on a quiet machine")
                try await expectLife(pair)
                try await eventually("the other lines") { blocked.withLock { $0 } > 1 }
            }
        }

        @Test func nobodyReadsTheEvents() async throws {
            let a = try await Call(Pair.configuration())
            let b = try await Call(Pair.configuration())
            try await a.addAudio(TestSpeechSource())
            try await a.accept(answer: try await b.answer(try await a.createOffer()))
            try await a.connected()
            try await b.connected()
            try await eventually("sound") {
                try await b.statistics().inbound.first?.totalSamplesReceived ?? 0 > 48_000
            }
            await a.close()
            await b.close()
            var states: [CallState] = []
            for await event in a.events { if case .state(let state, _) = event { states.append(state) } }
            #expect(states == [.connecting, .connected, .closed])
        }
    }
}

import Foundation
import Petrel
import PetrelIO
import PetrelServer
import Testing

extension ServerTests {
    @Suite struct CallTests {
        @Test func theFilmIsSeenAndHeard() async throws {
            try await withServer { client, server in
                try await withCaller(sends: true) { caller in
                    let reply = try await caller.dial(client, "/call")
                    #expect(reply.headers["content-type"] == "application/sdp")
                    #expect(reply.headers["accept-patch"] == "application/trickle-ice-sdpfrag")
                    #expect(reply.headers["etag"]?.hasPrefix("\"") == true)
                    let location = try #require(reply.headers["location"])
                    #expect(location.hasPrefix("/call/"))
                    #expect(location.count >= "/call/".count + 32, "at least 128 random bits")
                    try await caller.media(30)
                    // The counter of the film, in order: it is the film, and no picture comes twice.
                    let stamps = caller.seen.withLock { $0.stamps }
                    #expect(zip(stamps, stamps.dropFirst()).allSatisfy { $0 < $1 }, "\(stamps)")
                    #expect(caller.seen.withLock { $0.unreadable } == 0)
                    #expect(await server.peers == 1)
                    #expect(try await client.delete(location).status == 200)
                    try await eventually("the caller is told") { caller.seen.withLock { $0.failure } != nil }
                    #expect(caller.seen.withLock { $0.failure } == "the other side has ended the call")
                    #expect(try await client.delete(location).status == 404)
                    #expect(await server.peers == 0)
                }
            }
        }

        @Test func ownPictureAndVoiceComeBack() async throws {
            try await withServer { client, _ in
                try await withCaller(sends: true) { caller in
                    let reply = try await caller.dial(client, "/call?media=echo")
                    try await caller.media(30)
                    let statistics = try await client.get("\(reply.headers["location"] ?? "")/statistics")
                    #expect(statistics.status == 200)
                    #expect(statistics.json["state"] as? String == "connected")
                    let all = try #require(statistics.json["statistics"] as? [[String: Any]])
                    for type in ["outbound-rtp", "inbound-rtp"] {
                        for kind in ["audio", "video"] {
                            let found = all.first { $0["type"] as? String == type && $0["kind"] as? String == kind }
                            let count = found?[type == "inbound-rtp" ? "packetsReceived" : "packetsSent"] as? Int
                            #expect((count ?? 0) > 0, "\(type) \(kind)")
                        }
                    }
                    #expect(all.contains { $0["type"] as? String == "candidate-pair" })
                }
            }
        }

        @Test func aClientThatOnlyListensHears() async throws {
            try await withServer { client, _ in
                let caller = try await Caller()
                try await caller.call.receiveOnly(video: false, audio: true)
                try await caller.dial(client, "/call")
                try await eventually("sound") { caller.loud > 4800 }
                #expect(caller.pictures == 0)
                await caller.close()
            }
        }

        @Test func aPictureIsAddedStoppedAndAddedAgainInMidCall() async throws {
            try await withServer { client, _ in
                let caller = try await Caller()
                try await caller.call.addAudio(TestSpeechSource())
                let reply = try await caller.dial(client, "/call?media=echo")
                let location = try #require(reply.headers["location"])
                try await eventually("sound") { caller.loud > 4800 }

                let first = try await caller.call.addVideo(StampedCard())
                let second = try await caller.dial(client, location)
                #expect(second.status == 200)
                #expect(second.headers["etag"] == reply.headers["etag"], "ICE has not restarted")
                try await caller.media()

                try await caller.call.remove(first)
                try await caller.dial(client, location)
                try await Task.sleep(for: .milliseconds(500))
                let before = caller.pictures
                try await Task.sleep(for: .milliseconds(500))
                #expect(caller.pictures <= before + 2)

                try await caller.call.addVideo(StampedCard())
                try await caller.dial(client, location)
                try await caller.media()
                await caller.close()
            }
        }

        @Test func aBadNewOfferLeavesTheCallAsItIs() async throws {
            try await withServer { client, _ in
                try await withCaller(sends: true) { caller in
                    let offer = try await caller.call.createOffer()
                    let reply = try await client.post("/call?media=echo", sdp: offer)
                    try await caller.call.accept(answer: reply.body)
                    let location = try #require(reply.headers["location"])
                    try await caller.media()
                    // Only one of the two credentials changes (RFC 8839 section 4.4.1.1.1 wants both).
                    let ufrag = try #require(Description.value("ice-ufrag", in: offer))
                    let half = offer.replacingOccurrences(of: "a=ice-ufrag:\(ufrag)", with: "a=ice-ufrag:other123")
                    #expect(try await client.post(location, sdp: half).status == 422)
                    #expect(try await client.post(location, sdp: "v=0\r\n").status == 400)
                    #expect(
                        try await client.post(location, sdp: offer.replacingOccurrences(of: "m=video", with: "m=text"))
                            .status == 422)
                    try await caller.media()
                }
            }
        }

        @Test func stoppingTheServerEndsTheCalls() async throws {
            try await withCaller(sends: false) { caller in
                try await withServer { client, _ in
                    try await caller.dial(client, "/call")
                    try await caller.media()
                }
                try await eventually("the caller is told", within: 5) { caller.seen.withLock { $0.failure } != nil }
                #expect(caller.seen.withLock { $0.failure } == "the other side has ended the call")
            }
        }
    }
}

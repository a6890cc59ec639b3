import Foundation
import Petrel
import PetrelLab
import PetrelServer
import Testing

extension ServerTests {
    /// The lab's network between client and peer.
    @Suite struct LinkTests {
        @Test func mediaGoesThroughTheRelayAndNowhereElse() async throws {
            try await withServer {
                $0.link = try? LabProfile.link("delay=5")
            } _: { client, _ in
                try await withCaller(sends: true) { caller in
                    let reply = try await caller.dial(client, "/call?media=echo")
                    #expect(Description.candidates(reply.body).count >= 1)
                    let ports = Set(Description.candidates(reply.body).map { $0.split(separator: " ")[5] })
                    #expect(ports.count == 1, "the relay stands for the peer: \(Description.candidates(reply.body))")
                    try await caller.media(20)

                    let black = try await put(client, ["text": "loss=100"])
                    #expect(black.status == 200)
                    // What is in flight still comes.
                    try await Task.sleep(for: .milliseconds(1000))
                    let before = caller.pictures
                    try await Task.sleep(for: .milliseconds(1000))
                    #expect(caller.pictures == before, "everything crosses the relay")

                    #expect(try await put(client, ["ab": ["loss": 0], "ba": ["loss": 0]]).status == 200)
                    try await caller.media(10)
                }
            }
        }

        @Test func aRestartGoesThroughTheRelayToo() async throws {
            try await withServer {
                $0.link = try? LabProfile.link("delay=2")
            } _: { client, _ in
                try await withCaller(sends: true) { caller in
                    let reply = try await caller.dial(client, "/call")
                    try await caller.media()
                    let again = try await client.post(
                        reply.headers["location"] ?? "", sdp: try await caller.call.restart())
                    #expect(again.status == 200)
                    try await caller.call.accept(answer: again.body)
                    try await caller.media(20)
                }
            }
        }

        @Test func theNetworkIsReadAndChanged() async throws {
            try await withServer {
                $0.link = try? LabProfile.link("delay=20,loss=5")
            } _: { client, _ in
                let before = try await client.get("/link")
                #expect(before.status == 200)
                let ab = try #require(before.json["ab"] as? [String: Any])
                #expect(ab["delay"] as? Double == 20)
                #expect(ab["loss"] as? Double == 5)
                #expect(ab["rate"] is NSNull)
                #expect(ab["text"] as? String == "delay=20,loss=5")

                // What is left out stays.
                let changed = try await put(client, ["ba": ["loss": 30, "rate": 700.5, "burstLoss": 8]])
                #expect(changed.status == 200)
                #expect((changed.json["ab"] as? [String: Any])?["text"] as? String == "delay=20,loss=5")
                #expect(
                    (changed.json["ba"] as? [String: Any])?["text"] as? String == "delay=20,loss=30,ge=8,rate=700.5")
                let unlimited = try await put(client, ["ba": ["rate": NSNull(), "text": "delay=1,rate=500"]])
                #expect((unlimited.json["ba"] as? [String: Any])?["text"] as? String == "delay=1")
                let named = try await put(client, ["text": "wifi-bad"])
                #expect((named.json["ab"] as? [String: Any])?["delay"] as? Double == 15)

                for (body, status) in [
                    ("", 400), ("[]", 400), ("{\"ab\": 5}", 400), ("{\"ab\": {\"loss\": \"much\"}}", 400),
                    ("{\"ab\": {\"loss\": 101}}", 422), ("{\"ab\": {\"loss\": -1}}", 422),
                    ("{\"ab\": {\"loss\": 1e300}}", 422), ("{\"ab\": {\"delay\": 1e8}}", 422),
                    ("{\"ab\": {\"mood\": 1}}", 422), ("{\"cd\": {}}", 422), ("{\"text\": \"delai=1\"}", 422),
                    ("{\"ab\": {\"loss\": 7}, \"ba\": {\"loss\": 700}}", 422), ("{\"text\": 5}", 400),
                    (String(repeating: "[", count: 60_000), 400),
                ] {
                    let reply = try await client.request(
                        "PUT", "/link", ["Content-Type": "application/json"], body: body)
                    #expect(reply.status == status, "\(body.prefix(60)): \(reply)")
                }
                let after = try await client.get("/link")
                #expect(after.body == named.body, "what is refused changes nothing")
                #expect(
                    try await client.request("PUT", "/link", ["Content-Type": "text/plain"], body: "{}").status == 415)
                #expect(try await client.get("/status").json["link"] as? Bool == true)
            }
        }

        @Test func withoutALinkThereIsNone() async throws {
            try await withServer { client, _ in
                let (got, changed) = (try await client.get("/link"), try await put(client, ["text": "loss=5"]))
                #expect(got.status == 404)
                #expect(changed.status == 404)
                let status = try await client.get("/status")
                #expect(status.json["link"] as? Bool == false)
            }
        }

        private func put(_ client: HTTPClient, _ object: [String: Any]) async throws -> Reply {
            let body = String(decoding: try JSONSerialization.data(withJSONObject: object), as: UTF8.self)
            return try await client.request("PUT", "/link", ["Content-Type": "application/json"], body: body)
        }
    }
}

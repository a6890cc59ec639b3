import Foundation
import Petrel
import PetrelServer
import Testing

extension ServerTests {
    /// What is answered to what cannot be done: docs/server.md has the table.
    @Suite struct RefusalTests {
        private static let minimal = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"

        @Test func addressesOfNothing() async throws {
            try await withServer { client, _ in
                for path in [
                    "/nothing", "/call/", "/call//", "/call/../status", "/whip", "/whep/", "/whip/a%2Fb",
                    "/whip/.hidden",
                    "/whip/a/b/c/d", "/CALL", "/whep/\(String(repeating: "n", count: 65))", "//status",
                    "/call/%2e%2e/status", "/link",
                ] {
                    let reply = try await client.get(path)
                    #expect(reply.status == 404, "\(path)")
                }
                for path in ["/call/0123456789abcdef0123456789abcdef", "/whip/a/b", "/whep/film/1"] {
                    #expect(try await client.delete(path).status == 404, "\(path)")
                    #expect(try await client.patch(path, "a=end-of-candidates\r\n", ifMatch: "*").status == 404)
                    #expect(try await client.get(path + "/statistics").status == 404, "\(path)")
                }
            }
        }

        @Test func methods() async throws {
            try await withServer { client, _ in
                for (method, path, allow) in [
                    ("POST", "/", "GET, HEAD, OPTIONS"), ("GET", "/call", "POST, OPTIONS"),
                    ("PUT", "/whip/a", "POST, OPTIONS"), ("HEAD", "/whep/film", "POST, OPTIONS"),
                    ("PUT", "/call/x", "POST, PATCH, DELETE, OPTIONS"), ("POST", "/whip/a/x", "PATCH, DELETE, OPTIONS"),
                    ("DELETE", "/status", "GET, HEAD, OPTIONS"), ("TRACE", "/status", "GET, HEAD, OPTIONS"),
                ] {
                    let reply = try await client.request(method, path)
                    #expect(reply.status == 405, "\(method) \(path)")
                    #expect(reply.headers["allow"] == allow, "\(method) \(path)")
                }
            }
        }

        @Test func whatAPageOfAnotherOriginMay() async throws {
            try await withServer { client, _ in
                let preflight = try await client.request(
                    "OPTIONS", "/whip/a",
                    ["Origin": "https://example.org", "Access-Control-Request-Method": "POST"])
                #expect(preflight.status == 204)
                #expect(preflight.headers["access-control-allow-origin"] == "*")
                #expect(preflight.headers["access-control-allow-methods"] == "POST, OPTIONS")
                for name in ["Authorization", "Content-Type", "If-Match"] {
                    #expect(preflight.headers["access-control-allow-headers"]?.contains(name) == true)
                }
                #expect(preflight.headers["accept-post"] == "application/sdp")
                let resource = try await client.request("OPTIONS", "/call/any")
                #expect(resource.headers["accept-patch"] == "application/trickle-ice-sdpfrag")
                #expect(resource.headers["access-control-allow-methods"] == "POST, PATCH, DELETE, OPTIONS")
                let refused = try await client.post("/call", sdp: "x")
                #expect(refused.headers["access-control-allow-origin"] == "*")
                for name in ["Location", "ETag", "Link", "Retry-After"] {
                    #expect(refused.headers["access-control-expose-headers"]?.contains(name) == true)
                }
            }
        }

        @Test func bodies() async throws {
            try await withServer { client, server in
                let sdp = ["Content-Type": "application/sdp"]
                let noType = try await client.request("POST", "/call", body: Self.minimal)
                #expect(noType.status == 415)
                #expect(noType.headers["accept-post"] == "application/sdp")
                #expect(
                    try await client.request("POST", "/call", ["Content-Type": "text/html"], body: "x").status == 415)
                #expect(try await client.request("POST", "/call", sdp).status == 400)
                #expect(try await client.post("/call", sdp: "hello").status == 400)
                #expect(try await client.post("/call", sdp: Self.minimal).status == 422)
                #expect(
                    try await client.post("/call?media=other", sdp: Self.minimal + "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n")
                        .status == 400)
                let large = try await client.post(
                    "/call", sdp: Self.minimal + String(repeating: "a=x\r\n", count: 100_000))
                #expect(large.status == 413)
                #expect(
                    try await client.request(
                        "POST", "/call", sdp.merging(["Accept": "text/html"]) { $1 }, body: Self.minimal
                    ).status == 406)
                #expect(
                    try await client.request(
                        "POST", "/call", sdp.merging(["Accept": "application/sdp;q=0"]) { $1 }, body: Self.minimal
                    ).status == 406)
                for accept in ["*/*", "text/html, application/*;q=0.5", "application/sdp"] {
                    let reply = try await client.request(
                        "POST", "/call", ["Content-Type": "Application/SDP; charset=utf-8", "Accept": accept],
                        body: Self.minimal)
                    #expect(reply.status == 422, "\(accept)")
                }
                #expect(await server.peers == 0)
            }
        }

        @Test func offersThatCannotBeTaken() async throws {
            try await withServer { client, server in
                let caller = try await Caller()
                try await caller.addMedia(sends: true)
                let offer = try await caller.call.createOffer()
                for (what, with) in [
                    ("UDP/TLS/RTP/SAVPF", "RTP/AVP"), ("a=fingerprint:sha-256", "a=fingerprint:sha-1"),
                    ("a=ice-ufrag", "a=x-ufrag"), ("a=rtcp-mux", "a=x-mux"), ("VP8", "H264"),
                ] {
                    var changed = offer.replacingOccurrences(of: what, with: with)
                    if what == "VP8" { changed = changed.replacingOccurrences(of: "opus", with: "PCMU") }
                    let reply = try await client.post("/call", sdp: changed)
                    // A fingerprint that is too long for its hash is no session description at all.
                    #expect(reply.status == (what.hasPrefix("a=finger") ? 400 : 422), "\(what): \(reply.body)")
                    #expect(reply.body.split(separator: "\n").count == 1, "one sentence: \(reply.body)")
                }
                await caller.close()
                #expect(await server.peers == 0)
            }
        }

        /// Session descriptions that other programs have really made: answered, or refused with a reason.
        @Test func realOffers() async throws {
            let files = Vectors.files("sdp-real", suffix: ".sdp")
            try await withServer {
                $0.maximumPeers = 4
            } _: { client, _ in
                var counts: [Int: Int] = [:]
                for file in files {
                    let text = String(decoding: try Data(contentsOf: file), as: UTF8.self)
                    let reply = try await client.post("/call", sdp: text)
                    counts[reply.status, default: 0] += 1
                    #expect([201, 400, 422].contains(reply.status), "\(file.lastPathComponent): \(reply)")
                    if let location = reply.headers["location"] { _ = try await client.delete(location) }
                }
                print("real session descriptions over HTTP: \(counts.sorted { $0.key < $1.key })")
                if !files.isEmpty { #expect(counts[201, default: 0] > 0) }
            }
        }

        @Test func serversForICEAreNamed() async throws {
            try await withServer {
                $0.iceServers = ["stun:stun.example.net", "turn:turn.example.net?transport=udp;user;pass"].compactMap {
                    NamedICEServer($0)
                }
            } _: { client, _ in
                try await withCaller(sends: false) { caller in
                    let link = try await caller.dial(client, "/call").headers["link"]
                    #expect(
                        link == "<stun:stun.example.net>; rel=\"ice-server\", "
                            + "<turn:turn.example.net?transport=udp>; rel=\"ice-server\"; username=\"user\"; "
                            + "credential=\"pass\"; credential-type=\"password\"")
                }
            }
            for bad in ["http://a", "stun:", "turn:a;b", "stun:a>;b", "turn:a;b;c\"d", "stun:a b"] {
                #expect(NamedICEServer(bad) == nil, "\(bad)")
            }
        }

        @Test func thePageIsOneAnswer() async throws {
            try await withServer { client, _ in
                let page = try await client.get("/")
                #expect(page.status == 200)
                #expect(page.headers["content-type"] == "text/html; charset=utf-8")
                #expect(page.body.hasPrefix("<!doctype html>"))
                #expect(page.body.utf8.count < 100_000)
                // Nothing from other hosts.
                #expect(page.headers["content-security-policy"]?.contains("default-src 'none'") == true)
                #expect(!page.body.contains("src=\"http") && !page.body.contains("href=\"http"))
            }
        }
    }
}

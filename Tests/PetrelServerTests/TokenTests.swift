import Foundation
import Petrel
import PetrelLab
import PetrelServer
import Testing

@testable import struct PetrelServer.BearerTokens

extension ServerTests {
    /// Bearer tokens (RFC 6750).
    @Suite struct TokenTests {
        @Test func whoMay() async throws {
            try await withServer {
                $0.tokens = ["first-token", "second-token"]
            } _: { first, server in
                var (nobody, second) = (first, first)
                (nobody.token, second.token) = (nil, "second-token")
                #expect(try await nobody.get("/").status == 200, "the page asks for the token")
                #expect(try await nobody.request("OPTIONS", "/call").status == 204, "browsers send none with it")
                try await withCaller(sends: false) { caller in
                    let offer = try await caller.call.createOffer()
                    for (field, isWrong) in [
                        (nil, false), ("", true), ("Bearer", true), ("Bearer ", true), ("Bearer first", true),
                        ("Bearer first-token2", true), ("Basic first-token", true), ("Bearer first-token second", true),
                        ("first-token", true),
                    ] as [(String?, Bool)] {
                        var headers = ["Content-Type": "application/sdp"]
                        headers["Authorization"] = field
                        let reply = try await nobody.request("POST", "/call", headers, body: offer)
                        #expect(reply.status == 401, "\(field ?? "none")")
                        let challenge = reply.headers["www-authenticate"] ?? ""
                        #expect(challenge.hasPrefix("Bearer realm="), "\(field ?? "none")")
                        #expect(challenge.contains("invalid_token") == isWrong, "\(field ?? "none")")
                        #expect(!reply.body.contains("token2"))
                    }
                    #expect(try await nobody.post("/call?token=first-token", sdp: offer).status == 401)
                    for path in ["/status", "/call/x/statistics"] {
                        #expect(try await nobody.get(path).status == 401, "\(path)")
                    }
                    #expect(try await nobody.delete("/call/x").status == 401)
                    #expect(await server.peers == 0)

                    let reply = try await first.post("/call", sdp: offer)
                    try await caller.call.accept(answer: reply.body)
                    let location = try #require(reply.headers["location"])
                    let strange = try await second.delete(location)
                    #expect(strange.status == 403)
                    #expect(strange.headers["www-authenticate"]?.contains("insufficient_scope") == true)
                    #expect(try await second.get(location + "/statistics").status == 403)
                    #expect(try await second.patch(location, "a=end-of-candidates\r\n", ifMatch: "*").status == 403)
                    #expect(try await second.get("/status").status == 200)
                    try await caller.media()
                    #expect(try await first.delete(location).status == 200)
                }
            }
        }

        /// C68: every address, without a token and with a wrong one; and nothing is made for such a client.
        @Test func everyAddressAsks() async throws {
            try await withServer {
                $0.tokens = ["the-token"]
                $0.link = try? LabProfile.link("delay=1")
            } _: { client, server in
                try await withCaller(sends: true) { caller in
                    let location = try #require(try await caller.dial(client, "/call?media=echo").headers["location"])
                    try await caller.media()
                    let stranger = try await Caller()
                    try await stranger.addMedia(sends: true)
                    let offer = try await stranger.call.createOffer()
                    await stranger.close()
                    let (sockets, peers) = (try UDPSockets.ports(), await server.peers)
                    let (sdp, fragment) = ("application/sdp", "application/trickle-ice-sdpfrag")
                    for (method, path, type, body) in [
                        ("POST", "/whip/a", sdp, offer), ("POST", "/whep/film", sdp, offer),
                        ("PATCH", location, fragment, "a=end-of-candidates\r\n"), ("POST", location, sdp, offer),
                        ("DELETE", location, "", ""), ("GET", location + "/statistics", "", ""),
                        ("GET", "/link", "", ""),
                        ("PUT", "/link", "application/json", "{\"text\": \"loss=100\"}"),
                    ] {
                        for token in [nil, "wrong-token"] {
                            var nobody = client
                            nobody.token = token
                            let reply = try await nobody.request(
                                method, path, ["Content-Type": type, "If-Match": "*"], body: body)
                            #expect(reply.status == 401, "\(method) \(path)")
                            let challenge = reply.headers["www-authenticate"] ?? ""
                            #expect(challenge.hasPrefix("Bearer realm="), "\(method) \(path)")
                            #expect(challenge.contains("invalid_token") == (token != nil), "\(method) \(path)")
                        }
                    }
                    var nobody = client
                    nobody.token = "wrong-token"
                    for _ in 0..<50 {
                        #expect(try await nobody.post("/call", sdp: offer).status == 401)
                        #expect(try UDPSockets.ports() == sockets, "no socket for a stranger")
                        #expect(await server.peers == peers)
                    }
                    try await caller.media(20)
                    #expect(try await client.delete(location).status == 200)
                }
            }
        }

        /// C69: the address of a resource is its one name, which nobody guesses, and is of use to its owner only.
        @Test func onlyTheOwnerAtTheOneAddress() async throws {
            try await withServer {
                $0.tokens = ["first-token", "second-token"]
            } _: { first, server in
                var second = first
                second.token = "second-token"
                try await withCaller(sends: true) { caller in
                    let offer = try await caller.call.createOffer()
                    let reply = try await first.post("/call?media=echo", sdp: offer)
                    try await caller.call.accept(answer: reply.body)
                    let location = try #require(reply.headers["location"])
                    let id = try #require(location.split(separator: "/").last.map(String.init))
                    #expect(try await second.post(location, sdp: offer).status == 403)
                    for path in [
                        "/call/../call/\(id)", "/call//\(id)", "//call/\(id)", "/call/./\(id)", "/call/%2e/\(id)",
                        "/call/%2e%2e/call/\(id)", "/call%2f\(id)", "/call%2F\(id)", "/call/\(id)/", "/call/\(id)/.",
                        "/call/\(id)/..", "/call/\(id)%00", "/call/\(id)%20", "/call/\(id);a", "/CALL/\(id)",
                        "/call/\(id.uppercased())x", "/call/%\(String(id.utf8.first ?? 0, radix: 16))\(id.dropFirst())",
                        "/whip/a/\(id)", "/whep/film/\(id)", "/whip/call/\(id)", "/call/x/../\(id)", "/\(id)",
                        "/call\\\(id)",
                    ] {
                        #expect(try await first.delete(path).status == 404, "\(path)")
                        let patched = try await first.patch(path, "a=end-of-candidates\r\n", ifMatch: "*")
                        #expect(patched.status == 404, "\(path)")
                    }
                    try await caller.media(10)
                    #expect(await server.peers == 1)

                    var ids: Set<String> = [id]
                    for _ in 0..<8 {
                        let other = try await first.post("/call", sdp: offer).headers["location"] ?? ""
                        let name = other.split(separator: "/").last.map(String.init) ?? ""
                        #expect(name.wholeMatch(of: /[0-9a-f]{40}/) != nil, "160 bits: \(name)")
                        #expect(ids.insert(name).inserted)
                        // Another one's neighbours are no resources.
                        let next = name.dropLast() + (name.last == "0" ? "1" : "0")
                        #expect(try await first.delete("/call/\(next)").status == 404)
                    }
                    #expect(await server.peers == 9)
                }
            }
        }

        @Test func comparisonLooksAtEverything() {
            func equal(_ left: String, _ right: String) -> Bool {
                BearerTokens.areEqual(Array(left.utf8), Array(right.utf8))
            }
            #expect(equal("abc", "abc"))
            for other in ["abd", "ab", "abcd", "", "xbc"] { #expect(!equal(other, "abc"), "\(other)") }
        }

        @Test func tokensThatNoHeaderCanCarry() {
            for token in ["", "a b", "a\nb", "\u{e4}", "a,b"] {
                var configuration = ServerConfiguration()
                configuration.tokens = [token]
                #expect(throws: ServerError.self) { try MediaServer(configuration) }
            }
        }
    }
}

import Foundation
import Petrel
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

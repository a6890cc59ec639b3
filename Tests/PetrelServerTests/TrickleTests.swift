import Foundation
import Petrel
import PetrelLab
import PetrelSDP
import PetrelServer
import Testing

extension ServerTests {
    /// PATCH of a resource (RFC 9725 section 4.3).
    @Suite struct TrickleTests {
        @Test func candidatesComeLater() async throws {
            try await withServer { client, _ in
                try await withCaller(sends: false) { caller in
                    let offer = try await caller.call.createOffer()
                    let reply = try await client.post("/call", sdp: Description.bare(offer))
                    #expect(reply.status == 201)
                    let location = try #require(reply.headers["location"])
                    let tag = try #require(reply.headers["etag"])
                    let fragment = try fragment(of: offer)
                    let taken = try await client.patch(location, fragment, ifMatch: tag)
                    #expect(taken.status == 204)
                    #expect(taken.headers["etag"] == nil)
                    // A list of tags, and one with a strange neighbour.
                    #expect(try await client.patch(location, fragment, ifMatch: "\"x\", \(tag)").status == 204)
                    #expect(
                        try await client.patch(location, "a=end-of-candidates\r\n", ifMatch: tag).status == 204)
                    // The caller itself has no candidate of the server: only the server can begin.
                    try await caller.call.accept(answer: Description.bare(reply.body))
                    try await caller.media()
                }
            }
        }

        @Test func conditionsAndBodies() async throws {
            try await withServer { client, _ in
                try await withCaller(sends: false) { caller in
                    let offer = try await caller.call.createOffer()
                    let reply = try await client.post("/call", sdp: offer)
                    try await caller.call.accept(answer: reply.body)
                    let location = try #require(reply.headers["location"])
                    let tag = try #require(reply.headers["etag"])
                    let fragment = try fragment(of: offer)

                    #expect(try await client.patch(location, fragment, ifMatch: nil).status == 428)
                    let stale = try await client.patch(location, fragment, ifMatch: "\"stale\"")
                    #expect(stale.status == 412)
                    #expect(stale.headers["etag"] == tag)
                    #expect(try await client.patch(location, "hello", ifMatch: tag).status == 400)
                    #expect(try await client.patch(location, "", ifMatch: tag).status == 400)
                    #expect(try await client.patch(location, "a=ice-ufrag:abcd\r\n", ifMatch: tag).status == 400)
                    #expect(
                        try await client.patch(location, "a=ice-ufrag:ab\r\na=ice-pwd:c\r\n", ifMatch: tag).status
                            == 400)
                    let other = credentials("other123", String(repeating: "p", count: 24))
                    #expect(try await client.patch(location, other, ifMatch: tag).status == 409)
                    let ufrag = try #require(Description.value("ice-ufrag", in: offer))
                    let half = credentials(ufrag, String(repeating: "p", count: 24))
                    #expect(try await client.patch(location, half, ifMatch: tag).status == 422)
                    let unknown =
                        "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:nowhere\r\na=candidate:1 1 udp 1 127.0.0.1 9 typ host\r\n"
                    #expect(try await client.patch(location, unknown, ifMatch: tag).status == 422)
                    let type = try await client.request(
                        "PATCH", location, ["Content-Type": "application/sdp", "If-Match": tag], body: fragment)
                    #expect(type.status == 415)
                    #expect(type.headers["accept-patch"] == "application/trickle-ice-sdpfrag")
                    #expect(
                        try await client.patch(location, String(repeating: "a=x\r\n", count: 20_000), ifMatch: tag)
                            .status == 413)
                    // Whatever was refused, the call goes on.
                    try await caller.media()
                    // A tag in DELETE means nothing.
                    #expect(try await client.request("DELETE", location, ["If-Match": "\"stale\""]).status == 200)
                }
            }
        }

        @Test func iceRestarts() async throws {
            try await withServer { client, _ in
                try await withCaller(sends: true) { caller in
                    let first = try await caller.dial(client, "/call?media=echo")
                    let location = try #require(first.headers["location"])
                    let tag = try #require(first.headers["etag"])
                    try await caller.media()

                    let offer = try await caller.call.restart()
                    let restarted = try await client.patch(location, try fragment(of: offer), ifMatch: "*")
                    #expect(restarted.status == 200, "\(restarted)")
                    #expect(restarted.headers["content-type"] == "application/trickle-ice-sdpfrag")
                    let newTag = try #require(restarted.headers["etag"])
                    #expect(newTag != tag)
                    let ours = try TrickleFragment(parsing: restarted.body)
                    #expect(ours.iceUfrag != Description.value("ice-ufrag", in: first.body))
                    #expect(!ours.candidates.isEmpty)
                    // What WHIP leaves out still holds: the client makes its answer of the first one.
                    try await caller.call.accept(answer: try answer(first.body, with: ours))
                    try await caller.media(20)
                    #expect(try await client.patch(location, "a=end-of-candidates\r\n", ifMatch: tag).status == 412)
                    #expect(try await client.patch(location, "a=end-of-candidates\r\n", ifMatch: newTag).status == 204)

                    // And once more, by a whole offer.
                    let again = try await client.post(location, sdp: try await caller.call.restart())
                    #expect(again.status == 200)
                    #expect(again.headers["etag"] != newTag)
                    try await caller.call.accept(answer: again.body)
                    try await caller.media(20)
                }
            }
        }

        /// C70: a restart that cannot be leaves the session as it is, behind the lab's link too.
        @Test(arguments: [nil, "delay=2"])
        func aRestartThatFails(_ link: String?) async throws {
            try await withServer {
                $0.link = link.flatMap { try? LabProfile.link($0) }
            } _: { client, server in
                try await withCaller(sends: true) { caller in
                    let offer = try await caller.call.createOffer()
                    let reply = try await client.post("/call?media=echo", sdp: offer)
                    try await caller.call.accept(answer: reply.body)
                    let location = try #require(reply.headers["location"])
                    let tag = try #require(reply.headers["etag"])
                    try await caller.media()
                    // Half of new credentials (RFC 8839 section 4.4.1.1.1): the fragment's, and a whole offer's.
                    let password = try #require(Description.value("ice-pwd", in: offer))
                    let ufrag = try #require(Description.value("ice-ufrag", in: offer))
                    for _ in 0..<5 {
                        let refused = try await client.patch(location, credentials("other123", password), ifMatch: "*")
                        #expect(refused.status == 422, "\(refused)")
                        let whole = try await client.post(
                            location, sdp: offer.replacing("a=ice-ufrag:\(ufrag)", with: "a=ice-ufrag:other123"))
                        #expect(whole.status == 422, "\(whole)")
                    }
                    try await caller.media(20)
                    #expect(try await client.patch(location, "a=end-of-candidates\r\n", ifMatch: tag).status == 204)
                    #expect(await server.peers == 1)
                }
            }
        }

        /// What RFC 8840 section 9 makes of an offer: credentials, the first section and the candidates.
        private func fragment(of offer: String) throws -> String {
            let description = try SessionDescription(parsing: offer)
            let section = try #require(description.media.first { !$0.candidates.isEmpty })
            let transport = description.effectiveTransport(of: section)
            var fragment = TrickleFragment()
            (fragment.iceUfrag, fragment.icePassword) = (transport.iceUfrag, transport.icePassword)
            fragment.sections = [TrickleFragment.Section(kind: section.kind, mid: section.mid)]
            fragment.candidates = section.candidates.map { TrickleFragment.Candidate(line: $0, mid: section.mid) }
            return try fragment.text()
        }

        private func credentials(_ ufrag: String, _ password: String) -> String {
            "a=ice-ufrag:\(ufrag)\r\na=ice-pwd:\(password)\r\n"
        }

        private func answer(_ text: String, with fragment: TrickleFragment) throws -> String {
            var answer = try SessionDescription(parsing: text)
            answer.origin.sessionVersion += 1
            for index in answer.media.indices {
                answer.media[index].transport.iceUfrag = fragment.iceUfrag
                answer.media[index].transport.icePassword = fragment.icePassword
                answer.media[index].candidates = fragment.candidates.map(\.line)
            }
            return try answer.text()
        }
    }
}

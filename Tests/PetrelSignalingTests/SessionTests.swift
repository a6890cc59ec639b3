import Petrel
import PetrelIO
import Testing

@testable import PetrelSDP
@testable import PetrelSignaling

#if canImport(Glibc)
    import Glibc
#endif

extension LiveTests {
    /// Whole streams over the loopback interface, against a media server of the test's own.
    @Suite(.serialized) struct SessionTests {
        /// A call that sends stamped pictures and speech.
        private func sender() async throws -> Call {
            let call = try await loopbackCall()
            try await call.addVideo(StampedCard())
            try await call.addAudio(TestSpeechSource())
            return call
        }

        private func client(token: String? = nil, restarts: Bool = true) -> SignalingClient {
            var configuration = SignalingConfiguration()
            configuration.token = token
            configuration.restartsICE = restarts
            return SignalingClient(configuration)
        }

        @Test func publishesAndEnds() async throws {
            let media = MediaEndpoint(try await loopbackCall())
            let server = try TestServer { request in await media.reply(request) }
            defer { server.stop() }
            let call = try await sender()
            let session = try await client(token: "abc.DEF-123").publish(call, to: server.url + "/whip/film")
            try await call.connected()
            try await eventually("pictures and sound") {
                media.pictures.withLock { $0.count } > 20 && media.sounds.withLock { $0 } > 20
            }
            // A server that only receives reports all the same (RFC 3550 section 6.4.2).
            try await eventually("a receiver report") {
                try await call.statistics().transport.remoteFractionLost != nil
            }
            let stamps = media.pictures.withLock { $0 }.filter { $0 >= 0 }
            #expect(stamps == stamps.sorted() && Set(stamps).count > 15)
            try await session.end()
            try await session.end()
            #expect(media.hasEnded)
            #expect(call.callState == .closed)
            try await session.ended()
            let requests = server.requests
            #expect(requests.map(\.method) == ["POST", "DELETE"])
            #expect(requests.map(\.path) == ["/whip/film", "/session/1"])
            #expect(requests.allSatisfy { $0.headers["authorization"] == "Bearer abc.DEF-123" })
            #expect(requests[0].headers["content-type"] == "application/sdp")
            let offer = try SessionDescription(parsing: requests[0].body)
            // RFC 9725 section 4.2: one stream, bundled, sent only.
            #expect(offer.media.count == 2)
            #expect(offer.media.allSatisfy { offer.effectiveDirection(of: $0) == .sendonly && $0.hasRTCPMux })
            #expect(Set(offer.media.flatMap(\.streams).map(\.stream)).count == 1)
            #expect(offer.groups.first?.mids == offer.media.compactMap(\.mid))
            #expect(!requests[0].body.contains("end-of-candidates"))
        }

        @Test func playsAndEndsWithTheServer() async throws {
            let media = MediaEndpoint(try await sender())
            let server = try TestServer { request in await media.reply(request, session: "sessions/7?k=v") }
            defer { server.stop() }
            let call = try await loopbackCall()
            let mine = MediaEndpoint(call)
            let session = try await client().play(server.url + "/whep/film", with: call)
            try await eventually("pictures and sound") {
                mine.pictures.withLock { $0.count } > 20 && mine.sounds.withLock { $0 } > 20
            }
            let offer = try SessionDescription(parsing: server.requests[0].body)
            #expect(offer.media.allSatisfy { offer.effectiveDirection(of: $0) == .recvonly })
            // The server says good-bye.
            await media.call.close()
            let error = await failure { try await session.ended() }
            #expect(error?.reason == .endedByServer, "\(error?.description ?? "none")")
            try await session.end()
            await call.close()
        }

        @Test func aCallThatIsClosedEndsItsSession() async throws {
            let media = MediaEndpoint(try await loopbackCall())
            let server = try TestServer { request in await media.reply(request, session: "sessions/7?k=v") }
            defer { server.stop() }
            let call = try await sender()
            let session = try await client().publish(call, to: server.url + "/a/b/film")
            try await call.connected()
            await call.close()
            try await eventually("DELETE") { server.requests.last?.method == "DELETE" }
            // Resolved against the address that answered (RFC 9110 section 10.2.2).
            #expect(server.requests.last?.path == "/a/b/sessions/7?k=v")
            try await session.ended()
        }

        @Test func followsARedirectAndResolvesAgainstItsEnd() async throws {
            let media = MediaEndpoint(try await loopbackCall())
            let server = try TestServer { request in
                if request.path == "/whip/film" { return .answer(307, ["Location": "/node2/whip/film"]) }
                if request.path == "/node2/whip/film" { return .answer(308, ["Location": "../deep/film"]) }
                return await media.reply(request, session: "s1")
            }
            defer { server.stop() }
            let call = try await sender()
            let session = try await client(token: "t").publish(call, to: server.url + "/whip/film")
            try await call.connected()
            try await session.end()
            let requests = server.requests
            #expect(requests.map(\.method) == ["POST", "POST", "POST", "DELETE"])
            #expect(requests.map(\.path) == ["/whip/film", "/node2/whip/film", "/node2/deep/film", "/node2/deep/s1"])
            #expect(Set(requests.prefix(3).map(\.body)).count == 1)
            #expect(requests.allSatisfy { $0.headers["authorization"] == "Bearer t" })
        }

        /// C74: a session that has moved is patched and ended at its new place, as it was asked for at the old one.
        @Test(arguments: [307, 308])
        func followsARedirectOfASession(_ status: Int) async throws {
            let media = MediaEndpoint(try await loopbackCall())
            let server = try TestServer { request in
                if request.method != "POST", request.path == "/session/1" {
                    return .answer(status, ["Location": "/moved/\(request.method.lowercased())"])
                }
                return await media.reply(request)
            }
            defer { server.stop() }
            let call = try await sender()
            let session = try await client(token: "t").publish(call, to: server.url + "/whip/film")
            try await call.connected()
            try await session.restart()
            #expect(media.restarts == 1)
            try await session.end()
            #expect(media.hasEnded)
            let requests = server.requests.filter { $0.method != "POST" }
            #expect(
                requests.map { "\($0.method) \($0.path)" } == [
                    "PATCH /session/1", "PATCH /moved/patch", "DELETE /session/1", "DELETE /moved/delete",
                ])
            #expect(requests.allSatisfy { $0.headers["authorization"] == "Bearer t" })
            guard requests.count == 4 else { return }
            #expect(requests[0].body == requests[1].body && requests[1].body.contains("a=ice-ufrag:"))
            #expect(requests[1].headers["if-match"] == "*")
            #expect(requests[1].headers["content-type"] == TrickleFragment.mediaType)
            #expect(requests[2].body.isEmpty && requests[3].body.isEmpty)
        }

        /// docs/use.md says so: the address that a person gave is the only one that may see the token.
        @Test func aSessionOnAnotherOriginSeesNoToken() async throws {
            let media = MediaEndpoint(try await loopbackCall())
            let second = try TestServer { request in await media.reply(request) }
            let first = try TestServer { [url = second.url] request in
                await media.reply(request, session: url + "/session/1")
            }
            defer {
                first.stop()
                second.stop()
            }
            let call = try await sender()
            let session = try await client(token: "secret").publish(call, to: first.url + "/whip/film")
            try await call.connected()
            try await session.restart()
            try await session.end()
            #expect(first.requests.map(\.method) == ["POST"])
            #expect(first.requests.first?.headers["authorization"] == "Bearer secret")
            #expect(second.requests.map(\.method) == ["PATCH", "DELETE"])
            #expect(second.requests.allSatisfy { $0.headers["authorization"] == nil })
        }

        @Test func restartsICE() async throws {
            let media = MediaEndpoint(try await loopbackCall())
            let server = try TestServer { request in await media.reply(request) }
            defer { server.stop() }
            let call = try await sender()
            let session = try await client().publish(call, to: server.url + "/whip/film")
            try await call.connected()
            for turn in 1...2 {
                try await session.restart()
                #expect(media.restarts == turn)
                let before = media.pictures.withLock { $0.count }
                try await eventually("pictures after the restart") {
                    media.pictures.withLock { $0.count } > before + 20
                }
            }
            let patches = server.requests.filter { $0.method == "PATCH" }
            #expect(
                patches.allSatisfy {
                    $0.headers["if-match"] == "*" && $0.headers["content-type"] == TrickleFragment.mediaType
                })
            let credentials = try patches.map { try TrickleFragment(parsing: $0.body).iceUfrag }
            #expect(Set(credentials).count == 2)
            #expect(call.callState == .connected)
            try await session.end()
        }

        @Test(arguments: [204, 404, 405, 412, 422, 500])
        func aRestartThatFailsLeavesTheStream(_ status: Int) async throws {
            let media = MediaEndpoint(try await loopbackCall())
            let server = try TestServer { request in
                request.method == "PATCH" ? .answer(status) : await media.reply(request)
            }
            defer { server.stop() }
            let call = try await sender()
            let session = try await client().publish(call, to: server.url + "/whip/film")
            try await call.connected()
            let error = await failure { try await session.restart() }
            let expected: SignalingError.Reason =
                switch status {
                case 404: .notFound
                case 412: .refused
                case 500: .unavailable
                default: .unsupported
                }
            #expect(error?.reason == expected)
            let before = media.pictures.withLock { $0.count }
            try await eventually("pictures go on") { media.pictures.withLock { $0.count } > before + 20 }
            try await session.end()
        }

        @Test func withoutETagThereIsNoPatch() async throws {
            let media = MediaEndpoint(
                try await loopbackCall(), more: ["ETag": "", "Link": "<stun:127.0.0.1:9>; rel=ice-server"])
            let server = try TestServer { request in await media.reply(request) }
            defer { server.stop() }
            let call = try await sender()
            let session = try await client().publish(call, to: server.url + "/whip/film")
            try await call.connected()
            #expect(session.iceServers == [ICEServer(url: "stun:127.0.0.1:9")])
            let error = await failure { try await session.restart() }
            #expect(error?.reason == .unsupported)
            try await session.end()
            #expect(!server.requests.contains { $0.method == "PATCH" })
        }

        /// A STUN server that the 201 names is asked, and what it tells is trickled.
        @Test func tricklesWhatANamedServerTells() async throws {
            let stun = try StunServer()
            defer { stun.stop() }
            let media = MediaEndpoint(
                try await loopbackCall(),
                more: ["Link": "<stun:127.0.0.1:\(stun.port)>; rel=\"ice-server\", <turn:x>; rel=ice-server"])
            let server = try TestServer { request in await media.reply(request) }
            defer { server.stop() }
            let call = try await sender()
            let session = try await client().publish(call, to: server.url + "/whip/film")
            try await eventually("a PATCH") { server.requests.contains { $0.method == "PATCH" } }
            let patch = try #require(server.requests.first { $0.method == "PATCH" })
            #expect(patch.headers["if-match"] == "\"1\"")
            #expect(patch.headers["content-type"] == "application/trickle-ice-sdpfrag")
            let fragment = try TrickleFragment(parsing: patch.body)
            let offer = try SessionDescription(parsing: server.requests[0].body)
            #expect(fragment.iceUfrag == TrickleFragment(about: offer)?.iceUfrag)
            #expect(fragment.sections.map(\.mid) == [offer.media[0].mid])
            #expect(fragment.candidates.count == 1)
            #expect(fragment.candidates[0].line.contains("9.8.7.6 54321 typ srflx"))
            try await call.connected()
            try await session.end()
        }

        @Test func answersACounterOffer() async throws {
            let theirs = try await sender()
            let offer = try await theirs.createOffer()
            let server = try TestServer { request in
                switch request.method {
                case "POST":
                    return .answer(
                        406, ["Location": "/s/1", "ETag": "\"7\"", "Content-Type": "application/sdp"], offer)
                case "PATCH":
                    do { try await theirs.accept(answer: request.body) } catch { return .answer(400) }
                    return .answer(204)
                default: return .answer(200)
                }
            }
            defer { server.stop() }
            let call = try await loopbackCall()
            let mine = MediaEndpoint(call)
            let session = try await client().play(server.url + "/whep/film", with: call)
            try await eventually("pictures and sound") {
                mine.pictures.withLock { $0.count } > 20 && mine.sounds.withLock { $0 } > 20
            }
            let requests = server.requests
            #expect(requests.map(\.method) == ["POST", "PATCH"])
            #expect(requests[1].path == "/s/1")
            #expect(requests[1].headers["content-type"] == "application/sdp")
            #expect(requests[1].headers["if-match"] == "\"7\"")
            try await session.end()
            await theirs.close()
        }

        @Test func aCounterOfferThatIsNoneEndsItsSession() async throws {
            for body in ["", "nonsense"] {
                let server = try TestServer { request in
                    request.method == "POST"
                        ? .answer(406, ["Location": "/s/1", "Content-Type": "application/sdp"], body) : .answer(200)
                }
                defer { server.stop() }
                let call = try await loopbackCall()
                let error = await failure { _ = try await client().play(server.url, with: call) }
                #expect(error?.reason == .badAnswer)
                #expect(server.requests.map(\.method) == ["POST", "DELETE"])
                await call.close()
            }
        }

        @Test(arguments: [200, 204, 404, 410])
        func whatDELETEMayAnswer(_ status: Int) async throws {
            let media = MediaEndpoint(try await loopbackCall())
            let server = try TestServer { request in
                request.method == "DELETE" ? .answer(status) : await media.reply(request)
            }
            defer { server.stop() }
            let call = try await sender()
            let session = try await client().publish(call, to: server.url)
            try await session.end()
            await media.call.close()
        }

        @Test func anEndThatCannotBeToldIsSaid() async throws {
            let media = MediaEndpoint(try await loopbackCall())
            let server = try TestServer { request in
                request.method == "DELETE" ? .answer(403) : await media.reply(request)
            }
            defer { server.stop() }
            let call = try await sender()
            let session = try await client().publish(call, to: server.url)
            let error = await failure { try await session.end() }
            #expect(error?.reason == .forbidden)
            #expect(call.callState == .closed)
            await media.call.close()
        }

        /// The answer comes, and the task that waited for it has been cancelled: the session is not left behind.
        @Test func cancelledWhileTheAnswerComes() async throws {
            let media = MediaEndpoint(try await loopbackCall())
            let gate = Lock(false)
            let server = try TestServer { request in
                if request.method == "POST" {
                    while !gate.withLock({ $0 }) { try? await Task.sleep(for: .milliseconds(5)) }
                }
                return await media.reply(request)
            }
            defer { server.stop() }
            let call = try await sender()
            let task = Task { await failure { _ = try await client().publish(call, to: server.url) } }
            try await eventually("the POST") { server.requests.count == 1 }
            gate.withLock { $0 = true }
            task.cancel()
            let error = await task.value
            #expect(error == nil || error?.reason == .cancelled)
            await call.close()
            if error == nil { try await eventually("DELETE") { media.hasEnded } }
            await media.call.close()
        }
    }
}

/// Answers every binding request with the same mapped address (RFC 8489), 9.8.7.6 port 54321.
private final class StunServer: Sendable {
    let port: UInt16

    init() throws {
        let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        var patience = timeval(tv_sec: 0, tv_usec: 100_000)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
            }
        }
        try #require(isBound)
        port = UInt16(bigEndian: address.sin_port)
        thread = try WorkerThread { thread in
            defer { _ = Glibc.close(descriptor) }
            var buffer = [UInt8](repeating: 0, count: 1500)
            while !thread.isStopped {
                var from = sockaddr_in()
                var fromLength = socklen_t(MemoryLayout<sockaddr_in>.size)
                let count = withUnsafeMutablePointer(to: &from) { pointer in
                    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                        recvfrom(descriptor, &buffer, buffer.count, 0, $0, &fromLength)
                    }
                }
                guard count >= 20 else { continue }
                // A success response with XOR-MAPPED-ADDRESS: port and address over the magic cookie 2112A442.
                var reply: [UInt8] = [0x01, 0x01, 0x00, 0x0C] + buffer[4..<20]
                reply += [0x00, 0x20, 0x00, 0x08, 0x00, 0x01]
                reply += [UInt8(54321 >> 8) ^ 0x21, UInt8(54321 & 0xFF) ^ 0x12]
                reply += [9 ^ 0x21, 8 ^ 0x12, 7 ^ 0xA4, 6 ^ 0x42]
                _ = withUnsafeMutablePointer(to: &from) { pointer in
                    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                        sendto(descriptor, reply, reply.count, 0, $0, fromLength)
                    }
                }
            }
        }
    }

    private let thread: WorkerThread

    func stop() { thread.stop() }
}

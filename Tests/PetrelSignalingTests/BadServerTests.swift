import Petrel
import Testing

@testable import PetrelSignaling

/// Everything with sockets, one after the other: other tests use the machine too, and these wait for times.
@Suite(.serialized) enum LiveTests {}

extension LiveTests {
    /// What the client says and leaves behind when a server is not what it should be.
    @Suite(.serialized) struct BadServerTests {
        /// Publishes to a server that answers the POST like this.
        private func publish(
            _ reply: TestServer.Reply, token: String? = nil, seconds: Double = 5
        ) async throws -> (error: SignalingError?, server: TestServer, seconds: Double) {
            let server = try TestServer { request in request.method == "POST" ? reply : .answer(200) }
            defer { server.stop() }
            let call = try await loopbackCall()
            try await call.addAudio()
            var configuration = SignalingConfiguration()
            configuration.token = token
            configuration.answerSeconds = seconds
            let client = SignalingClient(configuration)
            let began = ContinuousClock.now
            let error = await failure { _ = try await client.publish(call, to: server.url + "/whip/film?key=hidden") }
            let took = (ContinuousClock.now - began) / .seconds(1)
            await call.close()
            let text = error?.description ?? ""
            #expect(!text.contains("\n") && !text.contains("hidden"), "\(text)")
            if let token { #expect(!text.contains(token), "\(text)") }
            return (error, server, took)
        }

        @Test(arguments: [
            (400, SignalingError.Reason.refused), (401, .unauthorized), (403, .forbidden), (404, .notFound),
            (405, .refused), (406, .refused), (409, .conflict), (410, .notFound), (413, .refused), (415, .refused),
            (418, .refused), (422, .refused), (429, .unavailable), (500, .unavailable), (501, .refused),
            (503, .unavailable), (200, .refused), (204, .refused),
        ])
        func aRefusalIsASentence(_ status: Int, _ reason: SignalingError.Reason) async throws {
            let headers = ["Retry-After": "17", "Content-Type": "text/plain; charset=utf-8"]
            let (error, server, _) = try await publish(
                .answer(status, headers, status == 204 ? "" : "no \u{1B}[31mroom\nhere"))
            #expect(error?.reason == reason)
            #expect(error?.status == status)
            #expect(error?.retryAfter == 17)
            let text = error?.description ?? ""
            #expect(text.contains("\(status)") || status == 204, "\(text)")
            if status != 204 { #expect(text.contains("it says 'no  [31mroom here'"), "\(text)") }
            #expect(server.requests.map(\.method) == ["POST"])
        }

        @Test func aProblemDetailIsSaid() async throws {
            let problem = #"{"type":"about:blank","title":"No","detail":"the codec is not for us"}"#
            let (error, _, _) = try await publish(.answer(422, ["Content-Type": "application/problem+json"], problem))
            #expect(error?.description.contains("it says 'the codec is not for us'") == true)
        }

        @Test(arguments: ["Basic realm=\"x\"", "Digest realm=\"x\", nonce=\"y\"", "Bearer", "Bearer realm=\"a\"", ""])
        func a401EndsAtOnce(_ challenge: String) async throws {
            let headers = challenge.isEmpty ? [:] : ["WWW-Authenticate": challenge]
            let (none, _, took) = try await publish(.answer(401, headers))
            #expect(none?.reason == .unauthorized)
            #expect(none?.description.contains("none was given") == true)
            #expect(took < 3 * patience)
            let (wrong, server, _) = try await publish(.answer(401, headers), token: "secret-token")
            #expect(wrong?.description.contains("does not accept the token") == true)
            #expect(server.requests.map { $0.headers["authorization"] } == ["Bearer secret-token"])
        }

        private static let session = ["Location": "/session/9", "ETag": "\"1\""]

        /// A 201 that cannot be used: the session it may have begun is ended.
        @Test(arguments: [
            ("application/json", "{}"), ("text/html", "<html>"), ("", "v=0"), ("application/sdp", ""),
            ("application/sdp", "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\n"), ("application/sdp", "\u{0}\u{1}\u{2}"),
            ("APPLICATION/SDP; charset=utf-8", "hello"),
        ])
        func aBadAnswerLeavesNoSession(_ type: String, _ body: String) async throws {
            var headers = Self.session
            headers["Content-Type"] = type.isEmpty ? nil : type
            let (error, server, _) = try await publish(.answer(201, headers, body), token: "abc")
            #expect(error?.reason == .badAnswer, "\(error?.description ?? "no error")")
            #expect(server.requests.map(\.method) == ["POST", "DELETE"])
            #expect(server.requests.last?.path == "/session/9")
            #expect(server.requests.last?.headers["authorization"] == "Bearer abc")
        }

        @Test(arguments: [
            nil, "", "ftp://127.0.0.1/x", "http://", "http://user:pass@127.0.0.1/x", "http://[::1", "\u{7F}",
        ])
        func aLocationMustBeOne(_ location: String?) async throws {
            var headers = ["Content-Type": "application/sdp"]
            headers["Location"] = location
            let (error, server, _) = try await publish(.answer(201, headers, "v=0"))
            #expect(error?.reason == .badAnswer, "\(error?.description ?? "no error")")
            #expect(server.requests.count == 1)
        }

        @Test func endlessAnswersAreCut() async throws {
            let head = "HTTP/1.1 201 Created\r\nContent-Type: application/sdp\r\nLocation: /s\r\n\r\n"
            let body = try await publish(.endless(head: head, String(repeating: "a=x\r\n", count: 2000)))
            #expect(body.error?.reason == .badAnswer)
            #expect(body.error?.description.contains("more than 256 KiB") == true)
            // libcurl takes 300 KiB of headers; many short ones cost Foundation more time than that.
            let field = "X-Field: " + String(repeating: "y", count: 90) + "\r\n"
            let headers = try await publish(
                .endless(head: "HTTP/1.1 201 Created\r\n", String(repeating: field, count: 99)), seconds: 5 * patience)
            #expect(headers.error?.reason == .badAnswer, "\(headers.error?.description ?? "")")
            let line = try await publish(
                .endless(head: "HTTP/1.1 201 Created\r\nX: ", String(repeating: "y", count: 9999)))
            #expect(line.error != nil)
            let early = try await publish(.endless(head: "", "HTTP/1.1 100 Continue\r\n\r\n"), seconds: 2)
            #expect(early.error != nil)
            #expect(body.seconds < 5 * patience && headers.seconds < 5 * patience && line.seconds < 5 * patience)
        }

        @Test func slowAndSilentServersAreGivenUp() async throws {
            let head = "HTTP/1.1 201 Created\r\nContent-Type: application/sdp\r\nContent-Length: 9000\r\n\r\n"
            for reply: TestServer.Reply in [
                .hang, .slow(head, milliseconds: 200),
                .slow(head + String(repeating: "a", count: 999), milliseconds: 5),
            ] {
                let (error, _, took) = try await publish(reply, seconds: 1.5)
                #expect(error?.reason == .timedOut, "\(error?.description ?? "no error")")
                #expect(error?.description.contains("within 1.5 s") == true)
                #expect(took >= 1.4 && took < 1.5 + 2 * patience)
            }
        }

        @Test(arguments: [
            "", "\u{0}\u{1}\u{2}garbage", "v=0\r\n", "HTTP/1.1 99999 X\r\n\r\n", "HTTP/1.1 000 X\r\n\r\n",
            "HTTP/9.9 201 X\r\n\r\n",
            "HTTP/1.1 201 X\r\nnocolon\r\n\r\n", "HTTP/1.1 201 X\r\nA: b\u{0}c\r\n\r\n",
            "HTTP/1.1 201 X\r\nContent-Length: -1\r\n\r\n",
            "HTTP/1.1 201 X\r\nContent-Length: 99\r\n\r\nshort",
            "HTTP/1.1 201 X\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
            "HTTP/1.1 201 X\r\nContent-Encoding: gzip\r\n\r\nnot", "HTTP/1.1 101 X\r\nUpgrade: x\r\n\r\n",
            "HTTP/1.1 201",
        ])
        func whatIsNoHTTPIsSaid(_ text: String) async throws {
            let (error, _, _) = try await publish(.raw(text), seconds: 3)
            let reasons: [SignalingError.Reason] = [.badAnswer, .unreachable]
            #expect(error.map { reasons.contains($0.reason) } == true, "\(error?.description ?? "no error")")
        }

        // MARK: Redirects (check C74)

        @Test(arguments: [301, 302, 303, 300, 304])
        func redirectsThatChangeTheMethodAreNotFollowed(_ status: Int) async throws {
            let (error, server, _) = try await publish(.answer(status, ["Location": "/other"]))
            #expect(error?.reason == .redirect)
            #expect(server.requests.count == 1)
        }

        @Test(arguments: [nil, "", "file:///etc/passwd", "gopher://127.0.0.1/", "http://u:p@127.0.0.1/"])
        func redirectsToNowhereAreNotFollowed(_ location: String?) async throws {
            let (error, server, _) = try await publish(.answer(307, location.map { ["Location": $0] } ?? [:]))
            #expect(error?.reason == .redirect, "\(error?.description ?? "")")
            #expect(server.requests.count == 1)
        }

        @Test func aLoopEnds() async throws {
            let (error, server, _) = try await publish(.answer(308, ["Location": "?again"]))
            #expect(error?.reason == .redirect)
            #expect(server.requests.count == HTTPClient.maximumRedirects + 1)
            #expect(server.requests.allSatisfy { $0.method == "POST" && $0.body.contains("m=audio") })
        }

        @Test func nothingGoesFromHTTPSToHTTP() throws {
            let client = HTTPClient(home: try HTTPAddress("https://a.example/whip"), token: "t", seconds: 1)
            let down = HTTPAnswer(status: 307, headers: ["location": "http://a.example/whip"], body: [])
            do {
                _ = try client.next(after: down, from: client.home)
                Issue.record("followed")
            } catch { #expect(error.reason == .redirect) }
            let up = HTTPAnswer(status: 307, headers: ["location": "https://b.example/whip"], body: [])
            let next = try client.next(after: up, from: client.home)
            #expect(next.place == "https://b.example/whip")
            #expect(client.sendsToken(to: client.home) && !client.sendsToken(to: next))
            // Another scheme or port is another origin.
            for other in [
                "http://a.example/", "https://a.example:444/", "https://b.a.example/", "https://a.example.b/",
            ] {
                #expect(!client.sendsToken(to: try HTTPAddress(other)), "\(other)")
            }
            for same in ["https://A.example:443/x?y", "https://a.example/session"] {
                #expect(client.sendsToken(to: try HTTPAddress(same)), "\(same)")
            }
        }

        @Test func theTokenStaysWithItsOrigin() async throws {
            let second = try TestServer { _ in .answer(401) }
            let first = try TestServer { [port = second.port] _ in
                .answer(307, ["Location": "http://127.0.0.1:\(port)/other"])
            }
            defer {
                first.stop()
                second.stop()
            }
            let call = try await loopbackCall()
            try await call.addAudio()
            var configuration = SignalingConfiguration()
            configuration.token = "secret"
            let client = SignalingClient(configuration)
            let error = await failure { _ = try await client.publish(call, to: first.url + "/whip/a") }
            await call.close()
            #expect(first.requests.first?.headers["authorization"] == "Bearer secret")
            #expect(second.requests.count == 1)
            #expect(second.requests.first?.headers["authorization"] == nil)
            #expect(second.requests.first?.method == "POST")
            #expect(second.requests.first?.body == first.requests.first?.body)
            #expect(error?.reason == .unauthorized)
            #expect(error?.description.contains("it was not sent there") == true)
        }

        // MARK: Before anything is sent

        @Test(arguments: [
            "", "nothing", "ftp://host/x", "http://", "https://user:pass@host/x", "http://a b/", "http://host/\r\nX: y",
            "file:///etc/passwd", "//host/x", "http:/x",
        ])
        func aWrongAddressIsSaid(_ text: String) async throws {
            let call = try await loopbackCall()
            try await call.addAudio()
            let error = await failure { _ = try await SignalingClient().publish(call, to: text) }
            #expect(error?.reason == .badAddress, "\(error?.description ?? "no error")")
            #expect(error?.description.contains("user:pass") != true)
            await call.close()
        }

        @Test(arguments: ["", "a b", "a\r\nX: y", "tök", "a=b", "=", String(repeating: "a", count: 9000)])
        func aTokenThatIsNoneIsSaid(_ token: String) async throws {
            let call = try await loopbackCall()
            try await call.addAudio()
            var configuration = SignalingConfiguration()
            configuration.token = token
            let client = SignalingClient(configuration)
            let error = await failure { _ = try await client.publish(call, to: "http://127.0.0.1:1/") }
            #expect(error?.reason == .badToken)
            await call.close()
        }

        @Test func nobodyThere() async throws {
            let call = try await loopbackCall()
            try await call.addAudio()
            let server = try TestServer { _ in .close }
            let port = server.port
            server.stop()
            let refused = await failure {
                _ = try await SignalingClient().publish(call, to: "http://127.0.0.1:\(port)/whip/a")
            }
            #expect(refused?.reason == .unreachable)
            #expect(refused?.description.contains("is the server running?") == true, "\(refused?.description ?? "")")
            let unknown = await failure {
                _ = try await SignalingClient().publish(call, to: "http://host.invalid/whip/a")
            }
            #expect(unknown?.reason == .unreachable)
            #expect(unknown?.description.contains("no host of the name 'host.invalid'") == true)
            await call.close()
        }

        @Test func plainHTTPWhereTLSWasMeant() async throws {
            let server = try TestServer { _ in .answer(201) }
            defer { server.stop() }
            let call = try await loopbackCall()
            try await call.addAudio()
            var configuration = SignalingConfiguration()
            configuration.answerSeconds = 2
            let client = SignalingClient(configuration)
            let error = await failure {
                _ = try await client.publish(call, to: "https://127.0.0.1:\(server.port)/whip/a")
            }
            #expect(error != nil)
            #expect(server.requests.isEmpty)
            await call.close()
        }

        @Test func cancellingEndsAHangingRequest() async throws {
            let server = try TestServer { _ in .hang }
            defer { server.stop() }
            let call = try await loopbackCall()
            try await call.addAudio()
            let task = Task { await failure { _ = try await SignalingClient().publish(call, to: server.url) } }
            try await eventually("the POST") { server.requests.count == 1 }
            let began = ContinuousClock.now
            task.cancel()
            let error = await task.value
            #expect(error?.reason == .cancelled)
            #expect(ContinuousClock.now - began < .seconds(2 * patience))
            // The call can be used again.
            _ = try await call.createOffer()
            await call.close()
        }

        /// Cancelled at any moment, with an answer on its way: nothing may be left hanging, nor the process end.
        @Test func cancellingAtAnyMoment() async throws {
            let head = "HTTP/1.1 201 Created\r\nContent-Type: application/sdp\r\n"
            let server = try TestServer { _ in
                .endless(head: head, "X-Field: " + String(repeating: "y", count: 900) + "\r\n")
            }
            defer { server.stop() }
            let client = HTTPClient(home: try HTTPAddress(server.url), token: nil, seconds: 5)
            for turn in 0..<60 {
                let task = Task { _ = try? await client.send("POST", to: client.home, body: "x") }
                try await Task.sleep(for: .microseconds(turn * 150))
                task.cancel()
                await task.value
            }
        }
    }
}

import Foundation
import Petrel
import PetrelIO
import PetrelLab
import PetrelServer
import Testing

extension ServerTests {
    /// Clients that mean no good, beside a call that they must not disturb.
    @Suite struct AbuseTests {
        /// Runs `abuse` in the midst of a call, and judges the call by the pictures that came meanwhile.
        private func duringACall(
            _ change: (inout ServerConfiguration) -> Void = { _ in },
            _ abuse: (HTTPClient, MediaServer) async throws -> Void
        ) async throws {
            try await withServer(change) { client, server in
                try await withCaller(sends: true) { caller in
                    try await caller.dial(client, "/call")
                    try await caller.media(20)
                    let (pictures, began) = (caller.pictures, ContinuousClock.now)
                    try await abuse(client, server)
                    try await caller.media(5)
                    let seconds = (ContinuousClock.now - began) / .seconds(1)
                    let expected = Int(seconds * 20)
                    #expect(caller.pictures - pictures > expected * 7 / 10, "of \(expected) pictures in \(seconds) s")
                    #expect(caller.seen.withLock { $0.failure } == nil)
                }
            }
        }

        @Test func aThousandConnectionsThatSayNothing() async throws {
            try await duringACall { client, _ in
                let connections = try await onThread {
                    try Connections((0..<1000).map { _ in try RawConnection(port: client.port) })
                }
                // Others are served meanwhile.
                for _ in 0..<5 { #expect(try await client.get("/status").status == 200) }
                let silent = connections.all.count
                #expect(silent == 1000)
                // Those are closed in time. The last has been there as long as any.
                let ended = try await onThread { connections.all[999].readAll(seconds: 20).hasEnded }
                #expect(ended)
            }
        }

        private final class Connections: @unchecked Sendable {
            // @unchecked: made by one thread and then only read by another.
            let all: [RawConnection]
            init(_ all: [RawConnection]) { self.all = all }
        }

        @Test func garbage() async throws {
            try await duringACall { client, _ in
                var generator = SystemRandomNumberGenerator()
                var texts: [[UInt8]] = (0..<50).map { length in
                    (0..<(length * 37 + 1)).map { _ in UInt8.random(in: 0...255, using: &generator) }
                }
                texts += [
                    "\r\n\r\n\r\n", "GET", "GET / HTTP/9.9\r\n\r\n", "GET /\r\n\r\n",
                    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                    "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}\u{fc}\u{3}\u{3}",
                    "POST /call HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
                    "POST /call HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
                    "GET / HTTP/1.1\r\nHost: a\r\nX: \u{0}\r\n\r\n",
                ].map { Array($0.utf8) }
                for text in texts {
                    let answer = try await onThread {
                        let connection = try RawConnection(port: client.port)
                        connection.send(text)
                        return connection.readAll(seconds: 0.05).text
                    }
                    if let reply = Reply(answer) {
                        #expect([400, 404, 405, 505].contains(reply.status), "\(text): \(answer)")
                    }
                }
                #expect(try await client.get("/status").status == 200)
            }
        }

        /// By names, so that a failure does not print a megabyte.
        private static let refusedWhole: [String: (status: Int, text: String)] = [
            // What one reads as a body another reads as a request (RFC 9112 section 11.2).
            "two lengths": (
                400, "POST /call HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"
            ),
            "a length beside chunks": (
                400,
                "POST /call HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
                    + "GET /status HTTP/1.1\r\nHost: a\r\n\r\n"
            ),
            "chunks without a size": (
                400,
                "POST /call HTTP/1.1\r\nHost: a\r\nContent-Type: application/sdp\r\nTransfer-Encoding: chunked\r\n\r\n"
                    + "zz\r\nhello\r\n"
            ),
            "a header of 1 MB": (
                431, "GET /status HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "x", count: 1 << 20))\r\n\r\n"
            ),
            "10,000 headers": (
                431, "GET /status HTTP/1.1\r\nHost: a\r\n\(String(repeating: "X: 1\r\n", count: 10_000))\r\n"
            ),
            "a body of 10 MB, announced": (
                413,
                "POST /call HTTP/1.1\r\nHost: a\r\nContent-Type: application/sdp\r\nContent-Length: 10485760\r\n\r\nv=0\r\n"
            ),
        ]

        @Test(arguments: refusedWhole.keys.sorted())
        func requestsThatAreRefusedWhole(_ name: String) async throws {
            let (status, text) = try #require(Self.refusedWhole[name])
            try await withServer { client, _ in
                let began = ContinuousClock.now
                let (answer, hasEnded) = try await onThread {
                    let connection = try RawConnection(port: client.port)
                    connection.send(text)
                    return connection.readAll(seconds: 12)
                }
                #expect(hasEnded)
                #expect(ContinuousClock.now - began < .seconds(10))
                #expect(answer.hasPrefix("HTTP/1.1 \(status) "), "\(answer.prefix(200))")
                #expect(answer.components(separatedBy: "HTTP/1.1 ").count == 2, "one answer: \(answer.prefix(500))")
                #expect(try await client.get("/status").status == 200)
            }
        }

        @Test(arguments: [
            "POST /call HTTP/1.1\r\nHost: a\r\nContent-Type: application/sdp\r\nContent-Length: 1000\r\n\r\n",
            "POST /call HTTP/1.1\r\nHost: a\r\nContent-Type: application/sdp\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST /call HTTP/1.1\r\nHost: a\r\nX-Slow: ",
            "",
        ])
        func slowClientsAreEnded(_ head: String) async throws {
            try await withServer {
                $0.limits.requestSeconds = 1
            } _: { client, _ in
                let began = ContinuousClock.now
                let (answer, hasEnded) = try await onThread {
                    let connection = try RawConnection(port: client.port)
                    connection.send(head)
                    // An octet now and then, so that the connection is never idle.
                    let drip = head.isEmpty ? "" : head.contains("chunked") ? "1\r\nv\r\n" : "v"
                    return connection.drip(drip, every: 0.1, for: 10 * Double(patience))
                }
                #expect(hasEnded)
                #expect(ContinuousClock.now - began < .seconds(3 * patience), "while octets still come")
                if head.contains("application/sdp") { #expect(answer.hasPrefix("HTTP/1.1 408"), "\(answer)") }
                #expect(try await client.get("/status").status == 200)
            }
        }

        /// Whatever a client does, ten seconds after it has come it has brought a request, or is gone.
        @Test func tenSecondsAreEnough() async throws {
            try await withServer { client, _ in
                func seconds(_ work: @escaping @Sendable (RawConnection) -> Bool) async throws -> Double {
                    try await onThread {
                        let began = ContinuousClock.now
                        let connection = try RawConnection(port: client.port)
                        #expect(work(connection), "the connection is ended")
                        return (ContinuousClock.now - began) / .seconds(1)
                    }
                }
                async let silent = seconds { $0.readAll(seconds: 15).hasEnded }
                async let late = seconds { connection in
                    connection.send("POST /call HTTP/1.1\r\nHost: a\r\nContent-Type: application/sdp\r\n")
                    Thread.sleep(forTimeInterval: 7)
                    connection.send("Content-Length: 1000\r\n\r\n")
                    let (answer, hasEnded) = connection.drip("v", every: 0.2, for: 15)
                    #expect(answer.hasPrefix("HTTP/1.1 408"), "\(answer)")
                    return hasEnded
                }
                // One that is answered has its ten seconds again.
                async let second = seconds { connection in
                    connection.send("GET /status HTTP/1.1\r\nHost: a\r\n\r\n")
                    Thread.sleep(forTimeInterval: 6)
                    connection.send("GET /status HTTP/1.1\r\nHost: a\r\n\r\n")
                    let (answers, hasEnded) = connection.readAll(seconds: 20)
                    #expect(answers.components(separatedBy: "200 OK").count == 3, "\(answers)")
                    return hasEnded
                }
                let times = try await (silent, late, second)
                #expect(times.0 <= 10 && times.0 > 5, "\(times.0) s")
                #expect(times.1 <= 10 && times.1 > 7, "\(times.1) s")
                #expect(times.2 <= 16.5 && times.2 > 12, "\(times.2) s")
                print(
                    "ended after \(times.0) s of silence, \(times.1) s with a late body, \(times.2) s with two requests"
                )
            }
        }

        /// What nobody fetches is not kept.
        @Test func aClientThatReadsNoAnswer() async throws {
            try await withServer {
                $0.limits.requestSeconds = 1
            } _: { client, _ in
                #expect(try await client.get("/status").status == 200)
                let before = try openFiles()
                let connection = try await onThread {
                    let connection = try RawConnection(port: client.port, receiveBuffer: 2048)
                    connection.send(String(repeating: "GET / HTTP/1.1\r\nHost: a\r\n\r\n", count: 500))
                    return Kept(connection)
                }
                // Both ends are files of this process.
                try await eventually("its connection is closed", within: 5) { try openFiles() <= before + 1 }
                #expect(try await client.get("/status").status == 200)
                withExtendedLifetime(connection) {}
            }
        }

        private final class Kept: @unchecked Sendable {
            // @unchecked: kept alive, and nothing else.
            let connection: RawConnection
            init(_ connection: RawConnection) { self.connection = connection }
        }

        @Test func aBodyWithoutEnd() async throws {
            try await duringACall { client, _ in
                let (answer, hasEnded) = try await onThread {
                    let connection = try RawConnection(port: client.port)
                    connection.send(
                        "POST /call HTTP/1.1\r\nHost: a\r\nContent-Type: application/sdp\r\nTransfer-Encoding: chunked\r\n\r\n"
                    )
                    let chunk = "10000\r\n" + String(repeating: "a", count: 0x10000) + "\r\n"
                    let end = Date().addingTimeInterval(10)
                    while Date() < end, connection.send(chunk) {}
                    return (connection.readAll(seconds: 1).text, Date() < end)
                }
                #expect(hasEnded)
                if !answer.isEmpty { #expect(answer.hasPrefix("HTTP/1.1 413"), "\(answer)") }
            }
        }

        @Test func oldHTTP() async throws {
            try await withServer { client, _ in
                let (answer, hasEnded) = try await onThread {
                    let connection = try RawConnection(port: client.port)
                    connection.send("GET /status HTTP/1.0\r\n\r\n")
                    return connection.readAll(seconds: 3 * Double(patience))
                }
                #expect(answer.contains(" 200 "))
                #expect(hasEnded, "such a client waits for the end of the connection")
            }
        }

        @Test func aFloodOfOffersThatNeverConnect() async throws {
            let files = try openFiles()
            try await withServer {
                $0.maximumPeers = 6
                $0.limits.connectSeconds = 2
            } _: { client, server in
                try await withCaller(sends: true) { caller in
                    try await caller.dial(client, "/call")
                    try await caller.media(10)
                    let before = caller.pictures
                    let stranger = try await Caller()
                    try await stranger.addMedia(sends: false)
                    let offer = try await stranger.call.createOffer()
                    var statuses: [Int: Int] = [:]
                    for _ in 0..<200 {
                        let reply = try await client.post("/call", sdp: offer)
                        statuses[reply.status, default: 0] += 1
                        if reply.status == 503 { #expect(reply.headers["retry-after"] != nil) }
                        #expect(await server.peers <= 6)
                    }
                    #expect(Set(statuses.keys) == [201, 503], "\(statuses)")
                    #expect(statuses[503, default: 0] > 100, "\(statuses)")
                    await stranger.close()
                    // Those that never came are taken away; the one that talks stays.
                    try await eventually("their places are free") { await server.peers == 1 }
                    #expect(caller.pictures > before)
                    try await caller.media(10)
                }
            }
            try await eventually("their sockets are closed") { try openFiles() <= files + 4 }
        }

        /// C71: a thousand offers from twenty clients at a time.
        @Test func aThousandOffersAtOnce() async throws {
            #expect(ServerLimits().connectSeconds <= 30)
            let (files, sockets) = (try openFiles(), try UDPSockets.ports())
            let most = 6
            try await withServer {
                $0.maximumPeers = most
                $0.limits.connectSeconds = 3
                $0.udpPorts = 50_000...59_999
            } _: { client, server in
                let stranger = try await Caller()
                try await stranger.addMedia(sends: false)
                let offer = try await stranger.call.createOffer()
                await stranger.close()
                let began = ContinuousClock.now
                let isOver = Lock(false)
                let watch = Task {
                    var (peers, ports) = (0, 0)
                    while !isOver.withLock({ $0 }) {
                        peers = max(peers, await server.peers)
                        ports = max(ports, try UDPSockets.ports().count { (50_000...59_999).contains($0) })
                        try await Task.sleep(for: .milliseconds(10))
                    }
                    return (peers, ports)
                }
                let replies = try await withThrowingTaskGroup(of: [Reply].self) { group in
                    for _ in 0..<20 {
                        group.addTask {
                            var replies: [Reply] = []
                            for _ in 0..<50 { replies.append(try await client.post("/call", sdp: offer)) }
                            return replies
                        }
                    }
                    return try await group.reduce(into: []) { $0 += $1 }
                }
                let seconds = (ContinuousClock.now - began) / .seconds(1)
                isOver.withLock { $0 = true }
                let (peers, ports) = try await watch.value
                let made = replies.count { $0.status == 201 }
                print("1,000 offers in \(seconds) s: \(made) taken, at most \(peers) peers and \(ports) ports")
                #expect(Set(replies.map(\.status)) == [201, 503])
                #expect(replies.allSatisfy { $0.status != 503 || $0.headers["retry-after"] != nil })
                #expect(peers == most)
                // One that is being closed while the next is made may have its socket for a moment longer.
                #expect(ports <= most + 2)
                #expect(made >= most && made <= most * (1 + Int(seconds / 3)))
                try await eventually("their places are free") { await server.peers == 0 }
                try await eventually("their ports are free") { try UDPSockets.ports() == sockets }
                #expect(try await client.get("/status").status == 200)
            }
            try await eventually("their sockets are closed") { try openFiles() <= files + 4 }
        }

        @Test func atTheLimitTheNextIsTold() async throws {
            try await withServer {
                $0.maximumPeers = 1
            } _: { client, _ in
                try await withCaller(sends: false) { first in
                    let location = try #require(try await first.dial(client, "/call").headers["location"])
                    try await withCaller(sends: false) { second in
                        let offer = try await second.call.createOffer()
                        let refused = try await client.post("/whep/film", sdp: offer)
                        #expect(refused.status == 503)
                        #expect(refused.headers["retry-after"] == "5")
                        _ = try await client.delete(location)
                        #expect(try await client.post("/whep/film", sdp: offer).status == 201)
                    }
                }
            }
        }

        /// A tab that is closed or a telephone that is switched off says nothing: consent runs out (RFC 7675 section 5.1).
        @Test func aClientThatVanishes() async throws {
            try await withServer {
                $0.link = try? LabProfile.link("delay=1")
            } _: { client, server in
                try await withCaller(sends: true) { caller in
                    let location = try #require(try await caller.dial(client, "/call?media=echo").headers["location"])
                    try await caller.media(10)
                    let black = try await client.request(
                        "PUT", "/link", ["Content-Type": "application/json"], body: "{\"text\": \"loss=100\"}")
                    #expect(black.status == 200)
                    try await Task.sleep(for: .seconds(5))
                    #expect(await server.peers == 1, "it may come back")
                    try await eventually("the peer is gone", within: 60) { await server.peers == 0 }
                    #expect(try await client.get(location + "/statistics").status == 404)
                }
            }
        }

        private func openFiles() throws -> Int {
            #if os(Linux)
                try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
            #else
                0
            #endif
        }
    }
}

import Foundation
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import Petrel
import PetrelIO
import PetrelLab
import PetrelServer
import Testing

extension ServerTests {
    /// How a server begins, and what is said where it cannot.
    @Suite struct StartTests {
        private func failure(_ change: (inout ServerConfiguration) -> Void) async -> String {
            var configuration = ServerConfiguration()
            configuration.logger.logLevel = .critical
            change(&configuration)
            do {
                let server = try MediaServer(configuration)
                _ = try await server.start()
                await server.stop()
                return ""
            } catch { return "\(error)" }
        }

        @Test func aPortInUse() async throws {
            try await withServer { client, _ in
                #expect(
                    await failure { $0.port = client.port }
                        == "another program serves at 127.0.0.1, port \(client.port) already")
            }
        }

        @Test func whatCannotBe() async throws {
            #expect(await failure { $0.host = "192.0.2.1" }.hasPrefix("cannot serve at 192.0.2.1, port 0: "))
            #expect(await failure { $0.port = 70_000 }.contains("0 to 65535"))
            #expect(await failure { $0.maximumPeers = 0 }.contains("at least one peer"))
            let missing = await failure { $0.certificate = ("/nowhere/cert.pem", "/nowhere/key.pem") }
            #expect(missing.hasPrefix("the certificate /nowhere/cert.pem cannot be read: "), "\(missing)")
            let folder = try PEMFolder()
            let noKey = await failure { $0.certificate = (folder.chain, "/nowhere/key.pem") }
            #expect(noKey.hasPrefix("the key /nowhere/key.pem cannot be read: "), "\(noKey)")
            let noCertificate = await failure { $0.certificate = (folder.key, folder.key) }
            #expect(noCertificate.contains("cannot be"), "\(noCertificate)")
        }

        /// One UDP port for all, and what is told of the machine's address outside.
        @Test func peersShareAPort() async throws {
            let port = try await SharedPort(host: "127.0.0.1")
            let number = port.port
            await port.close()
            try await withServer {
                $0.udpPorts = number...number
                $0.call.publicAddresses = ["203.0.113.7/127.0.0.1"]
            } _: { client, server in
                try await withCaller(sends: false) { first in
                    try await withCaller(sends: true) { second in
                        let replies = [
                            try await first.dial(client, "/call"), try await second.dial(client, "/call?media=echo"),
                        ]
                        for reply in replies {
                            let places = Set(
                                Description.candidates(reply.body).map {
                                    $0.split(separator: " ")[4...5].joined(separator: " ")
                                })
                            #expect(places == ["127.0.0.1 \(number)", "203.0.113.7 \(number)"])
                        }
                        try await first.media(20)
                        try await second.media(20)
                        let taken = await failure {
                            $0.udpPorts = number...number
                            $0.call.localAddresses = ["127.0.0.1"]
                        }
                        #expect(taken.contains("the UDP port \(number) cannot be used"), "\(taken)")
                        #expect(await server.peers == 2)
                    }
                }
            }
            // It is free again.
            let again = try await SharedPort(host: "127.0.0.1", port: number)
            await again.close()
        }

        @Test func portsOfARange() async throws {
            try await withServer {
                $0.udpPorts = 40_000...49_999
            } _: { client, _ in
                try await withCaller(sends: false) { caller in
                    let reply = try await caller.dial(client, "/call")
                    for candidate in Description.candidates(reply.body) {
                        #expect((40_000...49_999).contains(Int(candidate.split(separator: " ")[5]) ?? 0))
                    }
                    try await caller.media()
                }
            }
            // The relay stands in its place, and obeys as well.
            try await withServer {
                $0.udpPorts = 40_000...49_999
                $0.link = try? LabProfile.link("delay=1")
            } _: { client, _ in
                try await withCaller(sends: false) { caller in
                    let reply = try await caller.dial(client, "/call")
                    for candidate in Description.candidates(reply.body) {
                        #expect((40_000...49_999).contains(Int(candidate.split(separator: " ")[5]) ?? 0))
                    }
                    try await caller.media()
                }
            }
            #expect(
                await failure {
                    $0.udpPorts = 40_000...40_000
                    $0.link = try? LabProfile.link("delay=1")
                }.contains("name a range"))
        }

        @Test func theAddressOfIPv6IsInBrackets() async throws {
            var configuration = ServerConfiguration()
            configuration.host = "::1"
            let server = try MediaServer(configuration)
            do {
                #expect(try await server.start().hasPrefix("http://[::1]:"))
            } catch let error as ServerError {
                print("skipped: no IPv6 here (\(error))")
            }
            await server.stop()
        }

        @Test func overTLS() async throws {
            let folder = try PEMFolder()
            var configuration = ServerConfiguration()
            configuration.certificate = (folder.chain, folder.key)
            configuration.limits.requestSeconds = 2
            configuration.logger.logLevel = .error
            let server = try MediaServer(configuration)
            let address = try await server.start()
            #expect(address.hasPrefix("https://127.0.0.1:"))
            let port = try #require(URL(string: address)?.port)
            let reply = try await secureGet(port: port, trusting: folder.chain)
            #expect(reply?.status == 200)
            #expect(reply?.json["version"] as? String == MediaServer.version)
            // Who says nothing is ended in time, and is not waited for.
            let (silent, hasEnded) = try await onThread {
                let connection = try RawConnection(port: port)
                return connection.readAll(seconds: 5 * Double(patience))
            }
            #expect(silent.isEmpty && hasEnded)
            // Who speaks without TLS gets nothing, and disturbs nobody.
            let plain = try await onThread {
                let connection = try RawConnection(port: port)
                connection.send("GET /status HTTP/1.1\r\nHost: a\r\n\r\n")
                return connection.readAll(seconds: 3).text
            }
            #expect(!plain.contains("200 OK"))
            #expect(try await secureGet(port: port, trusting: folder.chain)?.status == 200)
            await server.stop()
        }

        /// One request over TLS, whose certificate is checked against `chain`.
        private func secureGet(port: Int, trusting chain: String) async throws -> Reply? {
            var tls = TLSConfiguration.makeClientConfiguration()
            tls.trustRoots = .file(chain)
            let context = try NIOSSLContext(configuration: tls)
            let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton).connect(
                host: "127.0.0.1", port: port
            ) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        try NIOSSLClientHandler(context: context, serverHostname: "petrel.test"))
                    return try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
            return try await channel.executeThenClose { inbound, outbound in
                try await outbound.write(
                    ByteBuffer(string: "GET /status HTTP/1.1\r\nHost: petrel.test\r\nConnection: close\r\n\r\n"))
                var text = ""
                do { for try await part in inbound { text += String(buffer: part) } } catch NIOSSLError.uncleanShutdown
                {}
                return Reply(text)
            }
        }

        /// What is logged holds no secrets (C73): tokens, passwords of ICE, addresses of resources.
        @Test func logsHoldNoSecrets() async throws {
            let lines = Lock([String]())
            try await withServer {
                $0.tokens = ["canary-token"]
                $0.iceServers = ["turn:turn.example.net;user;canary-password"].compactMap { NamedICEServer($0) }
                $0.logger = Logger(label: "test") { _ in Collector(lines: lines) }
                $0.logger.logLevel = .trace
            } _: { client, _ in
                try await withCaller(sends: true) { caller in
                    let offer = try await caller.call.createOffer()
                    let reply = try await client.post("/call?media=echo", sdp: offer)
                    try await caller.call.accept(answer: reply.body)
                    try await caller.media()
                    let location = try #require(reply.headers["location"])
                    _ = try await client.patch(location, "a=ice-pwd:canary\r\n", ifMatch: "*")
                    var shown = try await client.get(location + "/statistics").body
                    shown += try await client.get("/status").body
                    // Broken copies of the offer and of a fragment, and tokens that are nearly right.
                    var refusals = 0
                    for line in Description.lines(offer) {
                        for broken in [
                            line + "\u{1}", line.uppercased() + "=", String(line.dropLast(3)), "\(line):\(line)",
                        ] {
                            let text = offer.replacing(line, with: broken)
                            let refused = try await client.post(location, sdp: text)
                            let patched = try await client.patch(location, "a=mid:0\r\n\(broken)\r\n", ifMatch: "*")
                            for reply in [refused, patched] where reply.status >= 400 {
                                refusals += 1
                                shown += reply.body
                            }
                        }
                    }
                    #expect(refusals > 50, "there is something to look at")
                    for token in ["canary-token2", "canary-toke", "Bearer canary-token"] {
                        var nobody = client
                        nobody.token = token
                        let reply = try await nobody.post(location, sdp: offer)
                        #expect(reply.status == 401)
                        shown += reply.body + "\(reply.headers)"
                    }
                    _ = try await client.delete(location)
                    let text = lines.withLock { $0.joined(separator: "\n") } + shown
                    #expect(text.contains("a peer came"))
                    let id = location.split(separator: "/").last.map(String.init) ?? "none"
                    for secret in [
                        "canary-token", "canary-password", id, Description.value("ice-pwd", in: offer),
                        Description.value("ice-pwd", in: reply.body),
                    ] {
                        #expect(!text.contains(try #require(secret)))
                    }
                }
            }
        }

        private struct Collector: LogHandler {
            let lines: Lock<[String]>
            var metadata = Logger.Metadata()
            var logLevel = Logger.Level.trace

            subscript(metadataKey key: String) -> Logger.Metadata.Value? {
                get { metadata[key] }
                set { metadata[key] = newValue }
            }

            func log(event: LogEvent) {
                let line = "\(event.message) \(event.metadata ?? [:]) \(metadata)"
                lines.withLock { $0.append(line) }
            }
        }
    }
}

/// A certificate for `petrel.test` and its key, made for these tests, in a folder that goes with the object.
final class PEMFolder {
    let path: String
    var chain: String { path + "/chain.pem" }
    var key: String { path + "/key.pem" }

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("petrel-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        let openssl = Process()
        openssl.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        openssl.arguments = [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=petrel.test", "-addext", "subjectAltName=DNS:petrel.test", "-keyout", key, "-out", chain,
        ]
        openssl.standardError = FileHandle.nullDevice
        try openssl.run()
        openssl.waitUntilExit()
        try #require(openssl.terminationStatus == 0, "openssl makes no certificate")
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

import Foundation
import Glibc
import PetrelCore
import PetrelSecurity
import Testing

/// Handshakes with the `openssl` program over real sockets: another implementation of everything around OpenSSL's
/// handshake, and the one that tells us its keys.
@Suite("DTLS with the openssl program", .serialized)
struct DTLSInteropTests {
    /// A UDP socket on the loopback interface.
    private final class Socket {
        let descriptor: Int32
        let port: UInt16
        private var peer = sockaddr_in()

        init() throws {
            descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let descriptor = descriptor
            let isBound = withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
                }
            }
            try #require(descriptor >= 0 && isBound)
            port = UInt16(bigEndian: address.sin_port)
        }

        deinit { Glibc.close(descriptor) }

        func connect(to port: UInt16) {
            peer.sin_family = sa_family_t(AF_INET)
            peer.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            peer.sin_port = port.bigEndian
        }

        func send(_ bytes: UnsafeRawBufferPointer) {
            let (descriptor, size) = (descriptor, socklen_t(MemoryLayout<sockaddr_in>.size))
            withUnsafePointer(to: &peer) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    _ = sendto(descriptor, bytes.baseAddress, bytes.count, 0, $0, size)
                }
            }
        }

        /// One datagram, waited for until the timeout; its sender becomes the peer.
        func receive(milliseconds: Int32) -> [UInt8]? {
            var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard Glibc.poll(&poll, 1, milliseconds) > 0 else { return nil }
            var buffer = [UInt8](repeating: 0, count: 4096)
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let descriptor = descriptor
            let count = withUnsafeMutablePointer(to: &peer) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    recvfrom(descriptor, &buffer, 4096, 0, $0, &length)
                }
            }
            return count >= 0 ? Array(buffer.prefix(count)) : nil
        }
    }

    private static let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
        "petrel-dtls-\(getpid())")
    private static let program = ["/usr/bin/openssl", "/usr/local/bin/openssl", "/opt/homebrew/bin/openssl"]
        .first { FileManager.default.isExecutableFile(atPath: $0) }

    /// Runs the program to its end and answers what it printed.
    private static func openssl(_ arguments: [String]) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(program))
        process.arguments = arguments
        process.currentDirectoryURL = folder
        let output = Pipe()
        (process.standardOutput, process.standardError) = (output, FileHandle.nullDevice)
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: data, as: UTF8.self)
    }

    /// A certificate for the program, RSA, P-256 ("ec") or of another named curve, and its fingerprint.
    private static func credentials(_ kind: String) throws -> Fingerprint {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let curve = kind == "ec" ? "P-256" : kind
        let key = kind == "rsa" ? ["rsa:2048"] : ["ec", "-pkeyopt", "ec_paramgen_curve:\(curve)"]
        _ = try openssl(
            ["req", "-x509", "-newkey"] + key + [
                "-nodes", "-subj", "/CN=oracle", "-days", "2", "-keyout", "\(kind).key", "-out", "\(kind).pem",
            ])
        let text = try openssl(["x509", "-in", "\(kind).pem", "-noout", "-fingerprint", "-sha256"])
        let value = try #require(text.split(separator: "=").last).trimmingCharacters(in: .whitespacesAndNewlines)
        return try #require(Fingerprint("sha-256 \(value)"))
    }

    struct Case: CustomTestStringConvertible {
        var role: DTLSRole
        var certificate = "ec"
        var profile = SRTPProfile.aeadAES128GCM
        var cipher: String?
        var loss = 0.0
        var seed: UInt64 = 1
        /// One way, in milliseconds.
        var delay = 0
        /// How many of the program's last flights are lost.
        var lostAnswers = 0
        var extra: [String] = []
        var testDescription: String {
            "Petrel is \(role), \(certificate), \(profile), \(cipher ?? "any cipher"), loss \(loss), delay \(delay) ms, \(lostAnswers) answers lost \(extra)"
        }
    }

    static let cases: [Case] = [
        Case(role: .client), Case(role: .client, certificate: "rsa", profile: .aeadAES256GCM),
        Case(role: .client, profile: .aes128CMSHA1_80, cipher: "ECDHE-ECDSA-CHACHA20-POLY1305"),
        Case(role: .client, cipher: "ECDHE-ECDSA-AES256-GCM-SHA384"),
        Case(role: .client, certificate: "rsa", cipher: "ECDHE-RSA-AES256-GCM-SHA384", extra: ["-mtu", "300"]),
        Case(role: .server), Case(role: .server, certificate: "rsa", profile: .aes128CMSHA1_80),
        Case(role: .server, cipher: "ECDHE-ECDSA-CHACHA20-POLY1305"),
        Case(role: .server, profile: .aeadAES256GCM, cipher: "ECDHE-ECDSA-AES256-GCM-SHA384"),
        // GnuTLS makes certificates of P-224 for FFmpeg's WHIP muxer.
        Case(role: .client, certificate: "P-224"), Case(role: .client, certificate: "P-384"),
        Case(role: .server, certificate: "P-384"), Case(role: .client, certificate: "P-521"),
        // A server that is done repeats its last flight only for a Finished that it has not seen.
        Case(role: .client, lostAnswers: 1), Case(role: .client, lostAnswers: 5),
        Case(role: .client, certificate: "rsa", cipher: "ECDHE-RSA-CHACHA20-POLY1305", lostAnswers: 5),
        Case(role: .client, cipher: "ECDHE-ECDSA-AES256-GCM-SHA384", lostAnswers: 5),
        // It ends at the thirteenth, so that a long way must not bring it so many; a client does the same.
        Case(role: .client, delay: 700), Case(role: .server, delay: 700),
        Case(role: .client, loss: 0.2, seed: 1), Case(role: .server, loss: 0.2, seed: 2),
    ]

    @Test("keys equal the program's", arguments: cases)
    func handshake(_ test: Case) throws {
        guard Self.program != nil else {
            print("skipped: handshake with the openssl program (not installed)")
            return
        }
        let theirs = try Self.credentials(test.certificate)
        let certificate = try Certificate.make(unixTime: Int64(Date().timeIntervalSince1970))
        let socket = try Socket()
        var names = ["SRTP_AES128_CM_SHA1_80"]
        if test.profile == .aeadAES128GCM { names = ["SRTP_AEAD_AES_128_GCM", "SRTP_AES128_CM_SHA1_80"] }
        if test.profile == .aeadAES256GCM { names = ["SRTP_AEAD_AES_256_GCM"] }
        let length = 2 * (test.profile.keyLength + test.profile.saltLength)
        var arguments = [
            "-dtls1_2", "-cert", "\(test.certificate).pem", "-key", "\(test.certificate).key", "-use_srtp",
            names.joined(separator: ":"), "-keymatexport", "EXTRACTOR-dtls_srtp", "-keymatexportlen", "\(length)",
        ]
        if let cipher = test.cipher { arguments += ["-cipher", cipher] }
        arguments += test.extra
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(Self.program))
        process.currentDirectoryURL = Self.folder
        let (input, output) = (Pipe(), Pipe())
        (process.standardInput, process.standardOutput, process.standardError) = (input, output, output)
        if test.role == .client {
            let free = try Socket()
            socket.connect(to: free.port)
            // Petrel shows a certificate that nobody signed, so that it is asked for and not judged.
            arguments = ["s_server", "-accept", "127.0.0.1:\(free.port)", "-verify", "1"] + arguments
        } else {
            arguments = ["s_client", "-connect", "127.0.0.1:\(socket.port)"] + arguments
        }
        process.arguments = arguments
        try process.run()
        defer {
            // A child inherits the signals that the test's thread blocks, SIGTERM among them.
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }

        let engine = DTLSEngine(role: test.role, certificate: certificate)
        let start = DispatchTime.now().uptimeNanoseconds
        func now() -> Instant { Instant(nanoseconds: Int64(DispatchTime.now().uptimeNanoseconds - start)) }
        var random = SeededGenerator(seed: test.seed)
        var lostAnswers = 0
        // What is on its way, with the time it arrives.
        var outgoing: [(at: Instant, bytes: [UInt8])] = []
        var incoming: [(at: Instant, bytes: [UInt8])] = []
        let delay = TimeDelta.milliseconds(test.delay)
        func emit(_ bytes: UnsafeRawBufferPointer) {
            if random.unit() >= test.loss { outgoing.append((now() + delay, [UInt8](bytes))) }
        }
        func deliver() {
            while let first = outgoing.first, first.at <= now() {
                outgoing.removeFirst()
                first.bytes.withUnsafeBytes { socket.send($0) }
            }
            while let first = incoming.first, first.at <= now() {
                incoming.removeFirst()
                _ = first.bytes.withUnsafeBytes { engine.receive($0, now: now(), emit: emit) }
            }
        }
        if test.role == .client { usleep(150_000) }
        engine.start(now: now(), emit: emit)
        engine.expect(fingerprints: [theirs], now: now(), emit: emit)
        var isConnected: Instant?
        // The program prints its keys when its own handshake is done, so that it must have our last flight.
        var printed = ""
        let reader = output.fileHandleForReading
        _ = fcntl(reader.fileDescriptor, F_SETFL, O_NONBLOCK)
        while now().milliseconds < 20_000, engine.state.failure == nil {
            let wait = min(max(0, (engine.nextDeadline - now()).milliseconds), test.delay > 0 ? 2 : 20)
            deliver()
            if let datagram = socket.receive(milliseconds: Int32(wait.rounded(.up))), random.unit() >= test.loss {
                let isAnswer = Record.split(datagram).contains { $0.type == 20 }
                if isAnswer, lostAnswers < test.lostAnswers {
                    lostAnswers += 1
                } else {
                    incoming.append((now() + delay, datagram))
                }
            }
            deliver()
            engine.handleTimeout(now: now(), emit: emit)
            if engine.state == .connected, isConnected == nil { isConnected = now() }
            var buffer = [UInt8](repeating: 0, count: 16_384)
            let count = read(reader.fileDescriptor, &buffer, buffer.count)
            if count > 0 { printed += String(decoding: buffer.prefix(count), as: UTF8.self) }
            if let isConnected, Self.keys(printed, length) != nil, now() >= isConnected + delay * 2 + .milliseconds(200)
            {
                break
            }
        }
        #expect(engine.state == .connected, "\(engine.state), the program: \(printed)")
        #expect(engine.profile == test.profile)
        let exported = try #require(Self.keys(printed, length), "the program printed: \(printed)")
        guard let told = SRTPKeyingMaterial(profile: test.profile, exported: exported),
            let own = engine.exportKeyingMaterial()
        else {
            Issue.record("no keys")
            return
        }
        let isEqual = own.isEqual(to: told)
        #expect(isEqual)
        print(
            "openssl: \(test.testDescription): connected after \(Int(isConnected?.milliseconds ?? -1)) ms, "
                + "\(engine.repeatedFlights) repeats")
        // It understands the end as well.
        #expect(lostAnswers == test.lostAnswers)
        // The program says when it gives an association up.
        #expect(process.isRunning)
        for word in ["ERROR", "CONNECTION CLOSED", "shutdown accept", "expired"] {
            #expect(!printed.contains(word), "the program: \(printed)")
        }
        engine.close(emit: emit)
        #expect(engine.state == .closed)
    }

    /// The keying material in the program's output.
    private static func keys(_ text: String, _ length: Int) -> [UInt8]? {
        guard let start = text.range(of: "Keying material: ") else { return nil }
        let digits = text[start.upperBound...].prefix(2 * length)
        guard digits.count == 2 * length, digits.allSatisfy(\.isHexDigit) else { return nil }
        return hex(String(digits))
    }
}

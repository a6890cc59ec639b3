internal import ArgumentParser
internal import Foundation
internal import PetrelCore
internal import PetrelDevices
internal import PetrelLab
internal import PetrelTools

/// `petrel lab relay`: a UDP relay between two processes that treats their datagrams as the described network would.
struct LabRelayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "relay",
        abstract: "Put a bad network between two programs: a UDP relay with a port for each of them.",
        discussion: """
            The first program sends to the port of --a, the second one to that of --b; each sees the other as coming \
            from its own port of the relay. Nothing but the addresses is changed. With a server that never sends \
            first, name it: --peer-b 127.0.0.1:5000.
            """)

    @Option(help: LinkOption.help, transform: LinkOption.transform)
    var link: LinkOption

    @Option(
        help: ArgumentHelp("Another network from the second program to the first.", valueName: "link"),
        transform: LinkOption.transform)
    var back: LinkOption?

    @Option(help: "The seed of the network's randomness.")
    var seed: UInt64 = 1

    @Option(help: "The address that the ports are bound to.")
    var host: String = "127.0.0.1"

    @Option(help: "The port for the first program; 0 lets the system choose.")
    var a: UInt16 = 0

    @Option(help: "The port for the second program; 0 lets the system choose.")
    var b: UInt16 = 0

    @Option(
        help: ArgumentHelp(
            "The first program's own address; learned from its first datagram by default.", valueName: "address:port"),
        transform: LabRelayCommand.address)
    var peerA: TransportAddress?

    @Option(
        help: ArgumentHelp("The second program's own address.", valueName: "address:port"),
        transform: LabRelayCommand.address)
    var peerB: TransportAddress?

    @Option(help: "End after this many seconds. (default: when interrupted)")
    var seconds: Double?

    @Flag(help: "Print what became of the datagrams as JSON on standard output.")
    var json = false

    func validate() throws {
        guard TransportAddress(host, port: 0) != nil else { throw ValidationError("--host \(host): no IP address") }
        if let seconds, !(seconds > 0 && seconds < 1e9) {
            throw ValidationError("--seconds \(seconds): a number above 0 is needed")
        }
    }

    func run() async throws {
        guard let faceA = TransportAddress(host, port: a), let faceB = TransportAddress(host, port: b) else { return }
        var configuration = LiveRelay.Configuration(
            forward: link.forward, backward: (back ?? link).backward, seed: seed)
        (configuration.faceTowardsA, configuration.faceTowardsB) = (faceA, faceB)
        (configuration.peerA, configuration.peerB) = (peerA, peerB)
        let relay: LiveRelay
        do throws(LiveRelayError) {
            relay = try LiveRelay(configuration)
            try relay.start()
        } catch {
            throw Self.sentence(error, faceA, faceB)
        }
        say("first program:  send to \(relay.face(towards: .a))")
        say("second program: send to \(relay.face(towards: .b))")
        say("there: \(link.forward)   back: \((back ?? link).backward)   seed: \(seed)")
        await waitForEnd()
        relay.stop()
        let statistics = [("a->b", relay.statistics(from: .a)), ("b->a", relay.statistics(from: .b))]
        for (name, values) in statistics { say(Self.line(name, values)) }
        if json {
            print(JSONText.object(statistics.map { ($0.0, Self.json($0.1)) }).text(pretty: true))
        }
    }

    /// Until the time is over or the person interrupts.
    private func waitForEnd() async {
        let (ends, end) = AsyncStream.makeStream(of: Void.self)
        let watch = Signals.onInterrupt { end.finish() }
        let timer = seconds.map { seconds in
            Task {
                try? await Task.sleep(for: .seconds(seconds))
                end.finish()
            }
        }
        for await _ in ends {}
        timer?.cancel()
        withExtendedLifetime(watch) {}
    }

    private func say(_ line: String) { FileHandle.standardError.write(Data((line + "\n").utf8)) }

    private static func sentence(_ error: LiveRelayError, _ a: TransportAddress, _ b: TransportAddress) -> ToolError {
        guard error.code == EADDRINUSE else { return ToolError("The relay could not start at \(a) and \(b): \(error)") }
        // Port 0 is never in use; with two of them asked for, the relay does not say which it was.
        let asked = [a, b].filter { $0.port != 0 }.map(\.description).joined(separator: " or ")
        return ToolError("The address \(asked) is in use by another program; choose another port with --a and --b")
    }

    @Sendable private static func address(_ text: String) throws -> TransportAddress {
        // An IPv6 address is written in brackets before its port.
        if let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]), port > 0 {
            var host = text[..<colon]
            if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
            if let address = TransportAddress(String(host), port: port) { return address }
        }
        throw ValidationError("\(text) is no address with a port, such as 127.0.0.1:5000 or [::1]:5000")
    }

    private static func line(_ name: String, _ values: RelayStatistics) -> String {
        let loss = values.link.lossRate.map { String(format: "%.2f %%", $0 * 100) } ?? "unknown"
        return "\(name)  received \(values.received)  forwarded \(values.forwarded)  lost \(values.link.lost) (\(loss))"
            + "  duplicated \(values.link.duplicated)  foreign \(values.foreign)  not sent \(values.unaddressed + values.sendFailed)"
    }

    private static func json(_ values: RelayStatistics) -> JSONText {
        func number(_ value: UInt64) -> JSONText { .integer(Int(clamping: value)) }
        return .object([
            ("received", number(values.received)), ("bytesReceived", number(values.bytesReceived)),
            ("foreign", number(values.foreign)), ("tooLong", number(values.tooLong)),
            ("offered", number(values.link.offered)), ("lost", number(values.link.lost)),
            ("lossPercent", .optional(values.link.lossRate.map { $0 * 100 }, digits: 3)),
            ("meanBurst", .optional(values.link.meanBurst, digits: 3)), ("duplicated", number(values.link.duplicated)),
            ("forwarded", number(values.forwarded)), ("bytesForwarded", number(values.bytesForwarded)),
            ("unaddressed", number(values.unaddressed)), ("sendFailed", number(values.sendFailed)),
            ("overflowed", number(values.overflowed)), ("waiting", number(values.waiting)),
            ("latenessP99Ms", .optional(values.lateness.percentile(0.99)?.milliseconds, digits: 3)),
        ])
    }
}

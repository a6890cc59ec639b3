internal import ArgumentParser
internal import Foundation
internal import Logging
internal import Petrel
internal import PetrelDevices
internal import PetrelLab
internal import PetrelServer
internal import PetrelTools

/// `petrel-server`: calls, WHIP and WHEP over HTTP, and a page that calls.
@main
struct PetrelServerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "petrel-server",
        abstract: "Serve a page on which a browser calls a Petrel peer, and WHIP and WHEP for every other client.",
        discussion: "The address is printed as the only line on standard output. Ctrl-C ends all calls and the server.")

    @Option(help: "The address to serve at: 127.0.0.1 for this machine alone, 0.0.0.0 for all of its addresses.")
    var host = "127.0.0.1"

    @Option(help: "The port; 0: any that is free.")
    var port = 8080

    @Option(help: ArgumentHelp("A certificate chain (PEM), for HTTPS; with --key.", valueName: "file"))
    var cert: String?

    @Option(help: ArgumentHelp("The key of the certificate (PEM).", valueName: "file"))
    var key: String?

    @Option(
        help: ArgumentHelp("A bearer token that clients must show; may be given more than once.", valueName: "token"))
    var token: [String] = []

    @Option(
        help: ArgumentHelp(
            "The address of this machine outside a NAT, for clients from there; may be given more than once.",
            valueName: "ip"))
    var publicIP: [String] = []

    @Option(
        help: ArgumentHelp(
            "The UDP ports for media: a range such as 50000-50100, or one port that all peers share.",
            valueName: "ports"), transform: PetrelServerCommand.ports)
    var udpPorts: ClosedRange<UInt16>?

    @Option(help: "The most peers at a time.")
    var maxPeers = 16

    @Option(help: "The film: a file that ffmpeg reads, a camera such as /dev/video0, or 'testcard'. (default: film)")
    var video: String?

    @Option(
        help: "The speech: a file that ffmpeg reads, a microphone such as alsa:default, or 'builtin'. (default: speech)"
    )
    var audio: String?

    @Option(help: "Pictures a second of the film.")
    var fps = 25

    @Flag(help: "Write a frame counter into the film's pictures, for measuring.")
    var stamp = false

    @Option(
        help: ArgumentHelp(
            "A bad network between every browser and its peer, such as delay=20,loss=5, or a name from 'petrel lab profiles'; the page has sliders for it.",
            valueName: "link"))
    var link: String?

    @Option(
        help: ArgumentHelp(
            "A STUN or TURN server for clients: stun:HOST, or turn:HOST;USER;PASSWORD. May be given more than once.",
            valueName: "url"))
    var iceServer: [String] = []

    @Option(help: "How much is logged on standard error: debug, info, warning or error.")
    var log = "info"

    /// `50000-50100`, or `50000`.
    @Sendable static func ports(_ text: String) throws -> ClosedRange<UInt16> {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false).map { UInt16($0) }
        guard let first = parts.first ?? nil, let last = parts.last ?? nil, parts.count <= 2, first > 0, first <= last
        else { throw ValidationError("--udp-ports \(text): a port such as 50000, or a range such as 50000-50100") }
        return first...last
    }

    func validate() throws {
        guard (0...65_535).contains(port) else { throw ValidationError("--port \(port): 0 to 65535 are possible") }
        guard (cert == nil) == (key == nil) else { throw ValidationError("--cert and --key come together") }
        guard (1...1000).contains(maxPeers) else {
            throw ValidationError("--max-peers \(maxPeers): 1 to 1000 are possible")
        }
        guard (1...120).contains(fps) else { throw ValidationError("--fps \(fps): 1 to 120 are possible") }
        guard Logger.Level(rawValue: log) != nil else {
            throw ValidationError("--log \(log): debug, info, warning and error are possible")
        }
    }

    func run() async throws {
        let level = Logger.Level(rawValue: log) ?? .info
        LoggingSystem.bootstrap { label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = level
            return handler
        }
        OpenFiles.raiseLimit()
        let configuration = try serverConfiguration()
        let server = try MediaServer(configuration)
        // Before the address is printed: whoever reads it may end the program at once.
        let (stops, continuation) = AsyncStream.makeStream(of: Void.self)
        let signals = Signals.onInterrupt { continuation.yield() }
        defer { withExtendedLifetime(signals) {} }
        let address = try await server.start()
        try FileHandle.standardOutput.write(contentsOf: Data("\(address)\n".utf8))
        for await _ in stops { break }
        await server.stop()
    }

    private func serverConfiguration() throws -> ServerConfiguration {
        var configuration = ServerConfiguration()
        (configuration.host, configuration.port) = (host, port)
        if let cert, let key { configuration.certificate = (cert, key) }
        configuration.tokens = token
        configuration.maximumPeers = maxPeers
        configuration.udpPorts = udpPorts
        configuration.call.publicAddresses = publicIP
        configuration.framesPerSecond = fps
        configuration.stampsPictures = stamp
        configuration.logger = Logger(label: "petrel-server")
        configuration.iceServers = try iceServer.map { text in
            guard let server = NamedICEServer(text) else {
                // Behind the first ';' a password may stand, which is nothing for a terminal or a log.
                let url = text.prefix { $0 != ";" }
                throw ValidationError("--ice-server \(url): stun:HOST or turn:HOST;USER;PASSWORD are possible")
            }
            return server
        }
        if let link {
            do throws(LinkDescriptionError) { configuration.link = try LabProfile.link(link) } catch {
                throw ValidationError("--link: \(error)")
            }
        }
        let usual = DefaultMedia()
        configuration.video = video.map { VideoInput($0) } ?? usual.video
        configuration.audio = audio.map { AudioInput($0) } ?? usual.audio
        for note in usual.notes where video == nil && note.contains("film") || audio == nil && !note.contains("film") {
            configuration.logger.warning("\(note)")
        }
        // A wrong file ends the program now and not the first call later. A camera may not open twice in a row.
        if configuration.video.isRepeatable {
            try configuration.video.open(width: 1280, height: 720, framesPerSecond: fps).close()
        }
        if case .microphone = configuration.audio { return configuration }
        try configuration.audio.open().close()
        return configuration
    }

    /// What goes wrong is one sentence on standard error and an exit code that is not 0; help goes to standard output.
    static func main() async {
        Signals.ignoreBrokenPipes()
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            let code = exitCode(for: error)
            if code.isSuccess { exit(withError: error) }
            let sentence = message(for: error).split(whereSeparator: \.isNewline).joined(separator: " ")
            if !sentence.isEmpty { FileHandle.standardError.write(Data("petrel-server: \(sentence)\n".utf8)) }
            Foundation.exit(code.rawValue)
        }
    }
}

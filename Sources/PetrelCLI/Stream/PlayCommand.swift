internal import ArgumentParser
internal import Foundation
internal import Petrel
internal import PetrelDevices
internal import PetrelIO
internal import PetrelSignaling
internal import PetrelTools

/// `petrel play`: what a media server sends into a file, by WHEP.
struct PlayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "play",
        abstract: "Receive a stream from a media server by WHEP, and write what was seen and heard into a WebM file.",
        discussion: """
            petrel play https://media.example.org/whep/garden garden.webm --seconds 60
            petrel play http://127.0.0.1:8080/whep/film - | ffplay -
            The file holds pictures and sound as they came, not encoded again, at the times at which they were shown and
            played. Ctrl-C, --seconds, or the end of the stream completes it.
            """)

    @Argument(help: "The WHEP endpoint, as https://host/whep/name.")
    var url: String

    @Argument(help: "The WebM file to write; '-' is standard output.")
    var file: String

    @OptionGroup var options: StreamOptions

    @Flag(help: "Replace the file where there is one of that name.")
    var force = false

    func validate() throws {
        let kind = (file as NSString).pathExtension.lowercased()
        guard file == "-" || file.hasPrefix("/dev/") || ["", "webm", "mkv"].contains(kind) else {
            throw ValidationError("\(file): a WebM file is written; its name should end in .webm")
        }
    }

    func run() async throws {
        let run = StreamRun()
        let client = SignalingClient(options.signaling())
        try SignalingClient.check(url)
        let output = try OutputFile(file, replaces: force)
        defer { output.discard() }
        if let warning = options.warning(url) { run.screen.say(warning) }
        var configuration = options.call(to: url)
        configuration.receivedAudioChannels = 2
        let call = try await Call(configuration)
        let (handle, name, isStream) = (output.handle, output.name, output.isStream)
        let recorder = StreamRecorder { video, channels throws(ToolError) in
            try WebMWriter(handle, name: name, video: video, audioChannels: channels, isStream: isStream)
        }
        let url = url
        let events = call.events
        let following = Task {
            for await event in events {
                switch event {
                case .videoTrack(let track): recorder.watch(track)
                case .audioTrack(let track): recorder.watch(track)
                case .state, .trackEnded, .pathChanged, .localCandidate: break
                }
            }
        }
        defer { following.cancel() }
        var (frames, bytes, lost, expected) = (RateMeter(), RateMeter(), RateMeter(), RateMeter())
        let end = try await run.run(
            call, seconds: options.seconds, open: { try await client.play(url, with: call) }, connected: {}
        ) { statistics, line in
            if let failure = recorder.failure { run.sourceEnded(failure) }
            if line.state == "connected" { line.state = "receiving" }
            let now = statistics.unixNanoseconds
            let pictures = statistics.inbound.filter { $0.kind == "video" }
            if let last = pictures.last, last.frameWidth > 0 {
                (line.width, line.height) = (last.frameWidth, last.frameHeight)
            }
            line.fps = frames.rate(Double(pictures.reduce(UInt64(0)) { $0 + $1.framesRendered }), at: now)
            let received = statistics.inbound.reduce(UInt64(0)) { $0 + $1.bytesReceived }
            line.bitrateKbps = bytes.rate(Double(received) * 8 / 1000, at: now)
            let gone = statistics.inbound.reduce(Int64(0)) { $0 + max(0, $1.packetsLost) }
            let came = statistics.inbound.reduce(UInt64(0)) { $0 + $1.packetsReceived }
            let rates = (lost.rate(Double(gone), at: now), expected.rate(Double(gone) + Double(came), at: now))
            if let lost = rates.0, let expected = rates.1, expected > 0 {
                line.lossPercent = max(0, lost) * 100 / expected
            }
        }
        try finish(end, recorder, output, run)
    }

    /// Completes the file, or leaves none where nothing came.
    private func finish(_ end: StreamRun.End, _ recorder: StreamRecorder, _ output: OutputFile, _ run: StreamRun) throws
    {
        if case .source(let error) = end { throw error }
        let hasMedia = try recorder.finish()
        if hasMedia { try output.commit() }
        let count = recorder.count
        let seconds = Double(count.packets) / 50
        let what = "\(count.pictures) pictures and \(Int(seconds.rounded())) s of sound are in \(output.name)"
        switch end {
        case .lost(let error) where error.reason == .endedByServer && hasMedia && options.seconds == nil:
            // The end of the stream is what was waited for.
            run.screen.say("\(error); \(what)")
        case .lost(let error): throw ToolError(hasMedia ? "\(error); what came before it, \(what)" : "\(error)")
        case .interrupted, .timeIsOver, .source:
            guard hasMedia else { throw ToolError("Nothing was seen or heard: \(Self.place(url)) is silent") }
            run.screen.say(what)
        }
    }

    /// The address without what may be secret in it.
    private static func place(_ url: String) -> String { String(url.prefix { $0 != "?" }) }
}

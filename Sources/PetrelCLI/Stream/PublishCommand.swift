internal import ArgumentParser
internal import Foundation
internal import Petrel
internal import PetrelDevices
internal import PetrelSignaling
internal import PetrelTools

/// `petrel publish`: a film or a camera to a media server, by WHIP.
struct PublishCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "publish",
        abstract: "Send a film, or a camera and a microphone, to a media server by WHIP (RFC 9725).",
        discussion: """
            petrel publish film.mp4 https://media.example.org/whip/garden
            petrel publish /dev/video0 http://127.0.0.1:8080/whip/me --audio alsa:default
            A film begins anew at its end. Ctrl-C, or --seconds, ends the stream on the server too.
            """)

    @Argument(help: "A file that ffmpeg reads, a camera such as /dev/video0, or 'testcard'.")
    var source: String

    @Argument(help: "The WHIP endpoint, as https://host/whip/name.")
    var url: String

    @OptionGroup var options: StreamOptions

    @Option(
        help:
            "The sound: a file that ffmpeg reads, a microphone such as alsa:default, or 'builtin'. (default: the film's own)"
    )
    var audio: String?

    @Option(help: ArgumentHelp("The largest picture that is sent; films keep their shape.", valueName: "WxH"))
    var size = "1280x720"

    @Option(help: "Pictures a second. (default: the film's own; 30 of a camera)")
    var fps: Int?

    @Option(help: "The most that video takes, in kbit/s.")
    var maxKbps = 2500

    @Flag(help: "Write a frame counter into the pictures, for measuring.")
    var stamp = false

    func validate() throws {
        _ = try pictureSize()
        if let fps {
            guard (1...120).contains(fps) else { throw ValidationError("--fps \(fps): 1 to 120 are possible") }
        }
        guard (50...50_000).contains(maxKbps) else {
            throw ValidationError("--max-kbps \(maxKbps): 50 to 50000 are possible")
        }
    }

    private func pictureSize() throws -> (width: Int, height: Int) {
        let parts = size.split(separator: "x").compactMap { Int($0) }
        guard parts.count == 2, parts.allSatisfy({ (16...8192).contains($0) && $0 % 2 == 0 }) else {
            throw ValidationError("--size \(size): even numbers as in 1280x720 are possible")
        }
        return (parts[0], parts[1])
    }

    func run() async throws {
        let run = StreamRun()
        let client = SignalingClient(options.signaling())
        try SignalingClient.check(url)
        let media = try StreamSource(
            source, audio: audio, size: try pictureSize(), framesPerSecond: fps, stamps: stamp
        ) { run.sourceEnded($0) }
        for note in media.notes + [options.warning(url)].compactMap({ $0 }) { run.screen.say(note) }
        var configuration = options.call(to: url)
        configuration.maximumVideoKilobitsPerSecond = maxKbps
        configuration.startVideoKilobitsPerSecond = min(configuration.startVideoKilobitsPerSecond, maxKbps)
        configuration.minimumVideoKilobitsPerSecond = min(configuration.minimumVideoKilobitsPerSecond, maxKbps)
        let call = try await Call(configuration)
        let video = media.video == nil ? nil : try await call.addVideo()
        let sound = media.audio == nil ? nil : try await call.addAudio()
        var (frames, bytes) = (RateMeter(), RateMeter())
        let end = try await run.run(
            call, seconds: options.seconds, open: { try await client.publish(call, to: url) },
            connected: {
                // The film begins when it can be seen, picture and sound together.
                video?.replaceSource(media.video)
                sound?.replaceSource(media.audio)
            }
        ) { statistics, line in
            if line.state == "connected" { line.state = "sending" }
            let now = statistics.unixNanoseconds
            let picture = statistics.outbound.first { $0.kind == "video" }
            if let picture, picture.frameWidth > 0 {
                (line.width, line.height) = (picture.frameWidth, picture.frameHeight)
            }
            line.fps = frames.rate(Double(picture?.framesSent ?? 0), at: now)
            let sent = statistics.outbound.reduce(UInt64(0)) { $0 + $1.bytesSent + $1.retransmittedBytesSent }
            line.bitrateKbps = bytes.rate(Double(sent) * 8 / 1000, at: now)
            line.lossPercent = statistics.transport.remoteFractionLost.map { $0 * 100 }
        }
        switch end {
        case .interrupted, .timeIsOver: return
        case .lost(let error): throw ToolError("\(error)")
        case .source(let error): throw error
        }
    }
}

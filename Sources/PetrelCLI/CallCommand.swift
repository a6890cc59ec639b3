internal import ArgumentParser
internal import Foundation
internal import PetrelLab
internal import PetrelTools

/// `petrel call`: a real call between two processes through a bad network, and what became of it.
struct CallCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "call",
        abstract: "Run a real call between two processes through an emulated bad network, and show what happened.",
        discussion: """
            A link is described by delay (ms), loss (%), jitter (ms), reorder (0 or 1), rate (kbit/s), queue (ms),
            ge with burst or burstms (bursts of loss), or by a name such as wifi-bad: see docs/use.md.
            """)

    @Option(help: ArgumentHelp("The network, the same both ways.", valueName: "description"))
    var link = "delay=20,loss=5"

    @Option(help: ArgumentHelp("The way back, where it differs.", valueName: "description"))
    var back: String?

    @Option(help: "How long the call lasts once it is connected, in seconds (1 to 3600).")
    var seconds = 20.0

    @Option(help: ArgumentHelp("Film: a file, a camera (/dev/video0), or testcard.", valueName: "source"))
    var video: String?

    @Option(help: ArgumentHelp("Sound: a file, a microphone (alsa:default), or builtin.", valueName: "source"))
    var audio: String?

    @Option(help: ArgumentHelp("Width and height of the picture.", valueName: "WxH"))
    var size = "1280x720"

    @Option(help: "Pictures a second.")
    var fps = 30.0

    @Option(help: "The most that video takes, in kbit/s.")
    var maxKbps = 2500

    @Option(help: "Seed of the emulated network: the same packets are lost again.")
    var seed: UInt64 = 1

    @Flag(help: "Print the report as one JSON object on standard output, and nothing else there.")
    var json = false

    @Option(help: ArgumentHelp("The folder for the report; an earlier report there is replaced.", valueName: "folder"))
    var report = "petrel-report"

    @Flag(help: "Write packet captures of both peers into the report, media decrypted.")
    var capture = false

    func validate() throws {
        guard (1...3600).contains(seconds) else {
            throw ValidationError("--seconds \(seconds): 1 to 3600 are possible")
        }
        guard (1...120).contains(fps) else { throw ValidationError("--fps \(fps): 1 to 120 are possible") }
        guard (50...50_000).contains(maxKbps) else {
            throw ValidationError("--max-kbps \(maxKbps): 50 to 50000 are possible")
        }
        _ = try pictureSize()
        _ = try links()
    }

    private func pictureSize() throws -> (width: Int, height: Int) {
        let parts = size.split(separator: "x").compactMap { Int($0) }
        guard parts.count == 2, parts.allSatisfy({ (16...8192).contains($0) && $0 % 2 == 0 }) else {
            throw ValidationError("--size \(size): even numbers as in 1280x720 are possible")
        }
        return (parts[0], parts[1])
    }

    private func links() throws -> (forward: LinkDescription, backward: LinkDescription) {
        do {
            let there = try LabProfile.link(link)
            guard let back else { return there }
            do { return (there.forward, try LabProfile.link(back).forward) } catch {
                throw ValidationError("--back '\(back)': \(error)")
            }
        } catch let error as LinkDescriptionError {
            throw ValidationError("--link '\(link)': \(error)")
        }
    }

    func run() async throws {
        let media = DefaultMedia()
        let dimensions = try pictureSize()
        let links = try links()
        var notes: [String] = []
        if video == nil || audio == nil { notes = media.notes }
        let plan = CallPlan(
            forward: links.forward, backward: links.backward, seconds: seconds,
            video: video.map { VideoInput($0) } ?? media.video, audio: audio.map { AudioInput($0) } ?? media.audio,
            width: dimensions.width, height: dimensions.height, framesPerSecond: fps, maximumKbps: maxKbps, seed: seed,
            folder: report, capturesPackets: capture, notes: notes)
        let run = try CallRun(plan)
        let finished = try await run.run()
        if json {
            print(finished.json)
        } else {
            print(finished.summary)
        }
    }
}

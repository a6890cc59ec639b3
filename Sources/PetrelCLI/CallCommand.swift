internal import ArgumentParser
internal import Foundation
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

    @OptionGroup var options: CallOptions

    @Option(help: LinkOption.back, transform: LinkOption.transform)
    var back: LinkOption?

    @Option(help: ArgumentHelp("Width and height of the picture.", valueName: "WxH"))
    var size = "1280x720"

    @Option(help: "Pictures a second.")
    var fps = 30.0

    @Option(help: "The most that video takes, in kbit/s.")
    var maxKbps = 2000

    @Flag(help: "Write packet captures of both peers into the report, media decrypted.")
    var capture = false

    func validate() throws {
        guard (1...120).contains(fps) else { throw ValidationError("--fps \(fps): 1 to 120 are possible") }
        guard (50...50_000).contains(maxKbps) else {
            throw ValidationError("--max-kbps \(maxKbps): 50 to 50000 are possible")
        }
        _ = try pictureSize()
    }

    private func pictureSize() throws -> (width: Int, height: Int) {
        let parts = size.split(separator: "x").compactMap { Int($0) }
        guard parts.count == 2, parts.allSatisfy({ (16...8192).contains($0) && $0 % 2 == 0 }) else {
            throw ValidationError("--size \(size): even numbers as in 1280x720 are possible")
        }
        return (parts[0], parts[1])
    }

    func run() async throws {
        let size = try pictureSize()
        let prepared = try options.prepare()
        let plan = CallPlan(
            forward: options.link.forward, backward: (back ?? options.link).backward, seconds: options.seconds,
            video: prepared.video, audio: prepared.audio, width: size.width, height: size.height, framesPerSecond: fps,
            maximumKbps: maxKbps, seed: options.seed, capturesPackets: capture, notes: prepared.notes)
        let finished = try await CallRun(plan, folder: prepared.folder).run()
        print(options.json ? finished.json : finished.summary)
    }
}

internal import ArgumentParser
internal import PetrelDevices
internal import PetrelTools

/// The options of `petrel call`, checked: what they say can be done, as far as that shows without doing it.
struct CallOptions: ParsableArguments {
    @Option(help: LinkOption.help(usual: "delay=20,loss=5"), transform: LinkOption.transform)
    var link: LinkOption = CallOptions.usualLink

    @Option(help: "How long media is sent, in seconds.")
    var seconds: Double = 20

    @Option(
        help: "The pictures: a file that ffmpeg reads, a camera such as /dev/video0, or 'testcard'. (default: film)")
    var video: String?

    @Option(
        help: "The sound: a file that ffmpeg reads, a microphone such as alsa:default, or 'builtin'. (default: speech)")
    var audio: String?

    @Option(help: "The seed of the network's randomness: the same seed, the same fate for each packet.")
    var seed: UInt64 = 1

    @Flag(help: "Print the report as JSON on standard output, and nothing else there.")
    var json = false

    @Option(help: "The folder of the report: what each side saw and heard, and a picture of how it went.")
    var report: String = "petrel-report"

    // What `make call` sends; not a thing that people have to think about.
    static let width = 1280
    static let height = 720
    static let framesPerSecond = 30

    static let usualLink: LinkOption = {
        guard let link = try? LinkOption(parsing: "delay=20,loss=5") else { preconditionFailure("the usual link") }
        return link
    }()

    /// The longest call: what the recordings of a day at 2.5 Mbit/s and the logs in memory can bear.
    static let longestSeconds = 86_400.0

    func validate() throws {
        guard seconds.isFinite, seconds >= 1, seconds <= Self.longestSeconds else {
            throw ValidationError("--seconds \(seconds): a call lasts from 1 to \(Int(Self.longestSeconds)) seconds")
        }
        guard !report.isEmpty else { throw ValidationError("--report: the name of a folder is missing") }
    }

    /// What is sent: what was asked for, else film and speech, else what is built in; and what to tell the person.
    func inputs() -> (video: VideoInput, audio: AudioInput, notes: [String]) {
        let usual = DefaultMedia()
        let needsUsual = video == nil || audio == nil
        let notes = usual.notes.filter { note in
            needsUsual && (video == nil || !note.contains("film")) && (audio == nil || note.contains("film"))
        }
        return (video.map { VideoInput($0) } ?? usual.video, audio.map { AudioInput($0) } ?? usual.audio, notes)
    }

    /// Opens both sources once and closes them, so that a wrong one ends the program before anything else begins.
    func checkInputs(_ video: VideoInput, _ audio: AudioInput) throws(ToolError) {
        // A camera or microphone may not open twice in a row; the peer that uses it will tell.
        if video.isRepeatable {
            try video.open(width: Self.width, height: Self.height, framesPerSecond: Self.framesPerSecond).close()
        }
        if case .microphone = audio { return }
        try audio.open().close()
    }

    /// Everything that can go wrong before a call: the report's folder is made (it appears under its name when the
    /// report is whole), and both sources give something.
    func prepare() throws(ToolError) -> Prepared {
        let folder = try ReportFolder(path: report)
        let inputs = inputs()
        try checkInputs(inputs.video, inputs.audio)
        return Prepared(folder: folder, video: inputs.video, audio: inputs.audio, notes: inputs.notes)
    }

    struct Prepared {
        let folder: ReportFolder
        let video: VideoInput
        let audio: AudioInput
        let notes: [String]
    }
}

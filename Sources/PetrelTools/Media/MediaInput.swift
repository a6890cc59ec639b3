internal import Foundation

/// What a person names after `--video`.
public enum VideoInput: Equatable, Sendable {
    case testCard
    case file(String)
    case camera(String)

    /// `testcard`, a camera (`/dev/video0`), or a file.
    public init(_ text: String) {
        if text.lowercased() == "testcard" {
            self = .testCard
        } else if text.hasPrefix("/dev/") {
            self = .camera(text)
        } else {
            self = .file(text)
        }
    }

    /// Opens the source for pictures of this size.
    public func open(width: Int, height: Int, framesPerSecond: Int) throws(ToolError) -> any PictureReader {
        switch self {
        case .testCard: return TestCardReader(width: width, height: height)
        case .file(let path):
            return try FFmpegVideoReader(.file(path), width: width, height: height, framesPerSecond: framesPerSecond)
        case .camera(let device):
            return try FFmpegVideoReader(
                .camera(device), width: width, height: height, framesPerSecond: framesPerSecond)
        }
    }

    /// The same source gives the same pictures again, so that what was seen can be compared with what was sent.
    public var isRepeatable: Bool { if case .camera = self { false } else { true } }

    /// The text that makes this input: what is passed on to a peer process.
    public var text: String {
        switch self {
        case .testCard: "testcard"
        case .file(let path): path
        case .camera(let device): device
        }
    }
}

/// What a person names after `--audio`.
public enum AudioInput: Equatable, Sendable {
    case speechLike
    case file(String)
    case microphone(String)

    /// `builtin`, an ALSA device (`alsa:default`, `hw:1`, `plughw:1,0`, `default`), or a file.
    public init(_ text: String) {
        if text.lowercased() == "builtin" {
            self = .speechLike
        } else if text.hasPrefix("alsa:") {
            self = .microphone(String(text.dropFirst(5)))
        } else if text == "default" || text.hasPrefix("hw:") || text.hasPrefix("plughw:") {
            self = .microphone(text)
        } else {
            self = .file(text)
        }
    }

    /// Opens the source.
    public func open(channels: Int = 1) throws(ToolError) -> any SoundReader {
        switch self {
        case .speechLike: return SpeechLikeReader(channels: channels)
        case .file(let path):
            // A WAV that is already as we need it costs no other program.
            if path.lowercased().hasSuffix(".wav"), let reader = try? WAVReader(path: path), reader.channels == channels
            {
                return reader
            }
            return try FFmpegAudioReader(.file(path), channels: channels)
        case .microphone(let device): return try FFmpegAudioReader(.microphone(device), channels: channels)
        }
    }

    /// The text that makes this input: what is passed on to a peer process.
    public var text: String {
        switch self {
        case .speechLike: "builtin"
        case .file(let path): path
        case .microphone(let device): "alsa:" + device
        }
    }
}

/// Film and speech as the set-up step leaves them, and what stands in for them.
public struct DefaultMedia: Equatable, Sendable {
    public var video: VideoInput
    public var audio: AudioInput
    /// What to tell the person where something else than film and recorded speech is sent.
    public var notes: [String]

    /// Looks in `directory`, by default the one named by PETREL_ASSETS or `.assets` here.
    public init(directory: String? = nil) {
        let folder = directory ?? ProcessInfo.processInfo.environment["PETREL_ASSETS"] ?? ".assets"
        let files = FileManager.default
        notes = []
        let clip = "\(folder)/bigbuckbunny.mp4"
        if files.isReadableFile(atPath: clip) {
            video = .file(clip)
        } else {
            video = .testCard
            notes.append("The film is not there (Scripts/setup.sh media fetches it): the built-in test card is sent.")
        }
        let speech = "\(folder)/speech.wav"
        if files.isReadableFile(atPath: speech) {
            audio = .file(speech)
            let source = (try? String(contentsOfFile: speech + ".source", encoding: .utf8)) ?? ""
            if source.hasPrefix("generated") {
                notes.append("Recorded speech could not be had: generated speech (espeak-ng) is sent.")
            }
        } else {
            audio = .speechLike
            notes.append("Speech is not there (Scripts/setup.sh media fetches it): a built-in sound is sent.")
        }
    }
}

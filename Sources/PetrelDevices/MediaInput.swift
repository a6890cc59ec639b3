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

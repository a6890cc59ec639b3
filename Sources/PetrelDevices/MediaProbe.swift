internal import Foundation

/// What is in a media file, as the `ffprobe` program (part of ffmpeg) tells it.
public struct MediaProbe: Equatable, Sendable {
    /// The size of the first picture stream in pixels; nil where there is none.
    public var size: (width: Int, height: Int)?
    /// Its pictures a second, on average; nil where the file does not say.
    public var framesPerSecond: Double?
    /// The channels of the first sound stream; nil where there is none.
    public var audioChannels: Int?

    /// Asks what is in a file.
    /// - Throws: ``ToolError`` with ffprobe's reason where it cannot be read, or is neither film nor sound.
    public init(file path: String) throws(ToolError) {
        let isFile = FileManager.default.fileExists(atPath: path)
        let process = try ChildProcess(
            program: "ffprobe",
            arguments: [
                "-hide_banner", "-loglevel", "error", "-of", "json", "-show_entries",
                "stream=codec_type,width,height,avg_frame_rate,channels:stream_disposition=attached_pic", "-i",
                isFile ? "file:" + path : path,
            ])
        var text = Data()
        var buffer = [UInt8](repeating: 0, count: 16 * 1024)
        while text.count < Self.maximumText {
            let count = buffer.withUnsafeMutableBytes { process.read(into: $0) }
            text.append(contentsOf: buffer.prefix(count))
            if count < buffer.count { break }
        }
        let code = process.waitForEnd()
        guard code == 0, let streams = Self.streams(text) else {
            throw FFmpegProgram.sentence(about: path, kind: "media", complaint: process.complaint)
        }
        for stream in streams {
            switch stream["codec_type"] as? String {
            case "video" where size == nil:
                guard let width = (stream["width"] as? NSNumber)?.intValue,
                    let height = (stream["height"] as? NSNumber)?.intValue, width > 0, height > 0
                else { continue }
                size = (width, height)
                framesPerSecond = (stream["avg_frame_rate"] as? String).flatMap(Self.rate)
            case "audio" where audioChannels == nil:
                audioChannels = (stream["channels"] as? NSNumber)?.intValue ?? 1
            default: continue
            }
        }
        guard size != nil || audioChannels != nil else {
            throw ToolError("\(path) cannot be used: there is neither picture nor sound in it")
        }
    }

    /// Octets of the answer; a file of a thousand streams has a tenth of it.
    private static let maximumText = 1 << 20

    private static func streams(_ text: Data) -> [[String: Any]]? {
        let object = try? JSONSerialization.jsonObject(with: text) as? [String: Any]
        return object?["streams"] as? [[String: Any]]
    }

    /// `30000/1001` as a number; nil for `0/0`.
    static func rate(_ text: String) -> Double? {
        let parts = text.split(separator: "/").compactMap { Double($0) }
        guard parts.count == 2, parts[0] > 0, parts[1] > 0 else { return nil }
        return parts[0] / parts[1]
    }

    public static func == (one: MediaProbe, other: MediaProbe) -> Bool {
        one.size?.width == other.size?.width && one.size?.height == other.size?.height
            && one.framesPerSecond == other.framesPerSecond && one.audioChannels == other.audioChannels
    }
}

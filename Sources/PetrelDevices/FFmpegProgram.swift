internal import Foundation

/// How the `ffmpeg` program is asked, and what its complaints mean.
enum FFmpegProgram {
    static let name = "ffmpeg"
    /// What every call has in common: no questions, no output but errors.
    static let quiet = ["-nostdin", "-hide_banner", "-loglevel", "error"]

    /// The arguments that name an input file. A colon in a file name would otherwise be read as a protocol.
    static func input(file path: String, looping: Bool) -> [String] {
        let isFile = FileManager.default.fileExists(atPath: path)
        return (looping ? ["-stream_loop", "-1"] : []) + ["-i", isFile ? "file:" + path : path]
    }

    /// Why a source gave nothing, in one sentence.
    static func sentence(about source: String, kind: String, complaint: [String]) -> ToolError {
        if complaint.contains(where: { $0.contains("matches no streams") || $0.contains("does not contain any stream") }
        ) {
            return ToolError("\(source) cannot be used: there is no \(kind) in it")
        }
        guard var reason = complaint.last else {
            return ToolError("\(source) cannot be read: ffmpeg gives no \(kind) and no reason")
        }
        // "[mov,mp4 @ 0x55d0] ..." and "file:/tmp/x: ..." say nothing more than the sentence already does.
        while reason.hasPrefix("["), let end = reason.firstIndex(of: "]") {
            reason = String(reason[reason.index(after: end)...]).trimmingCharacters(in: .whitespaces)
        }
        for prefix in ["file:\(source): ", "\(source): "] where reason.hasPrefix(prefix) {
            reason.removeFirst(prefix.count)
        }
        while reason.hasSuffix(".") { reason.removeLast() }
        return ToolError("\(source) cannot be read: \(reason)")
    }
}

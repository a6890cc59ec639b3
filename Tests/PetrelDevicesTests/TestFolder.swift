import Foundation
import Testing

/// A folder that is gone when the test is over.
final class TestFolder {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "petrel-tests-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { path + "/" + name }
}

/// Runs a program to its end; answers what it wrote to its standard output and its standard error, and its exit code.
func run(_ program: String, _ arguments: [String]) throws -> (output: String, errors: String, code: Int32) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [program] + arguments
    let folder = try TestFolder()
    for name in ["out", "err"] { _ = FileManager.default.createFile(atPath: folder.file(name), contents: nil) }
    process.standardOutput = FileHandle(forWritingAtPath: folder.file("out"))
    process.standardError = FileHandle(forWritingAtPath: folder.file("err"))
    process.standardInput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    return (
        try String(contentsOfFile: folder.file("out"), encoding: .utf8),
        try String(contentsOfFile: folder.file("err"), encoding: .utf8), process.terminationStatus
    )
}

enum FFmpeg {
    /// Whether the program is there. With CI=true it has to be.
    static let isThere: Bool = {
        let there = (try? run("ffmpeg", ["-version"]).code) == 0 && (try? run("ffprobe", ["-version"]).code) == 0
        if !there {
            print("skipped: tests of media files, because the programs ffmpeg and ffprobe are missing")
            if ProcessInfo.processInfo.environment["CI"] == "true" { Issue.record("ffmpeg is missing") }
        }
        return there
    }()
}

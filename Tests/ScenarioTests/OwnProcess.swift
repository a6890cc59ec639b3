import Foundation

/// Runs one test of this test program in a process of its own: other memory, other hash seeds, no other tests beside it.
enum OwnProcess {
    private static let key = "PETREL_TEST_ANSWER"

    /// In such a process: where the test writes its answer.
    static var answerFile: String? { ProcessInfo.processInfo.environment[key] }

    /// Runs the test with this name and answers what it wrote.
    static func run(_ test: String) throws -> String {
        let arguments = try String(contentsOfFile: "/proc/self/cmdline", encoding: .utf8)
            .split(separator: "\0").map(String.init)
        // Keep how the test library is run; replace what it filters.
        var kept: [String] = []
        var skipNext = false
        for argument in arguments.dropFirst() {
            if skipNext {
                skipNext = false
                continue
            }
            if ["--filter", "--skip", "--xunit-output", "--event-stream-output-path"].contains(argument) {
                skipNext = true
                continue
            }
            kept.append(argument)
        }
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("petrel-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appendingPathComponent("answer").path
        let child = Process()
        child.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        child.arguments = kept + ["--filter", test]
        child.environment = ProcessInfo.processInfo.environment.merging([key: file]) { $1 }
        child.standardOutput = FileHandle.nullDevice
        child.standardError = FileHandle.nullDevice
        try child.run()
        child.waitUntilExit()
        return try String(contentsOfFile: file, encoding: .utf8)
    }
}

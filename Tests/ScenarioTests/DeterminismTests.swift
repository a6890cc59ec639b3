import Foundation
import PetrelCore
import PetrelLab
import PetrelScenario
import Testing

/// The same seed gives the same bytes, today, tomorrow, and in another process.
@Suite struct DeterminismTests {
    /// A call with real codecs and loss, reordering, and a queue: everything that chance touches.
    static func traceHash(seed: UInt64) throws -> UInt64 {
        let configuration = try VirtualCallConfiguration.small(
            "delay=20,loss=5,jitter=5,reorder=1,rate=4000,queue=200", seconds: 3, seed: seed)
        let result = try VirtualCall(configuration).run()
        #expect(result.callerToCallee.pictures.count > 60)
        return result.traceHash
    }

    static let childKey = "PETREL_TRACE_HASH_FILE"

    @Test func sameSeedSameBytes() throws {
        let first = try Self.traceHash(seed: 7)
        #expect(try Self.traceHash(seed: 7) == first)
        #expect(try Self.traceHash(seed: 8) != first)
    }

    /// This test runs this very test program twice more. Every process hashes its dictionaries with another seed and
    /// has its memory elsewhere: what leans on either shows here.
    @Test func sameBytesInSeparateProcesses() throws {
        let environment = ProcessInfo.processInfo.environment
        if let file = environment[Self.childKey] {
            try "\(Self.traceHash(seed: 7))".write(toFile: file, atomically: true, encoding: .utf8)
            return
        }
        let own = try Self.traceHash(seed: 7)
        let arguments = try String(contentsOfFile: "/proc/self/cmdline", encoding: .utf8)
            .split(separator: "\0").map(String.init)
        guard let program = arguments.first else { return }
        // Keep how the test library is run; replace what it filters.
        var kept: [String] = []
        var skipNext = false
        for argument in arguments.dropFirst() {
            if skipNext { skipNext = false; continue }
            if ["--filter", "--skip", "--xunit-output", "--event-stream-output-path"].contains(argument) {
                skipNext = true
                continue
            }
            kept.append(argument)
        }
        kept += ["--filter", "sameBytesInSeparateProcesses"]
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("petrel-trace-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for run in 1...2 {
            let file = folder.appendingPathComponent("hash\(run)").path
            let child = Process()
            child.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
            child.arguments = kept
            child.environment = environment.merging([Self.childKey: file]) { $1 }
            child.standardOutput = FileHandle.nullDevice
            child.standardError = FileHandle.nullDevice
            try child.run()
            child.waitUntilExit()
            let text = try String(contentsOfFile: file, encoding: .utf8)
            #expect(text == "\(own)", "process \(run) of \(program)")
        }
    }
}

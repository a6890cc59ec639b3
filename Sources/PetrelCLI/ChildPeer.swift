internal import Foundation
internal import PetrelDevices
internal import PetrelIO
internal import PetrelTools

/// A peer process that we started, and the lines it says.
final class ChildPeer: Sendable {
    let name: String
    private let process: Lock<Process>
    private let input: FileHandle
    let lines: AsyncStream<LineMessage>

    init(name: String) throws(ToolError) {
        self.name = name
        let process = Process()
        let own = CommandLine.arguments[0]
        // Under Linux the running program may have been replaced on disk meanwhile: /proc names the one that runs.
        let path = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? own
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = ["peer", "--stdio"]
        let (toPeer, fromPeer) = (Pipe(), Pipe())
        process.standardInput = toPeer
        process.standardOutput = fromPeer
        process.standardError = FileHandle.standardError
        let (lines, continuation) = AsyncStream.makeStream(of: LineMessage.self)
        self.lines = lines
        input = toPeer.fileHandleForWriting
        do { try process.run() } catch {
            throw ToolError("A peer process cannot be started from \(path): \(error.localizedDescription)")
        }
        let output = fromPeer.fileHandleForReading
        Thread.detachNewThread {
            var buffer = Data()
            while true {
                let chunk = output.availableData
                guard !chunk.isEmpty else { break }
                buffer.append(chunk)
                while let end = buffer.firstIndex(of: 10) {
                    let line = String(decoding: buffer[buffer.startIndex..<end], as: UTF8.self)
                    buffer.removeSubrange(buffer.startIndex...end)
                    if let message = LineMessage(line) { continuation.yield(message) }
                }
            }
            continuation.finish()
        }
        self.process = Lock(process)
    }

    func send(_ object: [String: any Sendable]) {
        guard let data = try? JSONSerialization.data(withJSONObject: object, options: [.withoutEscapingSlashes]) else {
            return
        }
        try? input.write(contentsOf: data + Data("\n".utf8))
    }

    var isRunning: Bool { process.withLock { $0.isRunning } }

    /// Ends the process: its input closes, and what does not listen to that is ended by a signal.
    func end() async {
        try? input.close()
        for _ in 0..<100 where isRunning { try? await Task.sleep(for: .milliseconds(20)) }
        process.withLock { if $0.isRunning { $0.terminate() } }
        for _ in 0..<100 where isRunning { try? await Task.sleep(for: .milliseconds(20)) }
    }
}

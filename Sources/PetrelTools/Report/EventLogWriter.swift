internal import Foundation
public import PetrelDevices
internal import Synchronization

/// Writes the events of a peer as lines of text into a file. May be called from every thread; lines are collected and
/// written in blocks, so that a caller on the way of the media seldom waits for the disk.
public final class EventLogWriter: Sendable {
    private struct State {
        var pending = ""
        var handle: FileHandle?
    }

    private let state: Mutex<State>
    /// Lines are handed to the system when this many bytes are waiting, and by ``flush()``.
    static let blockBytes = 16_384

    /// Creates the file, replacing one that is there.
    public init(path: String) throws(ToolError) {
        guard FileManager.default.createFile(atPath: path, contents: nil),
            let handle = FileHandle(forWritingAtPath: path)
        else { throw ToolError("The file \(path) cannot be written") }
        state = Mutex(State(handle: handle))
    }

    deinit { close() }

    public func write(_ event: CallEvent) {
        let line = event.line
        state.withLock { state in
            state.pending += line
            state.pending += "\n"
            if state.pending.utf8.count >= Self.blockBytes { Self.flush(&state) }
        }
    }

    /// Hands all lines to the system.
    public func flush() { state.withLock { Self.flush(&$0) } }

    /// Hands all lines to the system and closes the file; events after that are dropped.
    public func close() {
        state.withLock { state in
            Self.flush(&state)
            try? state.handle?.close()
            state.handle = nil
        }
    }

    private static func flush(_ state: inout State) {
        guard !state.pending.isEmpty else { return }
        try? state.handle?.write(contentsOf: Data(state.pending.utf8))
        state.pending.removeAll(keepingCapacity: true)
    }
}

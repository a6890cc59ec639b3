internal import Foundation
internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// Shows the live table on standard error: redrawn in its place on a terminal, else a plain line every five seconds.
public final class LiveScreen: Sendable {
    /// Between two plain lines.
    public static let plainSeconds = 5.0

    private struct State {
        var drawn = 0
        var lastPlain = -Double.infinity
        var lastState = ""
    }

    private let isTerminal: Bool
    private let state = Mutex(State())

    public init() { isTerminal = isatty(2) != 0 && ProcessInfo.processInfo.environment["TERM"] != "dumb" }

    /// Shows what is; call it once or a few times a second.
    public func show(_ snapshot: CallSnapshot) {
        let text = state.withLock { state -> String in
            if isTerminal {
                let lines = LiveTable.lines(snapshot)
                defer { state.drawn = lines.count }
                return LiveTable.redraw(lines, over: state.drawn, columns: Self.columns())
            }
            let elapsed = snapshot.elapsedSeconds ?? 0
            let isDue = elapsed - state.lastPlain >= Self.plainSeconds || snapshot.state != state.lastState
            guard isDue else { return "" }
            (state.lastPlain, state.lastState) = (elapsed, snapshot.state)
            return LiveTable.plainLines(snapshot).joined(separator: "\n") + "\n"
        }
        Self.write(text)
    }

    /// Shows the one line of a stream, in the same way.
    public func show(_ snapshot: StreamSnapshot) {
        let text = state.withLock { state -> String in
            let line = StreamLine.text(snapshot)
            if isTerminal {
                defer { state.drawn = 1 }
                return LiveTable.redraw([line], over: state.drawn, columns: Self.columns())
            }
            let elapsed = snapshot.elapsedSeconds
            guard elapsed - state.lastPlain >= Self.plainSeconds || snapshot.state != state.lastState else { return "" }
            (state.lastPlain, state.lastState) = (elapsed, snapshot.state)
            return line + "\n"
        }
        Self.write(text)
    }

    /// Prints a line above the table, which is drawn anew with the next snapshot.
    public func say(_ line: String) {
        let text = state.withLock { state in
            guard isTerminal else { return line + "\n" }
            defer { state.drawn = 0 }
            return LiveTable.redraw([line], over: state.drawn, columns: Int.max)
        }
        Self.write(text)
    }

    private static func columns() -> Int {
        var size = winsize()
        guard ioctl(2, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }

    private static func write(_ text: String) {
        if !text.isEmpty { FileHandle.standardError.write(Data(text.utf8)) }
    }
}

extension LiveTable {
    /// The text that puts `lines` in the place of the `previous` lines drawn last, with the cursor below them.
    ///
    /// A line longer than the terminal is wide is cut, because a wrapped line would take the place of two.
    static func redraw(_ lines: [String], over previous: Int, columns: Int) -> String {
        var text = previous > 0 ? "\u{1B}[\(previous)A" : ""
        for line in lines { text += "\r\u{1B}[K" + line.prefix(max(1, columns)) + "\n" }
        // Lines left over from a longer table.
        if previous > lines.count { text += "\u{1B}[J" }
        return text
    }
}

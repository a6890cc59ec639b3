internal import Glibc

/// One line on the terminal that is drawn again and again; nothing where the error output is no terminal.
public enum Progress {
    public static func show(_ text: String) { if isatty(2) != 0 { write("\r\u{1B}[K" + text) } }
    public static func clear() { show("") }
    /// A line that stays, on the error output.
    public static func line(_ text: String) { write(text + "\n") }

    public static func fail(_ message: String) -> Never {
        write(message + "\n")
        exit(2)
    }

    private static func write(_ text: String) {
        fflush(nil)
        let bytes = Array(text.utf8)
        _ = Glibc.write(2, bytes, bytes.count)
    }
}

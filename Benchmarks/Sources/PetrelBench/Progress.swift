import Glibc

/// One line on the terminal that is drawn again and again; nothing where the error output is no terminal.
enum Progress {
    static func show(_ text: String) { if isatty(2) != 0 { write("\r\u{1B}[K" + text) } }
    static func clear() { show("") }

    static func fail(_ message: String) -> Never {
        write(message + "\n")
        exit(2)
    }

    private static func write(_ text: String) {
        fflush(nil)
        let bytes = Array(text.utf8)
        _ = Glibc.write(2, bytes, bytes.count)
    }
}

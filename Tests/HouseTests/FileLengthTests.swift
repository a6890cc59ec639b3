import Testing

/// Rule: ask yourself at 600 lines, never above 1000.
enum FileLengthRule {
    static let ask = 600
    static let never = 1000

    private static let endings = [".swift", ".c", ".h", ".py", ".sh"]

    static func applies(to path: String) -> Bool { endings.contains { path.hasSuffix($0) } }

    static func lines(_ text: String) -> Int {
        var count = 0
        var last = UInt8(ascii: "\n")
        for byte in text.utf8 {
            if byte == UInt8(ascii: "\n") { count += 1 }
            last = byte
        }
        return last == UInt8(ascii: "\n") ? count : count + 1
    }

    static func violation(path: String, lines: Int) -> Violation? {
        lines > never ? Violation(path: path, line: lines, what: "\(lines) lines: split it by verb") : nil
    }
}

@Suite struct FileLengthTests {
    @Test func filesAreShort() {
        let files = Tree.textFiles.filter { FileLengthRule.applies(to: $0) }
        let lengths = files.map { (path: $0, lines: FileLengthRule.lines(Tree.text($0))) }
        for file in lengths where file.lines > FileLengthRule.ask {
            print("house: \(file.path) has \(file.lines) lines; ask yourself whether it is one idea")
        }
        let found = lengths.compactMap { FileLengthRule.violation(path: $0.path, lines: $0.lines) }
        #expect(found.isEmpty, "\(found.report)")
    }

    @Test func aLongFileIsFound() {
        let text = String(repeating: "x\n", count: 1001)
        #expect(FileLengthRule.lines(text) == 1001)
        #expect(FileLengthRule.lines("a\nb") == 2)
        #expect(FileLengthRule.violation(path: "a.swift", lines: 1001) != nil)
        #expect(FileLengthRule.violation(path: "a.swift", lines: 1000) == nil)
    }
}

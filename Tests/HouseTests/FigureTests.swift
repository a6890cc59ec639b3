import Foundation
import Testing

/// Rule: a measured figure in a page is the recorded one.
///
/// docs/figures.json holds figures by key, each `"value"` with the command that measured it. Pages quote them as
/// `<!-- figure:KEY -->VALUE<!-- /figure -->`.
enum FigureRule {
    static let record = "docs/figures.json"
    static let opening = "<!-- figure:"
    static let closing = "<!-- /figure -->"

    struct Mark: Equatable {
        let line: Int
        let key: String
        /// Nil if the mark is not closed on its line.
        let value: String?
    }

    static func marks(in text: String) -> [Mark] {
        var found: [Mark] = []
        for (number, line) in LinkRule.proseLines(text) {
            var rest = line[...]
            while let start = rest.range(of: opening) {
                rest = rest[start.upperBound...]
                guard let end = rest.range(of: " -->") else { break }
                let key = String(rest[..<end.lowerBound])
                rest = rest[end.upperBound...]
                let close = rest.range(of: closing)
                found.append(Mark(line: number, key: key, value: close.map { String(rest[..<$0.lowerBound]) }))
            }
        }
        return found
    }

    /// The recorded values: a string, or an object with a string `value` and a string `command`.
    static func recorded(_ json: String) throws -> [String: String] {
        guard !json.isEmpty else { return [:] }
        let object = try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any] ?? [:]
        return object.compactMapValues { $0 as? String ?? ($0 as? [String: Any])?["value"] as? String }
    }

    /// The recorded figures that say no command to measure them again.
    static func withoutCommand(_ json: String) throws -> [String] {
        guard !json.isEmpty else { return [] }
        let object = try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any] ?? [:]
        return object.filter { (($0.value as? [String: Any])?["command"] as? String ?? "").isEmpty }.map(\.key).sorted()
    }

    static func violations(path: String, text: String, recorded: [String: String]) -> [Violation] {
        marks(in: text).compactMap { mark in
            let what: String
            if mark.value == nil {
                what = "figure \(mark.key) is not closed"
            } else if recorded[mark.key] == nil {
                what = "figure \(mark.key) is not recorded"
            } else if let value = recorded[mark.key], value != mark.value {
                what = "figure \(mark.key) says \(mark.value ?? ""), recorded is \(value)"
            } else {
                return nil
            }
            return Violation(path: path, line: mark.line, what: what)
        }
    }
}

@Suite struct FigureTests {
    @Test func figuresAreTheRecordedOnes() throws {
        let recorded = try FigureRule.recorded(Tree.text(FigureRule.record))
        let found = Tree.textFiles.filter { $0.hasSuffix(".md") }.flatMap {
            FigureRule.violations(path: $0, text: Tree.text($0), recorded: recorded)
        }
        #expect(found.isEmpty, "\(found.report)")
    }

    @Test func everyFigureSaysItsCommand() throws {
        let found = try FigureRule.withoutCommand(Tree.text(FigureRule.record))
        #expect(found.isEmpty, "\(FigureRule.record) has no command for \(found)")
    }

    @Test func aWrongFigureIsFound() throws {
        let recorded = try FigureRule.recorded(#"{"a": {"value": "1.5 ms", "command": "x"}, "b": "2"}"#)
        func check(_ text: String) -> Int { FigureRule.violations(path: "a.md", text: text, recorded: recorded).count }
        #expect(check("is <!-- figure:a -->1.5 ms<!-- /figure --> and <!-- figure:b -->2<!-- /figure -->") == 0)
        #expect(check("is <!-- figure:a -->1.6 ms<!-- /figure -->") == 1)
        #expect(check("is <!-- figure:c -->1.5 ms<!-- /figure -->") == 1)
        #expect(check("is <!-- figure:a -->1.5 ms") == 1)
    }

    @Test func aFigureWithoutCommandIsFound() throws {
        #expect(try FigureRule.withoutCommand(#"{"a": {"value": "1", "command": "x"}, "b": {"value": "2"}}"#) == ["b"])
    }
}

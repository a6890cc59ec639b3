import Foundation
import Testing

/// Rule: the project stands alone. Its text names no machine's folders, nor a folder outside itself.
enum PathRule {
    // Put together here, so that this file does not break its own rule.
    private static let machine = ["/" + "work/", "/" + "farm", "/" + "tmp/dev", "/" + "home/", "/" + "Users/"]
    private static let outside = ".." + "/shared"

    /// The tests' vectors lie outside the project: this one path may be named where they are found and explained.
    private static let vectors = ".." + "/shared/vectors"

    static func mayNameVectors(_ path: String) -> Bool {
        path.hasPrefix("Tests/") || path.hasPrefix("Benchmarks/") || path.hasPrefix(".ci/") || path == "CONTRIBUTING.md"
            || path == "Makefile" || path.hasPrefix("Scripts/")
    }

    static func violations(path: String, text: String) -> [Violation] {
        var found: [Violation] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            for word in machine where names(word, in: line) {
                found.append(Violation(path: path, line: index + 1, what: "names \(word)"))
            }
            let rest = mayNameVectors(path) ? line.replacingOccurrences(of: vectors, with: "") : String(line)
            if rest.contains(outside) { found.append(Violation(path: path, line: index + 1, what: "names \(outside)")) }
        }
        return found
    }

    /// Whether a line names a folder at the machine's root: not `docs/work/` nor `https://host/work/`.
    private static func names(_ word: String, in line: Substring) -> Bool {
        var rest = line
        while let range = rest.range(of: word) {
            let before = range.lowerBound == line.startIndex ? " " : line[line.index(before: range.lowerBound)]
            if !(before.isLetter || before.isNumber || "._-)}$*".contains(before)) { return true }
            rest = rest[range.upperBound...]
        }
        return false
    }
}

@Suite struct PathTests {
    @Test func noMachineIsNamed() {
        let found = Tree.textFiles.flatMap { PathRule.violations(path: $0, text: Tree.text($0)) }
        #expect(found.isEmpty, "\(found.report)")
    }

    @Test func aMachinePathIsFound() {
        #expect(PathRule.violations(path: "a.md", text: "x\nsee /" + "work/main").map(\.line) == [2])
        #expect(PathRule.violations(path: "a.md", text: "in /" + "farm").count == 1)
        #expect(PathRule.violations(path: "a.md", text: "docs/" + "work/a and $HOME/" + "work/b").isEmpty)
    }

    @Test func aFolderOutsideIsFound() {
        let text = "read .." + "/shared/vectors"
        #expect(PathRule.violations(path: "docs/a.md", text: text).count == 1)
        #expect(PathRule.violations(path: "Tests/A/Vectors.swift", text: text).isEmpty)
        #expect(PathRule.violations(path: "Tests/A/Vectors.swift", text: "read .." + "/shared/other").count == 1)
    }
}

import Foundation
import Testing

/// Rule: a link in the project's pages leads somewhere.
enum LinkRule {
    static func applies(to path: String) -> Bool { path.hasSuffix(".md") }

    struct Link: Equatable {
        let line: Int
        let target: String
    }

    /// The targets of `[text](target)`, `[text]: target`, `src="target"` and `href="target"`, outside code.
    static func links(in text: String) -> [Link] {
        var found: [Link] = []
        for (number, line) in proseLines(text) {
            for opening in ["](", "src=\"", "href=\""] {
                var rest = line[...]
                while let start = rest.range(of: opening) {
                    rest = rest[start.upperBound...]
                    let end = rest.firstIndex { $0 == (opening == "](" ? ")" : "\"") } ?? rest.endIndex
                    let target = rest[..<end].split(separator: " ").first.map(String.init) ?? ""
                    found.append(Link(line: number, target: target))
                    rest = rest[end...]
                }
            }
            if line.hasPrefix("["), let colon = line.range(of: "]: ") {
                found.append(Link(line: number, target: String(line[colon.upperBound...])))
            }
        }
        return found
    }

    /// Lines with their numbers, without fenced blocks and without `code`.
    static func proseLines(_ text: String) -> [(Int, String)] {
        var inFence = false
        var lines: [(Int, String)] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if line.drop(while: { $0 == " " }).hasPrefix("```") {
                inFence.toggle()
                continue
            }
            if inFence { continue }
            let parts = line.split(separator: "`", omittingEmptySubsequences: false)
            let prose = parts.enumerated().filter { $0.offset % 2 == 0 }.map { String($0.element) }.joined(
                separator: "``")
            lines.append((index + 1, prose))
        }
        return lines
    }

    /// The anchors that a page's headings make: lower case, spaces to hyphens, punctuation gone.
    static func anchors(in text: String) -> Set<String> {
        var inFence = false
        var found: Set<String> = []
        for line in text.split(separator: "\n") {
            if line.hasPrefix("```") { inFence.toggle() }
            guard !inFence, line.hasPrefix("#") else { continue }
            let title = line.drop { $0 == "#" }.drop { $0 == " " }.lowercased()
            found.insert(
                String(
                    title.compactMap { $0 == " " ? "-" : $0.isLetter || $0.isNumber || "-_".contains($0) ? $0 : nil }))
        }
        return found
    }

    static func violations(
        path: String, text: String, exists: (String) -> Bool, read: (String) -> String
    ) -> [Violation] {
        var found: [Violation] = []
        for link in links(in: text) {
            let target = link.target
            if target.isEmpty || target.hasPrefix("<!--")
                || ["http:", "https:", "mailto:"].contains(where: target.hasPrefix)
            {
                if target.isEmpty { found.append(Violation(path: path, line: link.line, what: "an empty link")) }
                continue
            }
            if target.hasPrefix("doc:") {
                let catalogue = (path as NSString).deletingLastPathComponent
                let article = String(target.dropFirst(4))
                if !exists(catalogue + "/" + article + ".md") {
                    found.append(Violation(path: path, line: link.line, what: "no article \(article)"))
                }
                continue
            }
            let parts = target.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let file = parts[0].isEmpty ? path : resolve(parts[0], from: path)
            guard let file, exists(file) else {
                found.append(Violation(path: path, line: link.line, what: "dead link \(target)"))
                continue
            }
            if parts.count > 1, file.hasSuffix(".md"),
                !anchors(in: parts[0].isEmpty ? text : read(file)).contains(parts[1])
            {
                found.append(Violation(path: path, line: link.line, what: "no heading for \(target)"))
            }
        }
        // DocC's own form: <doc:Article>.
        for (number, line) in proseLines(text) {
            var rest = line[...]
            while let start = rest.range(of: "<doc:") {
                rest = rest[start.upperBound...]
                let article = String(rest.prefix { $0 != ">" && $0 != "#" })
                let catalogue = (path as NSString).deletingLastPathComponent
                if !exists(catalogue + "/" + article + ".md") {
                    found.append(Violation(path: path, line: number, what: "no article \(article)"))
                }
            }
        }
        return found
    }

    /// A relative target as a path below the root; nil if it leaves the project.
    static func resolve(_ target: String, from path: String) -> String? {
        var parts = path.split(separator: "/").dropLast().map(String.init)
        for part in target.split(separator: "/") {
            if part == "." { continue }
            if part == ".." {
                if parts.popLast() == nil { return nil }
            } else {
                parts.append(String(part))
            }
        }
        return parts.joined(separator: "/")
    }
}

@Suite struct LinkTests {
    @Test func linksLeadSomewhere() {
        let found = Tree.textFiles.filter { LinkRule.applies(to: $0) }.flatMap {
            LinkRule.violations(path: $0, text: Tree.text($0), exists: Tree.exists, read: Tree.text)
        }
        #expect(found.isEmpty, "\(found.report)")
    }

    private func check(_ text: String) -> [Violation] {
        let files = ["docs/a.md": text, "docs/b.md": "# A title, here\n", "README.md": "", "S/P.docc/Q.md": ""]
        return LinkRule.violations(
            path: "docs/a.md", text: text, exists: { files[$0] != nil }, read: { files[$0] ?? "" })
    }

    @Test(arguments: [
        "[x](c.md)", "see [x](../c.md) and [y](b.md)", "[x](b.md#nothing)", "<img src=\"no.png\">", "[x](../../out.md)",
        "[x]: nowhere.md", "[x](#nowhere)", "<doc:Nowhere>", "[x]()",
    ])
    func aDeadLinkIsFound(_ text: String) {
        #expect(check(text).count == 1, "\(check(text).report)")
    }

    @Test(arguments: [
        "[x](b.md)", "[x](../README.md)", "[x](b.md#a-title-here)", "[x](https://example.org/no.md)", "`[x](c.md)`",
        "```\n[x](c.md)\n```", "# Up\n[x](#up)",
    ])
    func aLiveLinkPasses(_ text: String) {
        #expect(check(text).isEmpty, "\(check(text).report)")
    }
}

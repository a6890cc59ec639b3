/// What Package.swift says, as far as the rules ask.
struct Manifest {
    struct Target {
        let name: String
        let dependencies: [String]
        let isTest: Bool
    }

    let targets: [Target]

    init(text: String) {
        let source = SwiftSource(path: "Package.swift", text: text)
        let makers: Set<String> = [
            "room", "tests", "target", "executableTarget", "testTarget", "systemLibrary", "macro", "plugin",
        ]
        var found: [Target] = []
        var start = source.tokens.indices.first {
            source.tokens[$0].text == "targets" && source.token($0 + 2).text == "["
        }
        // The first `targets: [` may be a product's; the package's own holds calls, not strings.
        while let at = start, source.token(at + 3).kind == .string {
            start = source.tokens.indices.first {
                $0 > at && source.tokens[$0].text == "targets" && source.token($0 + 2).text == "["
            }
        }
        guard let start else {
            targets = []
            return
        }
        let end = source.afterGroup(start + 2)
        var at = start + 3
        while at < end {
            let token = source.token(at)
            if token.kind == .word, makers.contains(token.text), source.token(at + 1).text == "(" {
                let close = source.afterGroup(at + 1)
                if let target = Self.target(source, maker: token.text, from: at + 2, to: close) { found.append(target) }
                at = close
            } else {
                at += 1
            }
        }
        targets = found
    }

    private static func target(_ source: SwiftSource, maker: String, from: Int, to: Int) -> Target? {
        guard let first = (from..<to).first(where: { source.token($0).kind == .string }) else { return nil }
        var dependencies: [String] = []
        var at = first + 1
        while at < to {
            let token = source.token(at)
            let isLabelled = source.token(at + 1).text == ":"
            if isLabelled,
                ["swiftSettings", "settings", "pkgConfig", "providers", "path", "plugins"].contains(token.text)
            {
                at += 2
                while at < to, source.token(at).text != "," {
                    at =
                        "([{".contains(source.token(at).text) && source.token(at).kind == .mark
                        ? source.afterGroup(at) : at + 1
                }
            } else if token.text == "product", source.token(at + 1).text == "(" {
                let close = source.afterGroup(at + 1)
                if let name = (at..<close).first(where: { source.token($0).kind == .string }) {
                    dependencies.append(source.token(name).text)
                }
                at = close
            } else {
                if token.kind == .string { dependencies.append(token.text) }
                at += 1
            }
        }
        let name = source.token(first).text
        let isTest = maker == "tests" || maker == "testTarget"
        return Target(name: maker == "tests" ? name + "Tests" : name, dependencies: dependencies, isTest: isTest)
    }
}

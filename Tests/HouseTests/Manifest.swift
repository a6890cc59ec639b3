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
        var lists = source.tokens.indices.filter { at in
            // `let some: [Target] = [`: targets that the package has only where they are asked for.
            source.tokens[at].text == "[" && source.token(at - 1).text == "=" && source.token(at - 2).text == "]"
                && source.token(at - 3).text == "Target"
        }
        // The first `targets: [` may be a product's; the package's own holds calls, not strings.
        lists += source.tokens.indices.filter { at in
            source.tokens[at].text == "[" && source.token(at - 2).text == "targets"
                && source.token(at + 1).kind != .string
        }.prefix(1)
        targets = lists.flatMap { Self.list(source, at: $0) }
    }

    private static func list(_ source: SwiftSource, at start: Int) -> [Target] {
        let makers: Set<String> = [
            "room", "tests", "target", "executableTarget", "testTarget", "systemLibrary", "macro", "plugin",
        ]
        var found: [Target] = []
        let end = source.afterGroup(start)
        var at = start + 1
        while at < end {
            let token = source.token(at)
            if token.kind == .word, makers.contains(token.text), source.token(at + 1).text == "(" {
                let close = source.afterGroup(at + 1)
                if let target = target(source, maker: token.text, from: at + 2, to: close) { found.append(target) }
                at = close
            } else {
                at += 1
            }
        }
        return found
    }

    private static func target(_ source: SwiftSource, maker: String, from: Int, to: Int) -> Target? {
        guard let first = (from..<to).first(where: { source.token($0).kind == .string }) else { return nil }
        var dependencies: [String] = []
        var at = first + 1
        while at < to {
            let token = source.token(at)
            let isLabelled = source.token(at + 1).text == ":"
            if isLabelled,
                ["swiftSettings", "settings", "pkgConfig", "providers", "path", "plugins", "resources"].contains(
                    token.text)
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

import Testing

/// Rule: what exists for benchmarks only is used by no room, so that no call can be without encryption.
enum BenchmarkDoorRule {
    /// The names, and the file of the house in which each may stand.
    static let doors = [
        "noEncryptionForBenchmarks": "Sources/PetrelSecurity/SRTPSession.swift",
        "replaceCipherForBenchmarks": "Sources/PetrelPeer/Peer+Benchmarks.swift",
    ]

    static func violations(in source: SwiftSource) -> [Violation] {
        source.tokens.compactMap { token in
            guard token.kind == .word, let home = doors[token.text], home != source.path else { return nil }
            return Violation(path: source.path, line: token.line, what: "\(token.text) is for benchmarks and tests")
        }
    }
}

@Suite struct BenchmarkDoorTests {
    @Test func noRoomUsesOne() {
        let found = Tree.sources.flatMap { BenchmarkDoorRule.violations(in: $0) }
        #expect(found.isEmpty, "\(found.report)")
    }

    @Test func theDoorsAreWhereTheRuleSays() {
        for (name, home) in BenchmarkDoorRule.doors {
            let isThere = Tree.sources.contains { source in
                source.path == home && source.tokens.contains { $0.text == name }
            }
            #expect(isThere, "\(name) is not in \(home)")
        }
    }

    @Test func aUseIsFound() {
        let text = "let a = SRTPSession.noEncryptionForBenchmarks()\n_ = peer.replaceCipherForBenchmarks(a)"
        #expect(BenchmarkDoorRule.violations(in: SwiftSource(path: "Sources/A/B.swift", text: text)).count == 2)
        let comment = "/// ``noEncryptionForBenchmarks()``\nlet a = 1"
        #expect(BenchmarkDoorRule.violations(in: SwiftSource(path: "Sources/A/B.swift", text: comment)).isEmpty)
    }
}

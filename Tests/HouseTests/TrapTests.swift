import Testing

/// Rule: no trap where bytes from the network come by. Swift cannot catch one, so a packet could end the program.
enum TrapRule {
    static let exceptions: [Exception] = [
        Exception(
            path: "Sources/PetrelCore/SlotMemory.swift", what: "precondition",
            reason: "slot numbers are the owner's own, never read from a packet; unchecked memory lies behind them"),
        Exception(
            path: "Sources/PetrelCodecs/I420Buffer.swift", what: "precondition",
            reason: "sizes are checked by the decoder against its limits before a picture is made"),
        Exception(
            path: "Sources/PetrelPlayout/AudioReceiver+Pull.swift", what: "precondition",
            reason: "the length of the caller's own buffer"),
        Exception(
            path: "Sources/PetrelPlayout/PlayoutSamples.swift", what: "precondition",
            reason: "unchecked memory lies behind it; callers ask for room first, and decoded lengths are bounded"),
        Exception(
            path: "Sources/PetrelSecurity/LabRandomness.swift", what: "precondition",
            reason: "lab only: refused by OpenSSL before any packet is read, or never"),
        Exception(
            path: "Sources/PetrelCodecs/I420Buffer.swift", what: "unsafelyUnwrapped",
            reason: "the address of a whole allocation of the picture's own, never empty"),
        Exception(
            path: "Sources/PetrelPlayout/PlayoutSamples.swift", what: "unsafelyUnwrapped",
            reason: "the address of an allocation of fixed, positive size"),
        Exception(
            path: "Sources/PetrelSecurity/SRTPKeyingMaterial.swift", what: "unsafelyUnwrapped",
            reason: "the address of an allocation of fixed, positive size"),
    ]

    private static let words: Set<String> = [
        "fatalError", "preconditionFailure", "precondition", "unowned", "unsafelyUnwrapped", "abort", "exit",
    ]
    private static let beforePrefix: Set<String> = [
        "return", "in", "if", "guard", "while", "else", "where", "case", "let", "var", "throw", "is",
    ]

    static func violations(in source: SwiftSource) -> [Violation] {
        var found: [Violation] = []
        for index in source.tokens.indices {
            let token = source.tokens[index]
            let before = source.token(index - 1)
            if token.kind == .word, words.contains(token.text) {
                if ["abort", "exit"].contains(token.text), source.token(index + 1).text != "(" || before.text == "." {
                    continue
                }
                if before.text == "func" { continue }
                if exceptions.contains(where: { $0.path == source.path && $0.what == token.text }) { continue }
                found.append(Violation(path: source.path, line: token.line, what: token.text))
            }
            guard token.kind == .mark, token.text == "!", !token.spaceBefore else { continue }
            let next = source.token(index + 1)
            if next.text == "=", !next.spaceBefore { continue }
            if before.kind == .word, ["try", "as"].contains(before.text) {
                found.append(Violation(path: source.path, line: token.line, what: before.text + "!"))
            } else if (before.kind == .word && !beforePrefix.contains(before.text))
                || [")", "]", "}", "?", ">"].contains(before.text)
            {
                found.append(Violation(path: source.path, line: token.line, what: "force unwrap of `\(before.text)`"))
            }
        }
        return found
    }
}

@Suite struct TrapTests {
    @Test func noTrapIsReachable() {
        let found = Tree.sources.filter { House.networked.contains($0.room) }.flatMap { TrapRule.violations(in: $0) }
        #expect(found.isEmpty, "\(found.report)")
    }

    @Test func exceptionsAreStillNeeded() {
        let stale = TrapRule.exceptions.filter { exception in
            let words = Tree.sources.first { $0.path == exception.path }?.tokens.map(\.text) ?? []
            return !words.contains(exception.what)
        }
        #expect(stale.isEmpty, "exceptions that nothing needs: \(stale.map(\.path))")
    }

    @Test(arguments: [
        "let a = try! f()", "let a = b as! C", "fatalError(\"x\")", "preconditionFailure()", "unowned let a: B",
        "let a = b!", "let a = f()!", "let a = b[1]!.c", "var a: B!", "precondition(a > 0)", "print(\"\\(a!)\")",
        "let a = b.unsafelyUnwrapped",
    ])
    func aTrapIsFound(_ text: String) {
        #expect(TrapRule.violations(in: SwiftSource(path: "Sources/PetrelWire/Bad.swift", text: text)).count == 1)
    }

    @Test(arguments: [
        "if !a { return !b }", "let c = a != b", "f(!a, x: !b)", "let d = a && !b", "let e = [!a]", "// try! f()",
        "while !(a) {}", "let f = \"b!\"",
    ])
    func negationPasses(_ text: String) {
        #expect(TrapRule.violations(in: SwiftSource(path: "Sources/PetrelWire/Good.swift", text: text)).isEmpty)
    }
}

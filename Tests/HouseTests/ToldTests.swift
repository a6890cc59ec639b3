import Testing

/// Rule: everything below the edges is told the time and the randomness, and has no thread, lock or task inside.
enum ToldRule {
    static let exceptions: [Exception] = [
        Exception(
            path: "Sources/PetrelCore/RandomSource.swift", what: "SystemRandomNumberGenerator",
            reason: "the one door to the system's generator; a call chooses it at the top")
    ]

    private static let words: Set<String> = [
        "clock_gettime", "gettimeofday", "ContinuousClock", "SuspendingClock", "DispatchTime", "DispatchQueue",
        "SystemRandomNumberGenerator", "Thread", "Mutex", "Atomic", "NSLock", "usleep", "nanosleep", "sleep",
        "getrandom", "getentropy", "arc4random", "arc4random_buf", "actor", "await", "async", "AsyncStream",
        "hashValue",
        "Hasher", "ProcessInfo",
    ]
    /// Words that matter only when called.
    private static let calls: Set<String> = ["Date", "time", "rand", "random", "drand48", "clock"]

    static func violations(in source: SwiftSource) -> [Violation] {
        var found: [Violation] = []
        func add(_ token: SwiftSource.Token, _ what: String) {
            let excepted = exceptions.contains { $0.path == source.path && $0.what == token.text }
            if !excepted { found.append(Violation(path: source.path, line: token.line, what: what)) }
        }
        for index in source.tokens.indices where source.tokens[index].kind == .word {
            let token = source.tokens[index]
            let before = source.token(index - 1)
            let next = source.token(index + 1)
            let isMember = before.kind == .mark && before.text == "."
            // A label or a declared name is no use of the thing, and `hash(into: inout Hasher)` is a conformance.
            if ["func", "case", "var", "let", "inout"].contains(before.text) { continue }
            if words.contains(token.text), !isMember || token.text == "hashValue", next.text != ":" {
                add(token, "uses \(token.text)")
            } else if calls.contains(token.text), next.text == "(", !isMember {
                add(token, "calls \(token.text)()")
            } else if token.text.hasPrefix("pthread_") {
                add(token, "uses \(token.text)")
            } else if token.text == "Task", ["{", "(", "."].contains(next.text), !isMember {
                add(token, "starts a Task")
            } else if isMember, ["random", "randomElement", "shuffle", "shuffled"].contains(token.text),
                next.text == "("
            {
                let end = source.afterGroup(index + 1)
                let told = (index..<end).contains { source.token($0).text == "using" }
                if !told { add(token, "\(token.text)() without `using:`") }
            }
        }
        return found
    }
}

@Suite struct ToldTests {
    @Test func roomsAreTold() {
        let found = Tree.sources.filter { House.told.contains($0.room) }.flatMap { ToldRule.violations(in: $0) }
        #expect(found.isEmpty, "\(found.report)")
    }

    @Test(arguments: [
        "let t = ContinuousClock.now", "clock_gettime(CLOCK_MONOTONIC, &t)", "let d = Date()", "let s = time(nil)",
        "var g = SystemRandomNumberGenerator()", "let r = Int.random(in: 0..<9)", "let e = list.randomElement()",
        "Task { await x }", "Task.detached { }", "let m = Mutex(1)", "pthread_mutex_lock(m)",
        "DispatchQueue.main.sync {}",
        "let k = name.hashValue", "list.shuffle()",
    ])
    func aReadIsFound(_ text: String) {
        #expect(!ToldRule.violations(in: SwiftSource(path: "Sources/PetrelICE/Bad.swift", text: text)).isEmpty)
    }

    @Test(arguments: [
        "let r = Int.random(in: 0..<9, using: &random)", "// Date() in a comment", "let text = \"Mutex\"",
        "func hash(into hasher: inout Hasher) { }", "let packet = packets.first { $0.time(at: now) == 1 }",
    ])
    func whatIsToldPasses(_ text: String) {
        #expect(ToldRule.violations(in: SwiftSource(path: "Sources/PetrelICE/Good.swift", text: text)).isEmpty)
    }

    @Test func theExceptionIsForItsFileOnly() {
        let text = "var g = SystemRandomNumberGenerator()"
        #expect(ToldRule.violations(in: SwiftSource(path: "Sources/PetrelCore/RandomSource.swift", text: text)).isEmpty)
        #expect(ToldRule.violations(in: SwiftSource(path: "Sources/PetrelCore/Other.swift", text: text)).count == 1)
    }
}

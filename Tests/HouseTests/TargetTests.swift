import Testing

/// Rule: a room has tests, and they hold at least one.
enum TargetRule {
    static let exceptions: [String: String] = [
        "COpenSSL": "a module map", "CSRTP": "a module map", "COpus": "a module map", "CVPX": "a module map",
        "CPetrelSecurity": "one-line functions, exercised by PetrelSecurityTests",
        "CPetrelCodecs": "one-line functions, exercised by PetrelCodecsTests",
        "CPetrelMedia": "the arithmetic of the repair code, exercised by PetrelMediaTests",
        "PetrelScenario": "its tests are named ScenarioTests",
        "PetrelIO": "sockets and threads, exercised by whole calls in PetrelTests",
        "FuzzTargets": "part of Tests/Fuzz, run by FuzzReplayTests",
        "PetrelCLI": "a program: Tests/Scripts runs it, and CI runs those",
        "PetrelServerCLI": "a program: Tests/Scripts runs it, and CI runs those",
    ]

    static func violations(_ manifest: Manifest, exceptions: [String: String]) -> [Violation] {
        let tests = Set(manifest.targets.filter(\.isTest).map(\.name))
        return manifest.targets.filter {
            !$0.isTest && !tests.contains($0.name + "Tests") && exceptions[$0.name] == nil
        }
        .map { Violation(path: "Package.swift", line: 1, what: "\($0.name) has no \($0.name)Tests") }
    }

    static func holdsTests(_ source: SwiftSource) -> Bool { source.tokens.contains { $0.text == "@Test" } }
}

@Suite struct TargetTests {
    static let manifest = Manifest(text: Tree.text("Package.swift"))

    @Test func roomsHaveTests() {
        let found = TargetRule.violations(Self.manifest, exceptions: TargetRule.exceptions)
        #expect(found.isEmpty, "\(found.report)")
    }

    @Test func testTargetsHoldTests() {
        for target in Self.manifest.targets where target.isTest {
            let files = Tree.textFiles.filter { $0.hasPrefix("Tests/\(target.name)/") && $0.hasSuffix(".swift") }
            let holds = files.contains { TargetRule.holdsTests(SwiftSource(path: $0, text: Tree.text($0))) }
            #expect(holds, "Tests/\(target.name) holds no test")
        }
    }

    @Test func aRoomWithoutTestsIsFound() {
        let manifest = Manifest(text: "targets: [room(\"A\"), room(\"B\", [\"A\"]), tests(\"A\", [\"A\"])]")
        #expect(TargetRule.violations(manifest, exceptions: [:]).map(\.what) == ["B has no BTests"])
        #expect(TargetRule.violations(manifest, exceptions: ["B": "why"]).isEmpty)
    }

    @Test func anEmptyTestFileIsFound() {
        #expect(!TargetRule.holdsTests(SwiftSource(path: "a.swift", text: "// @Test\nimport Testing")))
        #expect(TargetRule.holdsTests(SwiftSource(path: "a.swift", text: "@Test func a() {}")))
    }
}

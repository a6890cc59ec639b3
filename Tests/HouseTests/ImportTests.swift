import Testing

/// Rule: a room imports what its arrows allow, and nothing points up.
enum ImportRule {
    static let exceptions: [Exception] = [
        Exception(
            path: "Sources/PetrelCore/TransportAddress.swift", what: "system",
            reason: "inet_pton and inet_ntop: addresses as text; pure functions"),
        Exception(
            path: "Sources/PetrelCodecs/PictureQuality.swift", what: "system", reason: "log10 for decibels; pure"),
    ]

    static func violations(in source: SwiftSource, rooms: [String: House.Room]) -> [Violation] {
        guard let room = rooms[source.room] else {
            return [Violation(path: source.path, line: 1, what: "the room \(source.room) is not in the table")]
        }
        let excepted = exceptions.contains { $0.path == source.path && $0.what == "system" }
        var found: [Violation] = []
        for index in source.tokens.indices where source.tokens[index].text == "import" {
            let before = source.token(index - 1)
            let token = source.tokens[index]
            guard token.kind == .word, before.line != token.line || importModifiers.contains(before.text) else {
                continue
            }
            var name = source.token(index + 1)
            if importKinds.contains(name.text) { name = source.token(index + 2) }
            let allowed =
                room.arrows.contains(name.text) || room.foreign.contains(name.text)
                || (excepted && House.system.contains(name.text))
            if !allowed {
                found.append(Violation(path: source.path, line: token.line, what: "may not import \(name.text)"))
            }
            let isC = rooms[name.text]?.level == 0
            if isC, before.text != "internal" {
                found.append(
                    Violation(path: source.path, line: token.line, what: "C stays inside: internal import \(name.text)")
                )
            }
        }
        return found
    }

    private static let importModifiers: Set<String> = [
        "public", "package", "internal", "private", "fileprivate", "@testable", "@preconcurrency", "@_exported",
        "@_implementationOnly",
    ]
    private static let importKinds: Set<String> = [
        "struct", "class", "enum", "protocol", "func", "var", "let", "typealias",
    ]

    /// Arrows that point up, or that differ between the table and Package.swift.
    static func arrowViolations(rooms: [String: House.Room], manifest: Manifest) -> [Violation] {
        var found: [Violation] = []
        func add(_ what: String) { found.append(Violation(path: "Package.swift", line: 1, what: what)) }
        for (name, room) in rooms.sorted(by: { $0.key < $1.key }) {
            for arrow in room.arrows.sorted() {
                guard let below = rooms[arrow] else {
                    add("\(name) points at \(arrow), which is no room")
                    continue
                }
                if below.level > room.level { add("\(name) points up at \(arrow)") }
            }
            guard let target = manifest.targets.first(where: { $0.name == name }) else {
                add("\(name) is in the table and not in the package")
                continue
            }
            let own = Set(target.dependencies.filter { $0.hasPrefix("Petrel") || rooms[$0] != nil })
            for extra in own.subtracting(room.arrows).sorted() { add("\(name) -> \(extra) is not in the table") }
            for missing in room.arrows.subtracting(own).sorted() { add("\(name) -> \(missing) is only in the table") }
        }
        for target in manifest.targets
        where !target.isTest && rooms[target.name] == nil && !House.outside.contains(target.name) {
            add("\(target.name) is in the package and not in the table")
        }
        return found
    }
}

@Suite struct ImportTests {
    @Test func roomsImportDownOnly() {
        let found = Tree.sources.flatMap { ImportRule.violations(in: $0, rooms: House.rooms) }
        #expect(found.isEmpty, "\(found.report)")
    }

    @Test func theTableIsThePackage() {
        let found = ImportRule.arrowViolations(rooms: House.rooms, manifest: Manifest(text: Tree.text("Package.swift")))
        #expect(found.isEmpty, "\(found.report)")
    }

    @Test func exceptionsAreStillNeeded() {
        let missing = ImportRule.exceptions.filter { !Tree.exists($0.path) }.map(\.path)
        #expect(missing.isEmpty, "exceptions for files that are gone: \(missing)")
    }

    @Test(arguments: [
        "internal import Foundation", "public import PetrelPeer", "import NIOCore", "internal import struct Dispatch.X",
    ])
    func aForbiddenImportIsFound(_ text: String) {
        let source = SwiftSource(path: "Sources/PetrelWire/Bad.swift", text: text)
        #expect(ImportRule.violations(in: source, rooms: House.rooms).count == 1)
    }

    @Test func aPublicImportOfCIsFound() {
        let source = SwiftSource(path: "Sources/PetrelCodecs/Bad.swift", text: "public import COpus")
        #expect(ImportRule.violations(in: source, rooms: House.rooms).count == 1)
    }

    @Test func systemLibraryOutsideItsExceptionIsFound() {
        let good = SwiftSource(path: "Sources/PetrelCore/TransportAddress.swift", text: "internal import Glibc")
        let bad = SwiftSource(path: "Sources/PetrelCore/Instant.swift", text: "internal import Glibc")
        #expect(ImportRule.violations(in: good, rooms: House.rooms).isEmpty)
        #expect(ImportRule.violations(in: bad, rooms: House.rooms).count == 1)
    }

    @Test func anArrowUpIsFound() {
        let rooms = ["Low": House.Room(level: 1, arrows: ["High"]), "High": House.Room(level: 2, arrows: [])]
        let manifest = Manifest(text: "let p = Package(targets: [room(\"Low\", [\"High\"]), room(\"High\")])")
        #expect(manifest.targets.map(\.name) == ["Low", "High"])
        #expect(ImportRule.arrowViolations(rooms: rooms, manifest: manifest).map(\.what) == ["Low points up at High"])
    }

    @Test func anArrowThatOnlyThePackageHasIsFound() {
        let rooms = ["A": House.Room(level: 1, arrows: []), "B": House.Room(level: 1, arrows: [])]
        let text = """
            products: [.library(name: "X", targets: ["A"])],
            targets: [.target(name: "A", dependencies: ["B", .product(name: "N", package: "n")], swiftSettings: s), room("B")]
            """
        let manifest = Manifest(text: text)
        #expect(manifest.targets.first?.dependencies == ["B", "N"])
        #expect(
            ImportRule.arrowViolations(rooms: rooms, manifest: manifest).map(\.what) == ["A -> B is not in the table"])
    }

    @Test func targetsThatAreAskedForAreFound() {
        let text = """
            let server: [Target] = [room("S", ["A"]), .executableTarget(name: "T", dependencies: ["S"], resources: [.copy("x")])]
            let p = Package(products: [.library(name: "X", targets: ["A"])], targets: [room("A")] + (wants ? server : []))
            """
        let manifest = Manifest(text: text)
        #expect(manifest.targets.map(\.name) == ["S", "T", "A"])
        #expect(manifest.targets.map(\.dependencies) == [["A"], ["S"], []])
    }
}

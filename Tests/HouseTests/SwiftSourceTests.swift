import Testing

@Suite struct SwiftSourceTests {
    @Test func commentsAndStringsAreNoCode() {
        let source = SwiftSource(
            path: "x.swift", text: "let a = \"try! b\" // as! c\n/* fatalError( */ let d = #\"\"e!\"\"#\n")
        #expect(source.tokens.map(\.text) == ["let", "a", "=", "try! b", "let", "d", "=", "\"e!\""])
        #expect(source.comments.map(\.line) == [1, 2])
        #expect(source.lineCount == 2)
    }

    @Test func interpolatedCodeIsCode() {
        let source = SwiftSource(path: "x.swift", text: "print(\"a \\(b(c)!) d\", e)")
        #expect(source.tokens.map(\.text) == ["print", "(", "a  d", "b", "(", "c", ")", "!", ",", "e", ")"])
    }

    @Test func longStringsCountTheirLines() {
        let source = SwiftSource(path: "x.swift", text: "let a = \"\"\"\n  one \"two\"\n  \"\"\"\nlet b = 1\n")
        #expect(source.tokens.last?.line == 4)
    }

    @Test func groupsEndWhereTheyClose() {
        let source = SwiftSource(path: "x.swift", text: "f(a, g(b), [c]) + d")
        #expect(source.token(source.afterGroup(1)).text == "+")
    }

    @Test func theTreeIsFound() {
        #expect(Tree.exists("Package.swift"))
        #expect(Tree.rooms.contains("PetrelCore"))
        #expect(Tree.sources.count > 10)
    }
}

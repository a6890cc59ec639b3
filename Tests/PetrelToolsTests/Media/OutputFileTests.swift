import Foundation
import PetrelDevices
import Testing

@testable import PetrelTools

@Suite struct OutputFileTests {
    private func files(_ folder: TestFolder) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
    }

    @Test func appearsWhenItIsWhole() throws {
        let folder = try TestFolder()
        let file = try OutputFile(folder.file("a.webm"), replaces: false)
        try file.handle.write(contentsOf: Data("hello".utf8))
        #expect(!FileManager.default.fileExists(atPath: folder.file("a.webm")))
        #expect(!file.isStream)
        try file.commit()
        #expect(try files(folder) == ["a.webm"])
        #expect(try String(contentsOfFile: folder.file("a.webm"), encoding: .utf8) == "hello")
        file.discard()
        #expect(try files(folder) == ["a.webm"])
    }

    @Test func leavesNothingBehind() throws {
        let folder = try TestFolder()
        do {
            let file = try OutputFile(folder.file("a.webm"), replaces: false)
            try file.handle.write(contentsOf: Data("hello".utf8))
            #expect(try files(folder).count == 1)
        }
        #expect(try files(folder).isEmpty)
        let other = try OutputFile(folder.file("b"), replaces: true)
        other.discard()
        #expect(try files(folder).isEmpty)
    }

    @Test func replacesOnlyWhenAsked() throws {
        let folder = try TestFolder()
        try Data("old".utf8).write(to: URL(fileURLWithPath: folder.file("a")))
        #expect(throws: ToolError("The file \(folder.file("a")) exists already; --force replaces it")) {
            _ = try OutputFile(folder.file("a"), replaces: false)
        }
        let file = try OutputFile(folder.file("a"), replaces: true)
        try file.handle.write(contentsOf: Data("new".utf8))
        #expect(try String(contentsOfFile: folder.file("a"), encoding: .utf8) == "old")
        try file.commit()
        #expect(try String(contentsOfFile: folder.file("a"), encoding: .utf8) == "new")
        #expect(try files(folder) == ["a"])
    }

    /// The name was free when the stream began, and is not when it ends.
    @Test func aNameThatIsTakenMeanwhileIsKept() throws {
        let folder = try TestFolder()
        let file = try OutputFile(folder.file("a"), replaces: false)
        try Data("theirs".utf8).write(to: URL(fileURLWithPath: folder.file("a")))
        #expect(throws: ToolError.self) { try file.commit() }
        #expect(try String(contentsOfFile: folder.file("a"), encoding: .utf8) == "theirs")
        #expect(try files(folder) == ["a"])
    }

    @Test func foldersAndNowhere() throws {
        let folder = try TestFolder()
        #expect(throws: ToolError.self) { _ = try OutputFile(folder.path, replaces: true) }
        #expect(throws: ToolError.self) { _ = try OutputFile(folder.file("none/a"), replaces: true) }
        #expect(throws: ToolError.self) { _ = try OutputFile("", replaces: true) }
        #expect(try files(folder).isEmpty)
    }

    @Test func aDeviceIsWrittenToAndLives() throws {
        let file = try OutputFile("/dev/null", replaces: true)
        #expect(file.isStream)
        try file.handle.write(contentsOf: Data("x".utf8))
        try file.commit()
        #expect(FileManager.default.fileExists(atPath: "/dev/null"))
    }
}

import Foundation

/// The project's files, found from where this file lies.
enum Tree {
    /// The package's folder, with every symbolic link followed.
    static let root: URL = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// What is built, fetched or written by a run, and so is no text of the project.
    private static let skippedNames: Set<String> = [
        ".git", ".venv", ".assets", ".swiftpm", "node_modules", "Package.resolved", "__pycache__", "FailCases",
    ]

    private static let textEndings: Set<String> = [
        "swift", "md", "h", "c", "sh", "py", "json", "yml", "yaml", "svg", "modulemap", "txt", "toml", "html", "js",
        "css",
    ]

    /// Every text file of the project, as a path below the root, in order.
    static let textFiles: [String] = files(below: "").filter { path in
        let name = (path as NSString).lastPathComponent
        let ending = (path as NSString).pathExtension
        if ending.isEmpty { return name == "Makefile" || path.hasPrefix(".ci/") || path.hasPrefix("Scripts/") }
        return textEndings.contains(ending)
    }

    /// Every Swift file of the rooms, read into tokens once.
    static let sources: [SwiftSource] = textFiles.filter { $0.hasPrefix("Sources/") && $0.hasSuffix(".swift") }
        .map { SwiftSource(path: $0, text: text($0)) }

    /// The rooms: the folders of Sources.
    static let rooms: [String] = folders(in: "Sources")

    static func text(_ path: String) -> String {
        (try? String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)) ?? ""
    }

    static func exists(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: root.appendingPathComponent(path).path)
    }

    static func folders(in path: String) -> [String] {
        let folder = root.appendingPathComponent(path)
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.filter { name in
            let kind = try? folder.appendingPathComponent(name).resourceValues(forKeys: [.isDirectoryKey])
            return kind?.isDirectory == true && !name.hasPrefix(".")
        }.sorted()
    }

    private static func files(below path: String) -> [String] {
        let folder = path.isEmpty ? root : root.appendingPathComponent(path)
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        var found: [String] = []
        for name in names.sorted() where !skippedNames.contains(name) {
            if name.hasPrefix(".build") || name.hasPrefix("petrel-report") { continue }
            let below = path.isEmpty ? name : path + "/" + name
            let place = root.appendingPathComponent(below)
            let kind = try? place.resourceValues(forKeys: [.isDirectoryKey, .isSymbolicLinkKey])
            if kind?.isSymbolicLink == true { continue }
            if kind?.isDirectory == true {
                found += files(below: below)
            } else {
                found.append(below)
            }
        }
        return found
    }
}

/// Where a rule is broken, and how.
struct Violation: CustomStringConvertible, Equatable {
    let path: String
    let line: Int
    let what: String

    var description: String { "\(path):\(line): \(what)" }
}

extension [Violation] {
    /// All of them, one to a line, for the message of a failed expectation.
    var report: String { "\n" + map(\.description).joined(separator: "\n") }
}

/// A rule's exception: a file, what may stand there, and why.
struct Exception {
    let path: String
    let what: String
    let reason: String
}

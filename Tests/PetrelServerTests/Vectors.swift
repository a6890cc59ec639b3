import Foundation
import Testing

/// The public corpora: in the folder that PETREL_VECTORS names, or beside the package.
enum Vectors {
    static let root: URL = {
        if let path = ProcessInfo.processInfo.environment["PETREL_VECTORS"] { return URL(fileURLWithPath: path) }
        let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return package.deletingLastPathComponent().appendingPathComponent("shared/vectors")
    }()

    /// The folder or file, or nil with a line that says so; where CI is "true" absence is a failure.
    static func find(_ name: String) -> URL? {
        let url = root.appendingPathComponent(name)
        if FileManager.default.fileExists(atPath: url.path) { return url }
        print("skipped: no \(name) in \(root.path) (set PETREL_VECTORS)")
        if ProcessInfo.processInfo.environment["CI"] == "true" { Issue.record("no \(name)") }
        return nil
    }

    /// All files below a folder whose name ends so, in the order of their paths.
    static func files(_ folder: String, suffix: String) -> [URL] {
        guard let folder = find(folder) else { return [] }
        let all = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)?.allObjects ?? []
        return all.compactMap { $0 as? URL }.filter { $0.path.hasSuffix(suffix) }.sorted { $0.path < $1.path }
    }
}

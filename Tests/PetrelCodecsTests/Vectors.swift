import Foundation

/// The public corpora, which the project does not carry: the folder named by PETREL_VECTORS, or the one beside the
/// project.
enum Vectors {
    static let root: URL = {
        if let path = ProcessInfo.processInfo.environment["PETREL_VECTORS"] { return URL(fileURLWithPath: path) }
        return URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("shared/vectors")
    }()

    struct Missing: Error { let name: String }

    /// The folder or file `name`; nil, with a line that says so, where it is absent. In CI absence is a failure.
    static func find(_ name: String) throws -> URL? {
        let url = root.appendingPathComponent(name)
        if FileManager.default.fileExists(atPath: url.path) { return url }
        if ProcessInfo.processInfo.environment["CI"] == "true" { throw Missing(name: name) }
        print("skipped: \(name) is not at \(root.path) (set PETREL_VECTORS)")
        return nil
    }

    static func bytes(_ url: URL) throws -> [UInt8] { [UInt8](try Data(contentsOf: url)) }
}

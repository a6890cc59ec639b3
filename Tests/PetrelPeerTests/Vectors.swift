import Foundation
import Testing

/// The public corpora, which the package does not carry.
enum Vectors {
    /// The folder `path` of the corpora; nil, with a line on the output, where it is absent. On a build machine
    /// (CI=true) absence is a failure.
    static func folder(_ path: String, file: String = #filePath) -> URL? {
        let root: URL
        if let named = ProcessInfo.processInfo.environment["PETREL_VECTORS"] {
            root = URL(fileURLWithPath: named)
        } else {
            // Tests/PetrelPeerTests/Vectors.swift -> package root -> its neighbour
            root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("shared/vectors")
        }
        let folder = root.appendingPathComponent(path)
        if FileManager.default.fileExists(atPath: folder.path) { return folder }
        print("skipped: \(path) is not in \(root.path) (set PETREL_VECTORS)")
        #expect(ProcessInfo.processInfo.environment["CI"] != "true", "corpora are obligatory where CI=true")
        return nil
    }

    /// The files of a folder, by name, without texts about them.
    static func files(_ path: String) throws -> [(name: String, bytes: [UInt8])] {
        guard let folder = folder(path) else { return [] }
        return try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
            .filter { !$0.hasSuffix(".md") && !$0.hasSuffix(".txt") }
            .map { ($0, try bytes(folder.appendingPathComponent($0))) }
    }

    private static func bytes(_ file: URL) throws -> [UInt8] {
        // Reading an empty file leaks a page inside Foundation, which the leak sanitizer reports.
        let size = try FileManager.default.attributesOfItem(atPath: file.path)[.size] as? Int
        return size == 0 ? [] : [UInt8](try Data(contentsOf: file))
    }

    /// The objects of a JSON file, or of one with a JSON object per line.
    static func objects(_ path: String) throws -> [[String: Any]] {
        guard let file = folder(path) else { return [] }
        let text = try String(contentsOf: file, encoding: .utf8)
        if path.hasSuffix(".jsonl") {
            return try text.split(separator: "\n").compactMap {
                try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]
            }
        }
        return [try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any] ?? [:]]
    }
}

import Foundation

/// The public corpora, which are not part of the project: named by PETREL_VECTORS, or beside the package.
enum Vectors {
    static var root: URL? {
        let environment = ProcessInfo.processInfo.environment
        let named = environment["PETREL_VECTORS"].map { URL(fileURLWithPath: $0) }
        let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let folder = named ?? package.appendingPathComponent("../shared/vectors")
        return FileManager.default.fileExists(atPath: folder.path) ? folder : nil
    }

    /// A file or folder of the corpora; nil, with one line printed, where there are none.
    static func url(_ path: String) -> URL? {
        if let root { return root.appendingPathComponent(path) }
        print("skipped: \(path) (no vectors at PETREL_VECTORS or ../shared/vectors)")
        if ProcessInfo.processInfo.environment["CI"] == "true" { fatalError("vectors are required in CI") }
        return nil
    }

    static func bytes(_ path: String) throws -> [UInt8]? { try url(path).map { [UInt8](try Data(contentsOf: $0)) } }

    static func json(_ path: String) throws -> Any? {
        try url(path).map { try JSONSerialization.jsonObject(with: Data(contentsOf: $0)) }
    }

    /// The entries of hostile.jsonl of these kinds.
    static func hostile(_ kinds: Set<String>) throws -> [[String: Any]] {
        guard let bytes = try bytes("hostile-generated/hostile.jsonl") else { return [] }
        return try bytes.split(separator: 10).compactMap {
            try JSONSerialization.jsonObject(with: Data($0)) as? [String: Any]
        }.filter { kinds.contains($0["kind"] as? String ?? "") }
    }

    /// The files of a folder in the order of their names, without documentation.
    static func files(_ folder: String) throws -> [(name: String, bytes: [UInt8])] {
        guard let url = url(folder) else { return [] }
        return try FileManager.default.contentsOfDirectory(atPath: url.path).sorted()
            .filter { !$0.hasSuffix(".md") && !$0.hasSuffix(".txt") }
            .map { ($0, [UInt8](try Data(contentsOf: url.appendingPathComponent($0)))) }
    }
}

/// The bytes of hexadecimal text.
func hex(_ text: String) -> [UInt8] {
    let digits = text.utf8.compactMap { Character(UnicodeScalar($0)).hexDigitValue }
    return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}

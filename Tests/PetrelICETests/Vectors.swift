import Foundation
import Testing

/// The public corpora, in the folder that PETREL_VECTORS names or beside the package.
enum Vectors {
    static let folder: URL = {
        if let path = ProcessInfo.processInfo.environment["PETREL_VECTORS"] { return URL(fileURLWithPath: path) }
        return URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("../shared/vectors")
    }()

    /// The lines of hostile.jsonl of one kind; nil, with a clear line, where the corpora are absent.
    static func hostile(_ kind: String) throws -> [[String: Any]]? {
        let file = folder.appendingPathComponent("hostile-generated/hostile.jsonl")
        guard let data = try? Data(contentsOf: file) else {
            print("skipped: no \(file.path)")
            if ProcessInfo.processInfo.environment["CI"] == "true" { Issue.record("CI must have the vectors") }
            return nil
        }
        return try data.split(separator: 0x0A).compactMap {
            try JSONSerialization.jsonObject(with: $0) as? [String: Any]
        }.filter { $0["kind"] as? String == kind }
    }

    static func bytes(hex: String) -> [UInt8] {
        var result: [UInt8] = []
        var rest = hex[...]
        while let octet = UInt8(rest.prefix(2), radix: 16) {
            result.append(octet)
            rest = rest.dropFirst(2)
        }
        return result
    }
}

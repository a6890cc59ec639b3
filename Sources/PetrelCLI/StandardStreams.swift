internal import Foundation
internal import PetrelIO

/// Lines on standard error, where progress and complaints go.
enum StandardError {
    static func print(_ line: String) { FileHandle.standardError.write(Data((line + "\n").utf8)) }
}

/// JSON objects on standard output, one a line, whole lines only.
final class LineOutput: Sendable {
    private let lock = Lock(())

    func send(_ object: [String: any Sendable]) {
        guard
            let data = try? JSONSerialization.data(
                withJSONObject: object, options: [.sortedKeys, .withoutEscapingSlashes])
        else { return }
        lock.withLock { _ in try? FileHandle.standardOutput.write(contentsOf: data + Data("\n".utf8)) }
    }
}

/// A JSON object that came in on a line.
struct LineMessage: @unchecked Sendable {
    // @unchecked: JSONSerialization makes immutable values of strings, numbers, arrays and dictionaries only.
    let fields: [String: Any]

    init?(_ line: String) {
        guard let object = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] else {
            return nil
        }
        fields = object
    }

    var type: String? { fields["type"] as? String }
    func text(_ key: String) -> String? { fields[key] as? String }
    func number(_ key: String) -> Double? { (fields[key] as? NSNumber)?.doubleValue }
    func integer(_ key: String) -> Int? { (fields[key] as? NSNumber)?.intValue }
    func flag(_ key: String) -> Bool? { (fields[key] as? NSNumber)?.boolValue }
    func object(_ key: String) -> LineMessage? { (fields[key] as? [String: Any]).map { LineMessage(fields: $0) } }

    private init(fields: [String: Any]) { self.fields = fields }
}

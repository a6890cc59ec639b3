import BenchSupport
import Glibc
import Synchronization

/// Results as lines of JSON: what is there already is not run again.
final class ResultFile: Sendable {
    private let path: String
    private let keys: Mutex<Set<String>>

    init(path: String) throws {
        self.path = path
        var found: Set<String> = []
        if let text = Self.read(path) {
            for line in text.split(separator: "\n") {
                // A line that was being written when the program was ended counts as not there.
                guard line.hasPrefix("{\"key\": \""), line.hasSuffix("}") else { continue }
                found.insert(String(line.dropFirst(9).prefix { $0 != "\"" }))
            }
            // Nothing may be appended to half a line.
            if let last = text.last, last != "\n" { try Self.append("\n", to: path) }
        }
        keys = Mutex(found)
    }

    func has(_ key: String) -> Bool { keys.withLock { $0.contains(key) } }

    func append(_ line: String, key: String) throws {
        try keys.withLock { keys in
            try Self.append(line + "\n", to: path)
            keys.insert(key)
        }
    }

    static func write(_ lines: [String], to path: String) throws {
        try put(lines.joined(separator: "\n") + "\n", to: path, mode: "w")
    }

    private static func append(_ text: String, to path: String) throws { try put(text, to: path, mode: "a") }

    private static func put(_ text: String, to path: String, mode: String) throws {
        guard let file = fopen(path, mode) else { throw LossError("\(path) cannot be written: \(reason)") }
        defer { fclose(file) }
        let bytes = Array(text.utf8)
        guard fwrite(bytes, 1, bytes.count, file) == bytes.count, fflush(file) == 0 else {
            throw LossError("\(path) cannot be written: \(reason)")
        }
    }

    private static func read(_ path: String) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = fread(&chunk, 1, chunk.count, file)
            if count == 0 { break }
            bytes.append(contentsOf: chunk[..<count])
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    static var reason: String { String(cString: strerror(errno)) }
}

/// A whole file mapped into memory, for the span of a call.
enum MappedFile {
    static func with<Result>(_ path: String, _ body: (UnsafeRawBufferPointer) throws -> Result) throws -> Result {
        let file = open(path, O_RDONLY)
        guard file >= 0 else { throw LossError("\(path) cannot be read: \(ResultFile.reason)") }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0, status.st_size > 0 else { throw LossError("\(path) is empty") }
        let length = Int(status.st_size)
        guard let memory = mmap(nil, length, PROT_READ, MAP_PRIVATE, file, 0), memory != MAP_FAILED else {
            throw LossError("\(path) cannot be mapped: \(ResultFile.reason)")
        }
        defer { munmap(memory, length) }
        return try body(UnsafeRawBufferPointer(start: memory, count: length))
    }
}

/// Something the benchmark needs did not come about.
struct LossError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

import Foundation
import PetrelWire
import Testing

/// The public corpora, and the little cryptography that checking them takes.
enum STUNVectors {
    static let folder: URL = {
        if let path = ProcessInfo.processInfo.environment["PETREL_VECTORS"] { return URL(fileURLWithPath: path) }
        var url = URL(fileURLWithPath: #filePath)
        for _ in 0..<4 { url.deleteLastPathComponent() }
        return url.appendingPathComponent("../shared/vectors")
    }()

    /// All files of a folder; empty, with a clear line, where the corpora are absent.
    static func files(_ name: String) -> [(name: String, bytes: [UInt8])] {
        let directory = folder.appendingPathComponent(name)
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: directory.path) else {
            print("skipped: no \(directory.path)")
            if ProcessInfo.processInfo.environment["CI"] == "true" { Issue.record("CI must have the vectors") }
            return []
        }
        return names.sorted().compactMap { name in
            (try? Data(contentsOf: directory.appendingPathComponent(name))).map { (name, Array($0)) }
        }
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

    static func parse(_ bytes: [UInt8]) throws -> STUNMessage {
        try bytes.withUnsafeBytes { try STUNMessage(parsing: $0.bytes) }
    }

    static func isAuthentic(_ bytes: [UInt8], key: [UInt8]) throws -> Bool {
        let message = try parse(bytes)
        return bytes.withUnsafeBytes { message.isAuthentic($0.bytes) { hmacSHA1($0, key: key) } }
    }

    /// RFC 2104 over FIPS 180-4, written for these tests.
    static func hmacSHA1(_ data: RawSpan, key: [UInt8]) -> [UInt8] {
        let key = key.count > 64 ? sha1(key) : key
        let block = key + [UInt8](repeating: 0, count: 64 - key.count)
        return sha1(block.map { $0 ^ 0x5C } + sha1(block.map { $0 ^ 0x36 } + data.withUnsafeBytes(Array.init)))
    }

    static func sha1(_ data: [UInt8]) -> [UInt8] {
        var state: [UInt32] = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0]
        var message = data + [0x80]
        while message.count % 64 != 56 { message.append(0) }
        let bits = UInt64(data.count) * 8
        for shift in stride(from: 56, through: 0, by: -8) {
            message.append(UInt8(truncatingIfNeeded: bits >> UInt64(shift)))
        }
        func rotate(_ value: UInt32, _ count: UInt32) -> UInt32 { value << count | value >> (32 - count) }
        for start in stride(from: 0, to: message.count, by: 64) {
            var words = (0..<16).map { word in
                (0..<4).reduce(UInt32(0)) { $0 << 8 | UInt32(message[start + word * 4 + $1]) }
            }
            for index in 16..<80 {
                words.append(rotate(words[index - 3] ^ words[index - 8] ^ words[index - 14] ^ words[index - 16], 1))
            }
            var (a, b, c, d, e) = (state[0], state[1], state[2], state[3], state[4])
            for index in 0..<80 {
                let (f, k): (UInt32, UInt32) =
                    switch index / 20 {
                    case 0: ((b & c) | (~b & d), 0x5A82_7999)
                    case 1: (b ^ c ^ d, 0x6ED9_EBA1)
                    case 2: ((b & c) | (b & d) | (c & d), 0x8F1B_BCDC)
                    default: (b ^ c ^ d, 0xCA62_C1D6)
                    }
                let next = rotate(a, 5) &+ f &+ e &+ k &+ words[index]
                (a, b, c, d, e) = (next, a, rotate(b, 30), c, d)
            }
            for (index, value) in [a, b, c, d, e].enumerated() { state[index] &+= value }
        }
        return state.flatMap { word in [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: word >> UInt32($0)) } }
    }
}

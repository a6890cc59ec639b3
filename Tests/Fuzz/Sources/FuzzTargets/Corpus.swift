import Foundation

/// The inputs that everyone begins with: the public corpora, as they are and as arguments of the targets' actions.
///
/// The corpora are not part of the project: they lie where PETREL_VECTORS says, or in ../shared/vectors beside the
/// package.
public enum Corpus {
    /// One file, or one entry of a list.
    public struct Entry: Sendable {
        public var name: String
        public var bytes: [UInt8]

        public init(name: String, bytes: [UInt8]) { (self.name, self.bytes) = (name, bytes) }
    }

    /// The folders whose every file is an input of some parser.
    static let folders = [
        "aiortc-packets", "hostile-generated", "libwebrtc-fuzz", "mediasoup-fuzz-crashes", "pion-fuzz", "sdp-real",
        "stun-rfc5769", "usrsctp-fuzz",
    ]

    /// The root of the package: this file lies in Tests/Fuzz/Sources/FuzzTargets.
    private static let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// Where the corpora lie; nil where they are not to be had.
    static var root: URL? {
        let named = ProcessInfo.processInfo.environment["PETREL_VECTORS"].map { URL(fileURLWithPath: $0) }
        let folder = named ?? package.appendingPathComponent("../shared/vectors").standardizedFileURL
        return FileManager.default.fileExists(atPath: folder.path) ? folder : nil
    }

    /// All entries of the corpora, in the order of their names; documentation and licences are left out.
    public static func entries() throws -> [Entry] {
        guard let root else { return [] }
        var entries: [Entry] = []
        for folder in folders {
            let base = root.appendingPathComponent(folder)
            for path in try files(below: base) {
                let name = path.split(separator: "/").last.map(String.init) ?? path
                if name.hasPrefix("README") || name.hasPrefix("LICENSE") { continue }
                let bytes = [UInt8](try Data(contentsOf: base.appendingPathComponent(path)))
                if name.hasSuffix(".jsonl") {
                    entries += try hostile(bytes)
                } else if name.hasSuffix(".hex") {
                    entries.append(Entry(name: folder + "/" + path, bytes: hex(String(decoding: bytes, as: UTF8.self))))
                } else {
                    entries.append(Entry(name: folder + "/" + path, bytes: bytes))
                }
            }
        }
        return entries
    }

    /// The crashes that were found and mended, of one target: Tests/Fuzz/FailCases/<target>/.
    public static func failCases(_ target: FuzzTarget) throws -> [Entry] {
        let folder = package.appendingPathComponent("Tests/Fuzz/FailCases/" + target.rawValue)
        guard FileManager.default.fileExists(atPath: folder.path) else { return [] }
        return try files(below: folder).map {
            Entry(name: $0, bytes: [UInt8](try Data(contentsOf: folder.appendingPathComponent($0))))
        }
    }

    /// Writes the seeds of every target, one file each; answers how many.
    public static func writeSeeds(to folder: String) throws -> Int {
        let entries = try entries()
        var count = 0
        for target in FuzzTarget.allCases {
            let place = URL(fileURLWithPath: folder).appendingPathComponent(target.rawValue)
            try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
            for (index, seed) in target.seeds(entries).enumerated() where seed.bytes.count <= target.maximumInput {
                try Data(seed.bytes).write(to: place.appendingPathComponent("seed-\(index)"))
                count += 1
            }
        }
        return count
    }

    private static func files(below folder: URL) throws -> [String] {
        var isFolder: ObjCBool = false
        return try FileManager.default.subpathsOfDirectory(atPath: folder.path).sorted().filter {
            let path = folder.appendingPathComponent($0).path
            return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && !isFolder.boolValue
        }
    }

    /// The entries of hostile.jsonl: each has an `id` and its bytes as `hex` or `text`.
    private static func hostile(_ bytes: [UInt8]) throws -> [Entry] {
        try bytes.split(separator: 10).compactMap { line in
            guard let object = try JSONSerialization.jsonObject(with: Data(line)) as? [String: Any] else { return nil }
            let name = "hostile/" + (object["id"] as? String ?? "?")
            if let text = object["text"] as? String { return Entry(name: name, bytes: Array(text.utf8)) }
            return (object["hex"] as? String).map { Entry(name: name, bytes: hex($0)) }
        }
    }

    private static func hex(_ text: String) -> [UInt8] {
        let digits = text.utf8.compactMap { Character(UnicodeScalar($0)).hexDigitValue }
        return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }
}

extension FuzzTarget {
    /// Whether the target reads a list of actions, so that a file is no input of it but an argument of an action.
    public var readsActions: Bool {
        switch self {
        case .wholePeer, .iceAgent, .portRoutes, .audioReceiver, .videoAssembler, .repairDecoder, .srtpOpen,
            .dtlsDatagram:
            true
        default: false
        }
    }

    /// The inputs made of corpus entries: each entry as it is, and for targets that read actions the entries as
    /// arguments of the actions that take bytes.
    public func seeds(_ entries: [Corpus.Entry]) -> [Corpus.Entry] {
        let datagrams = entries.filter { $0.bytes.count <= 1500 }
        switch self {
        case .sdpOfferToAnswer:
            return entries.flatMap { entry in
                (0..<4).map { Corpus.Entry(name: "\(entry.name) (\($0))", bytes: [$0] + entry.bytes) }
            }
        case .twcc:
            return entries
                + entries.filter { $0.bytes.count > 4 }.map {
                    Corpus.Entry(name: $0.name + " (body)", bytes: [0] + $0.bytes.dropFirst(4))
                }
        case .dtlsDatagram:
            return datagrams.flatMap { entry in
                [
                    Corpus.Entry(name: entry.name + " (whole)", bytes: [2] + entry.bytes),
                    written(entry.name + " (in a handshake)") { input in
                        input.bytes = [3, 0, 0, 0, 5 << 1]
                        input.chunk(entry.bytes)
                        input.bytes += [0, 5 << 1 | 1]
                        input.chunk(entry.bytes)
                    },
                ]
            }
        case .srtpOpen:
            return datagrams.flatMap { entry in
                [false, true].map { isRTCP in
                    written(entry.name + (isRTCP ? " (SRTCP)" : " (SRTP)")) { input in
                        for code: UInt8 in [0, 2, 18] {
                            input.byte(isRTCP ? code | 8 : code)
                            input.chunk(entry.bytes)
                        }
                    }
                }
            }
        case .iceAgent:
            return datagrams.map { entry in
                written(entry.name) { input in
                    input.bytes = [0, 0, 50, 3, 3, 11, 1]
                    input.chunk(entry.bytes)
                    input.byte(16)
                    input.chunk(entry.bytes)
                }
            }
        case .portRoutes:
            // Three agents, of which two claim; the entry is sent by one and comes from a claimed address.
            return datagrams.map { entry in
                written(entry.name) { input in
                    input.bytes = [0, 0, 0, 3, 2, 1, 1, 2, 0, 0x13, 2, 1, 0, 3, 1, 7]
                    input.chunk(entry.bytes)
                    input.byte(0x1F)
                    input.chunk(entry.bytes)
                    input.bytes += [10, 1, 10, 2, 10, 3, 2, 10, 1]
                }
            }
        case .audioReceiver:
            // Two packets in order, the entry as the next one, and as much time as they last.
            return grouped(datagrams, beginning: [0]) { input, entry in
                input.bytes += [5, 0, 5, 0, 10, 0, 3, 0xC0]
                input.chunk(entry.bytes)
                input.bytes += [0, 0, 0, 0, 0]
            }
        case .videoAssembler:
            // The entry as the payload of one packet of a frame.
            return grouped(datagrams, beginning: [0, 0, 1, 0, 0, 0, 1]) { input, entry in
                input.bytes += [0, 3]
                input.chunk(entry.bytes)
                input.bytes += [8 | 128, 8, 0, 0]
            }
        case .repairDecoder:
            // Frames with losses, repair, and the entry as a lie and as a report.
            return grouped(datagrams, beginning: [0xFF, 0xF0, 0, 0, 0, 1, 8, 0x0B, 0xB8, 5]) { input, entry in
                input.bytes += [2, 3, 0, 0x0F, 0xA0, 0x55, 2, 2, 2, 4, 7, 0x50, 6]
                input.chunk(entry.bytes)
                input.bytes += [5, 0, 1]
                input.chunk(entry.bytes)
            }
        case .wholePeer:
            return wholePeerSeeds(entries)
        default:
            return entries
        }
    }

    private func wholePeerSeeds(_ entries: [Corpus.Entry]) -> [Corpus.Entry] {
        var seeds = entries.filter { $0.bytes.starts(with: Array("v=0".utf8)) }.map { entry in
            written(entry.name + " (offer and answer)") { input in
                input.bytes = [0, 23]
                input.chunk(entry.bytes)
                input.bytes += [20, 22]
                input.chunk(entry.bytes)
            }
        }
        let datagrams = entries.filter { !$0.bytes.isEmpty && $0.bytes.count <= 1400 }
        for mode: UInt8 in 0..<3 {
            seeds += grouped(datagrams, beginning: [mode]) { input, entry in
                for code: UInt8 in mode == 0 ? [6] : [6, 12, 13] {
                    input.byte(code)
                    input.chunk(entry.bytes)
                }
                input.bytes += [0, 0x42, 2]
            }
        }
        return seeds
    }

    /// Up to eight entries in one input: to set up what takes them costs more than they do.
    private func grouped(
        _ entries: [Corpus.Entry], beginning: [UInt8], _ write: (inout InputWriter, Corpus.Entry) -> Void
    ) -> [Corpus.Entry] {
        var groups: [Corpus.Entry] = []
        var count = 8
        for entry in entries {
            var next = InputWriter()
            write(&next, entry)
            if count == 8 || (groups.last?.bytes.count ?? 0) + next.bytes.count > maximumInput {
                groups.append(Corpus.Entry(name: "\(entry.name) and following, \(beginning)", bytes: beginning))
                count = 0
            }
            groups[groups.count - 1].bytes += next.bytes
            count += 1
        }
        return groups
    }

    private func written(_ name: String, _ write: (inout InputWriter) -> Void) -> Corpus.Entry {
        var input = InputWriter()
        write(&input)
        return Corpus.Entry(name: name, bytes: input.bytes)
    }
}

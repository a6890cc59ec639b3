import Foundation

/// The UDP sockets of this process, as Linux tells them; on other systems there seem to be none.
enum UDPSockets {
    /// Their ports, in order.
    static func ports() throws -> [Int] {
        #if os(Linux)
            let folder = "/proc/self/fd"
            let own = Set(
                try FileManager.default.contentsOfDirectory(atPath: folder).compactMap { name -> Substring? in
                    // One that was closed since has no target.
                    let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\(name)")
                    return target?.wholeMatch(of: /socket:\[(\d+)\]/)?.1
                })
            return try ["/proc/self/net/udp", "/proc/self/net/udp6"].flatMap { path in
                try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").dropFirst().compactMap {
                    line in
                    let fields = line.split(separator: " ", omittingEmptySubsequences: true)
                    guard fields.count > 9, own.contains(fields[9]) else { return nil }
                    return fields[1].split(separator: ":").last.flatMap { Int($0, radix: 16) }
                }
            }.sorted()
        #else
            []
        #endif
    }
}

/// A STUN or TURN server that an endpoint recommends (RFC 9725 section 4.6).
public struct ICEServer: Hashable, Sendable {
    /// `stun:host:port` or `turn:host:port?transport=udp` (RFC 7064, RFC 7065).
    public var url: String
    /// What a TURN server asks for. Secrets: they do not belong in a log.
    public var username: String?
    public var credential: String?

    /// Creates one.
    public init(url: String, username: String? = nil, credential: String? = nil) {
        (self.url, self.username, self.credential) = (url, username, credential)
    }

    /// Host and port of a STUN server; nil for TURN and for what is no such address.
    var stun: (host: String, port: UInt16)? {
        guard url.lowercased().hasPrefix("stun:") else { return nil }
        var host = String(url.dropFirst(5).prefix { $0 != "?" })
        var port: UInt16 = 3478
        if host.hasPrefix("[") {
            guard let end = host.firstIndex(of: "]") else { return nil }
            let rest = host[host.index(after: end)...]
            if rest.hasPrefix(":") {
                guard let number = UInt16(rest.dropFirst()), number != 0 else { return nil }
                port = number
            } else if !rest.isEmpty {
                return nil
            }
            host = String(host[host.index(after: host.startIndex)..<end])
        } else if let colon = host.lastIndex(of: ":") {
            guard let number = UInt16(host[host.index(after: colon)...]), number != 0 else { return nil }
            port = number
            host = String(host[..<colon])
        }
        let isName = host.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x3A, 0x5F: true
            default: false
            }
        }
        guard !host.isEmpty, host.utf8.count <= 253, isName else { return nil }
        return (host, port)
    }
}

/// Link header fields (RFC 8288).
enum LinkHeader {
    /// Links read of one answer; more name nothing that a call could use.
    static let maximumLinks = 32
    /// Octets of the field that are read.
    static let maximumLength = 16 * 1024

    /// The servers that the links with `rel=ice-server` name. What is malformed ends the reading: what came before it
    /// counts.
    static func iceServers(_ field: String) -> [ICEServer] {
        var reader = Reader(Array(field.utf8.prefix(maximumLength)))
        var servers: [ICEServer] = []
        for _ in 0..<maximumLinks {
            guard let target = reader.target() else { break }
            var parameters: [String: String] = [:]
            while let (name, value) = reader.parameter() {
                // The first of a name counts (RFC 8288 section 3.3).
                if parameters[name] == nil { parameters[name] = value }
            }
            let relations = (parameters["rel"] ?? "").lowercased().split(separator: " ")
            if relations.contains("ice-server") {
                servers.append(
                    ICEServer(url: target, username: parameters["username"], credential: parameters["credential"]))
            }
            guard reader.takeComma() else { break }
        }
        return servers
    }

    private struct Reader {
        let bytes: [UInt8]
        var place = 0

        init(_ bytes: [UInt8]) { self.bytes = bytes }

        var next: UInt8? { place < bytes.count ? bytes[place] : nil }

        mutating func skipSpace() { while next == 0x20 || next == 0x09 { place += 1 } }

        mutating func take(_ byte: UInt8) -> Bool {
            skipSpace()
            guard next == byte else { return false }
            place += 1
            return true
        }

        mutating func takeComma() -> Bool { take(UInt8(ascii: ",")) }

        /// What stands between < and >.
        mutating func target() -> String? {
            guard take(UInt8(ascii: "<")), let end = bytes[place...].firstIndex(of: UInt8(ascii: ">")) else {
                return nil
            }
            defer { place = end + 1 }
            return String(decoding: bytes[place..<end], as: UTF8.self)
        }

        /// A name in lower case and its value, quoted or not.
        mutating func parameter() -> (String, String)? {
            guard take(UInt8(ascii: ";")) else { return nil }
            skipSpace()
            var name: [UInt8] = []
            while let byte = next, ![0x3B, 0x2C, 0x3D, 0x20, 0x09].contains(byte) {
                name.append(byte)
                place += 1
            }
            let key = String(decoding: name, as: UTF8.self).lowercased()
            guard take(UInt8(ascii: "=")) else { return (key, "") }
            skipSpace()
            var value: [UInt8] = []
            if next == UInt8(ascii: "\"") {
                place += 1
                while let byte = next, byte != UInt8(ascii: "\"") {
                    place += 1
                    if byte == UInt8(ascii: "\\"), let escaped = next {
                        value.append(escaped)
                        place += 1
                    } else {
                        value.append(byte)
                    }
                }
                // An open quote: the field was cut, and the value with it.
                guard take(UInt8(ascii: "\"")) else { return nil }
            } else {
                while let byte = next, ![0x3B, 0x2C, 0x20, 0x09].contains(byte) {
                    value.append(byte)
                    place += 1
                }
            }
            return (key, String(decoding: value, as: UTF8.self))
        }
    }
}

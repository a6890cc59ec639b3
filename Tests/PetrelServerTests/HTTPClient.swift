import Foundation
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// What a server answered.
struct Reply: Sendable {
    var status: Int
    /// By their names in small letters.
    var headers: [String: String]
    var body: String

    /// - Returns: nil where the bytes are no answer.
    init?(_ text: String) {
        guard let end = text.range(of: "\r\n\r\n") else { return nil }
        let lines = text[..<end.lowerBound].components(separatedBy: "\r\n")
        guard let first = lines.first, first.hasPrefix("HTTP/1.1 "),
            let status = Int(first.dropFirst(9).prefix(3))
        else { return nil }
        self.status = status
        headers = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let value = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
            let name = line[..<colon].lowercased()
            headers[name] = headers[name].map { $0 + ", " + value } ?? value
        }
        body = String(text[end.upperBound...])
    }

    var json: [String: Any] { (try? JSONSerialization.jsonObject(with: Data(body.utf8))) as? [String: Any] ?? [:] }
}

/// A connection that sends exactly what it is told: clients of all kinds, bad ones too. Blocking, so to be used on a
/// thread of its own.
final class RawConnection {
    struct Failure: Error, CustomStringConvertible { let description: String }

    private let descriptor: Int32

    /// - Parameter receiveBuffer: octets that the system keeps for this end; nil: as many as it likes.
    init(port: Int, receiveBuffer: Int32? = nil) throws {
        #if canImport(Glibc)
            descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        #else
            descriptor = socket(AF_INET, SOCK_STREAM, 0)
        #endif
        guard descriptor >= 0 else { throw Failure(description: "socket: \(String(cString: strerror(errno)))") }
        if var receiveBuffer {
            setsockopt(
                descriptor, SOL_SOCKET, SO_RCVBUF, &receiveBuffer, socklen_t(MemoryLayout.size(ofValue: receiveBuffer)))
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, size) }
        }
        guard status == 0 else {
            let reason = String(cString: strerror(errno))
            close(descriptor)
            throw Failure(description: "connect: \(reason)")
        }
    }

    deinit { close(descriptor) }

    /// - Returns: false once the other side takes no more.
    @discardableResult
    func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    @discardableResult
    func send(_ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                #if canImport(Glibc)
                    Glibc.send(descriptor, buffer.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
                #else
                    Darwin.send(descriptor, buffer.baseAddress! + sent, bytes.count - sent, 0)
                #endif
            }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }

    /// Sends `text` again and again, and looks meanwhile for an end.
    /// - Returns: what came, and whether the other side ended.
    func drip(_ text: String, every interval: Double, for seconds: Double) -> (text: String, hasEnded: Bool) {
        var answer = ""
        let end = Date().addingTimeInterval(seconds)
        while Date() < end {
            let isTaken = send(text)
            let (more, hasEnded) = readAll(seconds: interval)
            answer += more
            if hasEnded || !isTaken { return (answer, true) }
        }
        return (answer, false)
    }

    /// Everything until the other side ends the connection, or nothing has come for `seconds`.
    /// - Returns: the text, and whether the other side ended.
    func readAll(seconds: Double) -> (text: String, hasEnded: Bool) {
        var time = timeval(
            tv_sec: Int(seconds), tv_usec: __suseconds_t(seconds.truncatingRemainder(dividingBy: 1) * 1e6))
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count > 0 {
                bytes += buffer[..<count]
            } else {
                // A reset is an end as well.
                return (String(decoding: bytes, as: UTF8.self), count == 0 || errno == ECONNRESET)
            }
        }
    }
}

/// Runs blocking work away from the threads that tasks share.
func onThread<Result: Sendable>(_ work: @escaping @Sendable () throws -> Result) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread { continuation.resume(with: Swift.Result { try work() }) }
    }
}

/// One request after the other, each on a connection of its own.
struct HTTPClient: Sendable {
    let port: Int
    var token: String?

    func request(
        _ method: String, _ path: String, _ headers: [String: String] = [:], body: String? = nil
    ) async throws -> Reply {
        var text = "\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nConnection: close\r\n"
        for (name, value) in headers.sorted(by: { $0.key < $1.key }) { text += "\(name): \(value)\r\n" }
        if let token, headers["Authorization"] == nil { text += "Authorization: Bearer \(token)\r\n" }
        if let body { text += "Content-Length: \(body.utf8.count)\r\n" }
        text += "\r\n" + (body ?? "")
        let (request, port) = (text, port)
        return try await onThread {
            let connection = try RawConnection(port: port)
            connection.send(request)
            let answer = connection.readAll(seconds: 30).text
            guard let reply = Reply(answer) else {
                throw RawConnection.Failure(description: "no answer to \(method) \(path): \(answer.prefix(200))")
            }
            // C74: the server redirects nowhere, whatever is asked.
            #expect(!(300...399).contains(reply.status), "\(method) \(path) is redirected: \(reply.status)")
            return reply
        }
    }

    func get(_ path: String) async throws -> Reply { try await request("GET", path) }

    func post(_ path: String, sdp: String) async throws -> Reply {
        try await request("POST", path, ["Content-Type": "application/sdp"], body: sdp)
    }

    func patch(_ path: String, _ fragment: String, ifMatch: String?) async throws -> Reply {
        var headers = ["Content-Type": "application/trickle-ice-sdpfrag"]
        headers["If-Match"] = ifMatch
        return try await request("PATCH", path, headers, body: fragment)
    }

    func delete(_ path: String) async throws -> Reply { try await request("DELETE", path) }
}

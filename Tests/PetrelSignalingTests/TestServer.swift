import Foundation
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A server of HTTP by hand, for answers that no decent server gives: a thread for each connection, one request on it.
final class TestServer: Sendable {
    struct Request: Sendable {
        var method = ""
        var path = ""
        var headers: [String: String] = [:]
        var body = ""
    }

    /// What is done with the connection after a request.
    enum Reply: Sendable {
        case answer(Int, [String: String] = [:], String = "")
        /// Octets as they are, then the end.
        case raw(String)
        /// Writes as long as it is taken.
        case endless(head: String, String)
        /// One octet at a time, this many milliseconds apart.
        case slow(String, milliseconds: UInt32)
        /// Nothing at all until the client goes.
        case hang
        case close
    }

    let port: UInt16
    private let descriptor: Int32
    private let log = Mutex<[Request]>([])
    private let handler: @Sendable (Request) async -> Reply

    init(_ handler: @escaping @Sendable (Request) async -> Reply) throws {
        self.handler = handler
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.descriptor = descriptor
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, length) == 0 && listen(descriptor, 64) == 0
                    && getsockname(descriptor, address, &length) == 0
            }
        }
        guard bound else { throw POSIXError(.EADDRNOTAVAIL) }
        port = UInt16(bigEndian: address.sin_port)
        _ = signal(SIGPIPE, SIG_IGN)
        Thread.detachNewThread { [self] in
            while true {
                let connection = accept(descriptor, nil, nil)
                guard connection >= 0 else { return }
                Thread.detachNewThread { [self] in
                    serve(connection)
                    _ = Glibc.close(connection)
                }
            }
        }
    }

    var url: String { "http://127.0.0.1:\(port)" }
    var requests: [Request] { log.withLock { $0 } }
    func stop() {
        shutdown(descriptor, Int32(SHUT_RDWR))
        _ = Glibc.close(descriptor)
    }

    private func serve(_ connection: Int32) {
        guard let request = read(connection) else { return }
        log.withLock { $0.append(request) }
        let reply = Mutex<Reply>(.close)
        let done = DispatchSemaphore(value: 0)
        Task {
            let answer = await handler(request)
            reply.withLock { $0 = answer }
            done.signal()
        }
        done.wait()
        switch reply.withLock({ $0 }) {
        case .answer(let status, let headers, let body):
            var text = "HTTP/1.1 \(status) Status\r\n"
            for (name, value) in headers { text += "\(name): \(value)\r\n" }
            _ = write(connection, text + "Content-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n" + body)
        case .raw(let text): _ = write(connection, text)
        case .endless(let head, let piece):
            var text = head
            while write(connection, text) { text = piece }
        case .slow(let text, let milliseconds):
            for octet in text {
                guard write(connection, String(octet)) else { return }
                usleep(milliseconds * 1000)
            }
        case .hang:
            var octet: UInt8 = 0
            while recv(connection, &octet, 1, 0) > 0 {}
        case .close: break
        }
    }

    private func write(_ connection: Int32, _ text: String) -> Bool {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return false }
            bytes = bytes.dropFirst(count)
        }
        return true
    }

    private func read(_ connection: Int32) -> Request? {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = recv(connection, &buffer, buffer.count, 0)
            guard count > 0 else { return nil }
            bytes += buffer.prefix(count)
            let text = String(decoding: bytes, as: UTF8.self)
            guard let end = text.range(of: "\r\n\r\n") else { continue }
            let lines = text[..<end.lowerBound].components(separatedBy: "\r\n")
            let words = lines[0].split(separator: " ")
            guard words.count == 3 else { return nil }
            var request = Request(method: String(words[0]), path: String(words[1]))
            for line in lines.dropFirst() {
                let parts = line.split(separator: ":", maxSplits: 1)
                guard parts.count == 2 else { continue }
                request.headers[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces)
            }
            request.body = String(text[end.upperBound...])
            let wanted = request.headers["content-length"].flatMap { Int($0) } ?? 0
            if request.body.utf8.count >= wanted { return request }
        }
    }
}

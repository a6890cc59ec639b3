internal import Dispatch

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// The addresses behind the name of a host, as `192.0.2.1:3478` and `[2001:db8::1]:3478`.
enum HostLookup {
    /// Looks a name up on a thread of the system's: at most one address of each family. Empty where there is none.
    static func addresses(of host: String, port: UInt16) async -> [String] {
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(returning: resolve(host, port)) }
        }
    }

    private static func resolve(_ host: String, _ port: UInt16) -> [String] {
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, nil, nil, &list) == 0 else { return [] }
        defer { freeaddrinfo(list) }
        var found: [Int32: String] = [:]
        var next = list
        while let entry = next?.pointee {
            next = entry.ai_next
            guard [AF_INET, AF_INET6].contains(entry.ai_family), found[entry.ai_family] == nil else { continue }
            var name = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            let status = getnameinfo(
                entry.ai_addr, entry.ai_addrlen, &name, socklen_t(name.count), nil, 0, NI_NUMERICHOST)
            guard status == 0 else { continue }
            let text = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            found[entry.ai_family] = entry.ai_family == AF_INET ? "\(text):\(port)" : "[\(text)]:\(port)"
        }
        return [AF_INET, AF_INET6].compactMap { found[$0] }
    }
}

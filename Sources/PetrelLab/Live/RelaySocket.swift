internal import PetrelCore

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// A bound UDP socket that never blocks.
final class RelaySocket: @unchecked Sendable {
    // @unchecked: a file descriptor that never changes; the kernel orders its calls.
    /// What is asked of the kernel for its buffers, in bytes: a second of 32 Mbit/s. It may give less.
    static let bufferSize: Int32 = 4 << 20

    let descriptor: Int32
    /// The address the kernel bound it to.
    let address: TransportAddress

    init(binding wanted: TransportAddress) throws(LiveRelayError) {
        #if canImport(Darwin)
            let type = SOCK_DGRAM
        #else
            let type = Int32(SOCK_DGRAM.rawValue)
        #endif
        let descriptor = socket(wanted.family == .ipv4 ? AF_INET : AF_INET6, type, 0)
        guard descriptor >= 0 else { throw LiveRelayError(call: "socket", code: errno) }
        do throws(LiveRelayError) {
            address = try Self.prepare(descriptor, wanted)
        } catch {
            close(descriptor)
            throw error
        }
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    private static func prepare(
        _ descriptor: Int32, _ wanted: TransportAddress
    ) throws(LiveRelayError) -> TransportAddress {
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        var size = bufferSize
        // Smaller buffers are no error: the counters show what they lose.
        setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        var storage = sockaddr_storage()
        let length = fill(&storage, wanted)
        guard withSocketAddress(&storage, { bind(descriptor, $0, length) }) == 0 else {
            throw LiveRelayError(call: "bind", code: errno)
        }
        var actual = socklen_t(MemoryLayout<sockaddr_storage>.size)
        guard withSocketAddress(&storage, { getsockname(descriptor, $0, &actual) }) == 0,
            let address = read(storage)
        else { throw LiveRelayError(call: "getsockname", code: errno) }
        return address
    }

    /// Takes one datagram from the socket; nil where none waits. A datagram that fills the buffer to its end may
    /// have been cut.
    func receive(into buffer: UnsafeMutableRawBufferPointer) -> (count: Int, source: TransportAddress)? {
        var storage = sockaddr_storage()
        while true {
            var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
            let count = Self.withSocketAddress(&storage) {
                recvfrom(descriptor, buffer.baseAddress, buffer.count, 0, $0, &length)
            }
            if count >= 0, let source = Self.read(storage) { return (count, source) }
            if count < 0, errno == EINTR { continue }
            return nil
        }
    }

    /// - Returns: whether the kernel took the datagram.
    func send(_ bytes: UnsafeRawBufferPointer, to destination: TransportAddress) -> Bool {
        var storage = sockaddr_storage()
        let length = Self.fill(&storage, destination)
        while true {
            let count = Self.withSocketAddress(&storage) {
                sendto(descriptor, bytes.baseAddress, bytes.count, 0, $0, length)
            }
            if count >= 0 { return true }
            if errno != EINTR { return false }
        }
    }

    // MARK: - Socket addresses

    private static func withSocketAddress<Result>(
        _ storage: inout sockaddr_storage, _ body: (UnsafeMutablePointer<sockaddr>) -> Result
    ) -> Result {
        withUnsafeMutablePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1, body)
        }
    }

    private static func fill(_ storage: inout sockaddr_storage, _ address: TransportAddress) -> socklen_t {
        withUnsafeMutableBytes(of: &storage) { bytes in
            switch address.family {
            case .ipv4:
                var four = sockaddr_in()
                four.sin_family = sa_family_t(AF_INET)
                four.sin_port = address.port.bigEndian
                four.sin_addr.s_addr = UInt32(truncatingIfNeeded: address.low).bigEndian
                #if canImport(Darwin)
                    four.sin_len = UInt8(MemoryLayout<sockaddr_in>.size)
                #endif
                withUnsafeBytes(of: &four) { bytes.copyMemory(from: $0) }
                return socklen_t(MemoryLayout<sockaddr_in>.size)
            case .ipv6:
                var six = sockaddr_in6()
                six.sin6_family = sa_family_t(AF_INET6)
                six.sin6_port = address.port.bigEndian
                six.sin6_scope_id = address.scope
                withUnsafeMutableBytes(of: &six.sin6_addr) {
                    $0.storeBytes(of: address.high.bigEndian, as: UInt64.self)
                    $0.storeBytes(of: address.low.bigEndian, toByteOffset: 8, as: UInt64.self)
                }
                #if canImport(Darwin)
                    six.sin6_len = UInt8(MemoryLayout<sockaddr_in6>.size)
                #endif
                withUnsafeBytes(of: &six) { bytes.copyMemory(from: $0) }
                return socklen_t(MemoryLayout<sockaddr_in6>.size)
            }
        }
    }

    private static func read(_ storage: sockaddr_storage) -> TransportAddress? {
        withUnsafeBytes(of: storage) { bytes in
            switch Int32(storage.ss_family) {
            case AF_INET:
                let four = bytes.loadUnaligned(as: sockaddr_in.self)
                return TransportAddress(
                    ipv4: UInt32(bigEndian: four.sin_addr.s_addr), port: UInt16(bigEndian: four.sin_port))
            case AF_INET6:
                let six = bytes.loadUnaligned(as: sockaddr_in6.self)
                return withUnsafeBytes(of: six.sin6_addr) {
                    TransportAddress(
                        ipv6High: UInt64(bigEndian: $0.loadUnaligned(as: UInt64.self)),
                        low: UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self)),
                        scope: six.sin6_scope_id, port: UInt16(bigEndian: six.sin6_port))
                }
            default: return nil
            }
        }
    }
}

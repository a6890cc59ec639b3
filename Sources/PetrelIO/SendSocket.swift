internal import PetrelCore

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// A UDP socket could not be had.
public struct SocketError: Error, CustomStringConvertible, Sendable {
    public let description: String
    /// The system's number for the reason, if it had one.
    public let code: Int32?

    /// The range that was asked for, where every port in it is taken.
    public let takenPorts: ClosedRange<UInt16>?

    /// Whether somebody else has the port.
    public var isPortTaken: Bool { code == EADDRINUSE }
    /// Whether the address is none of this machine's, or not ready to be used.
    public var isAddressMissing: Bool { code == EADDRNOTAVAIL }

    init(_ what: String, code: Int32? = nil) {
        self.code = code
        takenPorts = nil
        description = code.map { "\(what): \(String(cString: strerror($0)))" } ?? what
    }

    init(takenPorts ports: ClosedRange<UInt16>, at address: TransportAddress) {
        code = EADDRINUSE
        takenPorts = ports
        description = "every UDP port of \(ports.lowerBound)-\(ports.upperBound) is taken at \(address.host)"
    }
}

/// The sending half of a UDP socket, with a descriptor of its own.
///
/// SwiftNIO reads, but does not write: its channel closes the socket for most errors of a single datagram (network
/// unreachable, not permitted, invalid for this interface), so that one candidate of the other side that cannot be
/// reached would end the call. Here a datagram that the kernel refuses is a lost datagram, and counted.
final class SendSocket: Sendable {
    private let descriptor: Int32

    /// Opens and binds a socket.
    /// - Returns: its descriptor, which the caller owns, and the sending half.
    static func open(_ address: TransportAddress) throws(SocketError) -> (reading: Int32, sending: SendSocket) {
        let what = "a UDP socket cannot be opened at \(address)"
        #if canImport(Darwin)
            let type = SOCK_DGRAM
        #else
            let type = Int32(bitPattern: SOCK_DGRAM.rawValue)
        #endif
        let reading = socket(address.family == .ipv6 ? AF_INET6 : AF_INET, type, 0)
        guard reading >= 0 else { throw SocketError(what, code: errno) }
        var on: Int32 = 1
        if address.family == .ipv6 {
            setsockopt(reading, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &on, socklen_t(MemoryLayout<Int32>.size))
        }
        guard fcntl(reading, F_SETFL, fcntl(reading, F_GETFL, 0) | O_NONBLOCK) == 0,
            fcntl(reading, F_SETFD, FD_CLOEXEC) == 0, address.withSocketAddress({ bind(reading, $0, $1) }) == 0
        else {
            let code = errno
            Platform.close(reading)
            throw SocketError(what, code: code)
        }
        let sending = fcntl(reading, F_DUPFD_CLOEXEC, 0)
        guard sending >= 0 else {
            let code = errno
            Platform.close(reading)
            throw SocketError(what, code: code)
        }
        return (reading, SendSocket(descriptor: sending))
    }

    private init(descriptor: Int32) { self.descriptor = descriptor }

    deinit { Platform.close(descriptor) }

    /// Sends one datagram. It never waits.
    /// - Returns: nil where the kernel took it, else its reason (errno).
    func send(_ bytes: UnsafeRawBufferPointer, to remote: TransportAddress) -> Int32? {
        let sent = remote.withSocketAddress { address, length in
            while true {
                let sent = sendto(descriptor, bytes.baseAddress, bytes.count, 0, address, length)
                if sent >= 0 || errno != EINTR { return sent }
            }
        }
        return sent < 0 ? errno : nil
    }
}

extension TransportAddress {
    /// Calls `body` with the address in the form of the C library.
    func withSocketAddress<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        switch family {
        case .ipv4:
            var four = sockaddr_in()
            four.sin_family = sa_family_t(AF_INET)
            four.sin_port = port.bigEndian
            four.sin_addr = in_addr(s_addr: UInt32(truncatingIfNeeded: low).bigEndian)
            return withUnsafePointer(to: &four) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        case .ipv6:
            var six = sockaddr_in6()
            six.sin6_family = sa_family_t(AF_INET6)
            six.sin6_port = port.bigEndian
            six.sin6_scope_id = scope
            withUnsafeMutableBytes(of: &six.sin6_addr) {
                $0.storeBytes(of: high.bigEndian, as: UInt64.self)
                $0.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
            }
            return withUnsafePointer(to: &six) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    body($0, socklen_t(MemoryLayout<sockaddr_in6>.size))
                }
            }
        }
    }
}

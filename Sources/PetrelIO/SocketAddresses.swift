internal import NIOCore
internal import PetrelCore

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#elseif canImport(Darwin)
    internal import Darwin
#endif

extension TransportAddress {
    /// The same address as NIO's; nil for a Unix-domain address.
    init?(_ address: SocketAddress) {
        switch address {
        case .v4(let four):
            self.init(
                ipv4: UInt32(bigEndian: four.address.sin_addr.s_addr), port: UInt16(bigEndian: four.address.sin_port))
        case .v6(let six):
            var octets = six.address.sin6_addr
            let (high, low) = withUnsafeBytes(of: &octets) {
                (
                    UInt64(bigEndian: $0.loadUnaligned(as: UInt64.self)),
                    UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
                )
            }
            self.init(
                ipv6High: high, low: low, scope: six.address.sin6_scope_id,
                port: UInt16(bigEndian: six.address.sin6_port))
        case .unixDomainSocket:
            return nil
        }
    }

    /// The same address for NIO.
    var socketAddress: SocketAddress {
        switch family {
        case .ipv4:
            var four = sockaddr_in()
            four.sin_family = sa_family_t(AF_INET)
            four.sin_port = port.bigEndian
            four.sin_addr = in_addr(s_addr: UInt32(truncatingIfNeeded: low).bigEndian)
            return SocketAddress(four)
        case .ipv6:
            var six = sockaddr_in6()
            six.sin6_family = sa_family_t(AF_INET6)
            six.sin6_port = port.bigEndian
            six.sin6_scope_id = scope
            withUnsafeMutableBytes(of: &six.sin6_addr) {
                $0.storeBytes(of: high.bigEndian, as: UInt64.self)
                $0.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
            }
            return SocketAddress(six)
        }
    }
}

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
}

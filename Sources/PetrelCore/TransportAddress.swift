#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// An IP address and a UDP port, without heap storage.
public struct TransportAddress: Hashable, Sendable {
    /// The version of IP.
    public enum Family: UInt8, Hashable, Sendable { case ipv4 = 4, ipv6 = 6 }

    /// The version of IP of this address.
    public let family: Family
    /// The upper eight octets of an IPv6 address, in the order of the text; zero for IPv4.
    public let high: UInt64
    /// The lower eight octets of an IPv6 address; the address itself for IPv4.
    public let low: UInt64
    /// The scope (interface) of a link-local IPv6 address; zero where there is none.
    public let scope: UInt32
    /// The UDP port.
    public var port: UInt16

    /// An IPv4 address from its 32 bits, most significant octet first in the text.
    public init(ipv4: UInt32, port: UInt16) {
        (family, high, low, scope, self.port) = (.ipv4, 0, UInt64(ipv4), 0, port)
    }

    /// An IPv6 address from its two halves. An IPv4-mapped address (::ffff:a.b.c.d) stays IPv6: see ``unmapped``.
    public init(ipv6High: UInt64, low: UInt64, scope: UInt32 = 0, port: UInt16) {
        (family, high, self.low, self.scope, self.port) = (.ipv6, ipv6High, low, scope, port)
    }

    /// An address from its text: `192.0.2.1` or `2001:db8::1`, without brackets and zone. Nil for anything else,
    /// host names included.
    public init?(_ text: String, port: UInt16) {
        var four = in_addr()
        if inet_pton(AF_INET, text, &four) == 1 {
            self.init(ipv4: UInt32(bigEndian: four.s_addr), port: port)
            return
        }
        var six = in6_addr()
        guard inet_pton(AF_INET6, text, &six) == 1 else { return nil }
        let (high, low) = withUnsafeBytes(of: &six) {
            (
                UInt64(bigEndian: $0.loadUnaligned(as: UInt64.self)),
                UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            )
        }
        self.init(ipv6High: high, low: low, port: port)
    }

    /// The address as text, without port, brackets and scope.
    public var host: String {
        var buffer = [CChar](repeating: 0, count: 64)
        switch family {
        case .ipv4:
            var four = in_addr(s_addr: UInt32(truncatingIfNeeded: low).bigEndian)
            inet_ntop(AF_INET, &four, &buffer, socklen_t(buffer.count))
        case .ipv6:
            var six = in6_addr()
            withUnsafeMutableBytes(of: &six) {
                $0.storeBytes(of: high.bigEndian, as: UInt64.self)
                $0.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
            }
            inet_ntop(AF_INET6, &six, &buffer, socklen_t(buffer.count))
        }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The IPv4 address inside an IPv4-mapped IPv6 address, and every other address as it is.
    public var unmapped: TransportAddress {
        guard family == .ipv6, high == 0, low >> 32 == 0xFFFF else { return self }
        return TransportAddress(ipv4: UInt32(truncatingIfNeeded: low), port: port)
    }
}

extension TransportAddress: CustomStringConvertible {
    public var description: String { family == .ipv4 ? "\(host):\(port)" : "[\(host)]:\(port)" }
}

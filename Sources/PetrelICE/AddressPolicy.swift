public import PetrelCore

/// To which addresses a candidate may make us send.
///
/// Candidates come from whoever sits at the other end of signalling; without a policy they could aim our packets at
/// services that only we can reach. An IPv4 address inside an IPv6 address (mapped, 6to4, NAT64) is judged as the
/// IPv4 address.
public enum AddressPolicy: Hashable, Sendable, CaseIterable {
    /// Somebody's computer: every unicast address; loopback only from loopback.
    case client
    /// A machine on the Internet: no loopback, no link-local (the metadata services of clouds are there).
    case server
    /// Tests on one machine: as the client, and loopback from everywhere.
    case lab

    /// Whether the agent may send from `local` to `remote`.
    public func permits(_ remote: TransportAddress, from local: TransportAddress) -> Bool {
        let remoteRange = AddressRange(remote)
        let localIsLoopback = AddressRange(local) == .loopback
        guard remote.port != 0, remote.family == local.family else { return false }
        switch remoteRange {
        case .unspecified, .multicast, .broadcastOrReserved:
            return false
        case .metadata:
            return self == .lab
        case .linkLocal:
            return self != .server && !localIsLoopback
        case .loopback:
            switch self {
            case .client: return localIsLoopback
            case .server: return false
            case .lab: return true
            }
        case .other:
            // What lies elsewhere cannot be reached from loopback.
            return !localIsLoopback
        }
    }

    /// Whether a host candidate may have this address (RFC 8445 section 5.1.1.1).
    public func permitsLocal(_ base: TransportAddress) -> Bool {
        switch AddressRange(base) {
        case .unspecified, .multicast, .broadcastOrReserved, .metadata: false
        case .loopback: self != .server
        case .linkLocal: self != .server
        case .other: true
        }
    }
}

/// The special range that an address lies in (RFC 6890).
enum AddressRange: Hashable {
    case unspecified, loopback, linkLocal, metadata, multicast, broadcastOrReserved, other

    init(_ address: TransportAddress) {
        let address = address.unmapped
        switch address.family {
        case .ipv4: self.init(ipv4: UInt32(truncatingIfNeeded: address.low))
        case .ipv6: self.init(ipv6High: address.high, low: address.low)
        }
    }

    private init(ipv4 bits: UInt32) {
        switch bits >> 24 {
        case 0: self = .unspecified
        case 127: self = .loopback
        case 169 where bits == 0xA9FE_A9FE: self = .metadata
        case 169 where (bits >> 16) & 0xFF == 254: self = .linkLocal
        case 224...239: self = .multicast
        case 240...255: self = .broadcastOrReserved
        default: self = .other
        }
    }

    private init(ipv6High high: UInt64, low: UInt64) {
        if high == 0, low == 0 {
            self = .unspecified
        } else if high == 0, low == 1 {
            self = .loopback
        } else if high == 0, low >> 32 == 0 {
            // ::a.b.c.d, long deprecated (RFC 4291 section 2.5.5.1).
            self = .broadcastOrReserved
        } else if high == 0xFD00_0EC2_0000_0000, low == 0x254 {
            // fd00:ec2::254, the metadata service of a large cloud over IPv6.
            self = .metadata
        } else if high >> 54 == 0xFE80 >> 6 {
            self = .linkLocal
        } else if high >> 56 == 0xFF {
            self = .multicast
        } else if high == 0x0064_FF9B_0000_0000, low >> 32 == 0 {
            // 64:ff9b::a.b.c.d, NAT64 (RFC 6052).
            self.init(ipv4: UInt32(truncatingIfNeeded: low))
        } else if high >> 48 == 0x2002 {
            // 2002:aabb:ccdd::, 6to4 (RFC 3056).
            self.init(ipv4: UInt32(truncatingIfNeeded: high >> 16))
        } else {
            self = .other
        }
    }
}

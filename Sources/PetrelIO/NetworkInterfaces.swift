internal import NIOCore
internal import NIOPosix
public import PetrelCore

/// The addresses of this machine.
public enum NetworkInterfaces {
    /// Every address of every interface that is up, with port 0. Loopback addresses come last.
    public static func addresses() throws -> [TransportAddress] {
        let all = try System.enumerateDevices().compactMap { $0.address.flatMap { TransportAddress($0) } }
        var seen = Set<TransportAddress>()
        let distinct = all.filter { seen.insert($0).inserted }
        return distinct.filter { !isLoopback($0) } + distinct.filter { isLoopback($0) }
    }

    /// Whether an address means this machine alone (127.0.0.0/8, ::1).
    public static func isLoopback(_ address: TransportAddress) -> Bool {
        switch address.family {
        case .ipv4: address.low >> 24 == 127
        case .ipv6: address.high == 0 && address.low == 1
        }
    }
}

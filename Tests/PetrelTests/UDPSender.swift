internal import PetrelCore
internal import PetrelIO

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// A plain UDP socket that sends what no driver would.
struct UDPSender: ~Copyable {
    private let descriptor: Int32

    init() throws {
        #if canImport(Darwin)
            descriptor = socket(AF_INET, SOCK_DGRAM, 0)
        #else
            descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        #endif
        guard descriptor >= 0 else { throw NotInTime(description: "no socket") }
    }

    deinit { close(descriptor) }

    func send(_ bytes: [UInt8], to address: TransportAddress) {
        var four = sockaddr_in()
        four.sin_family = sa_family_t(AF_INET)
        four.sin_port = address.port.bigEndian
        four.sin_addr = in_addr(s_addr: UInt32(truncatingIfNeeded: address.low).bigEndian)
        _ = withUnsafePointer(to: &four) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(descriptor, bytes, bytes.count, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}

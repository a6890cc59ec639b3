internal import PetrelCore
internal import PetrelIO

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// Writes datagrams into a pcapng file (draft-ietf-opsawg-pcapng): raw IP packets with invented IP and UDP headers, so
/// that Wireshark shows who sent what to whom. Confined to the driver's thread.
final class PacketCapture: @unchecked Sendable {
    // @unchecked: only the driver's thread touches it.
    /// LINKTYPE_RAW: packets begin with the IP header.
    static let linkType: UInt16 = 101

    private var file: UnsafeMutablePointer<FILE>?
    private let path: String
    /// Why nothing more is written, in words; nil while all is well.
    private(set) var failure: String?
    private let wallClock: WallClock

    init(_ options: PacketCaptureOptions, wallClock: WallClock) throws(CallError) {
        self.wallClock = wallClock
        path = options.path
        // "e": not handed down to child processes.
        guard let opened = fopen(options.path, "wbe") else {
            throw .file("the packet capture \(options.path) cannot be written: \(String(cString: strerror(errno)))")
        }
        file = opened
        put(block: 0x0A0D_0D0A, body: le32(0x1A2B_3C4D) + le16(1) + le16(0) + [UInt8](repeating: 0xFF, count: 8))
        // if_tsresol 9: time in nanoseconds.
        put(block: 1, body: le16(Self.linkType) + le16(0) + le32(0) + le16(9) + le16(1) + [9, 0, 0, 0] + le32(0))
    }

    deinit { close() }

    func write(
        _ bytes: UnsafeRawBufferPointer, from source: TransportAddress, to destination: TransportAddress,
        at time: Instant
    ) {
        guard file != nil else { return }
        var packet = header(payload: bytes.count, source: source, destination: destination)
        packet.append(contentsOf: bytes)
        let nanoseconds = UInt64(bitPattern: wallClock.unixNanoseconds(at: time))
        var body = le32(0) + le32(UInt32(truncatingIfNeeded: nanoseconds >> 32))
        body += le32(UInt32(truncatingIfNeeded: nanoseconds)) + le32(UInt32(packet.count)) + le32(UInt32(packet.count))
        body += packet
        put(block: 6, body: body)
    }

    /// Ends the file.
    func close() {
        guard let file else { return }
        self.file = nil
        if fclose(file) != 0 { fail() }
    }

    /// Ends the file and takes it away: nothing was captured.
    func discard() {
        close()
        unlink(path)
    }

    private func fail() {
        if failure == nil { failure = "\(path) cannot be written: \(String(cString: strerror(errno)))" }
    }

    /// IPv4 or IPv6, and UDP without a checksum.
    private func header(payload: Int, source: TransportAddress, destination: TransportAddress) -> [UInt8] {
        let udpLength = UInt16(truncatingIfNeeded: payload + 8)
        let udp = be16(source.port) + be16(destination.port) + be16(udpLength) + be16(0)
        if source.family == .ipv6 || destination.family == .ipv6 {
            return [0x60, 0, 0, 0] + be16(udpLength) + [17, 64] + octets(source) + octets(destination) + udp
        }
        var ip: [UInt8] = [0x45, 0] + be16(udpLength &+ 20) + [0, 0, 0x40, 0, 64, 17, 0, 0]
        ip += octets(source) + octets(destination)
        var sum: UInt32 = 0
        for index in stride(from: 0, to: 20, by: 2) { sum += UInt32(ip[index]) << 8 | UInt32(ip[index + 1]) }
        while sum >> 16 != 0 { sum = (sum & 0xFFFF) + (sum >> 16) }
        let checksum = be16(~UInt16(truncatingIfNeeded: sum))
        (ip[10], ip[11]) = (checksum[0], checksum[1])
        return ip + udp
    }

    private func octets(_ address: TransportAddress) -> [UInt8] {
        let low = withUnsafeBytes(of: address.low.bigEndian) { Array($0) }
        guard address.family == .ipv6 else { return Array(low[4...]) }
        return withUnsafeBytes(of: address.high.bigEndian) { Array($0) } + low
    }

    private func put(block type: UInt32, body: [UInt8]) {
        guard let file else { return }
        let padding = [UInt8](repeating: 0, count: (4 - body.count % 4) % 4)
        let length = le32(UInt32(12 + body.count + padding.count))
        let bytes = le32(type) + length + body + padding + length
        // A file with half a block in it is one that nothing reads to the end: nothing follows.
        guard fwrite(bytes, 1, bytes.count, file) == bytes.count else {
            fail()
            fclose(file)
            self.file = nil
            return
        }
    }

    private func le16(_ value: UInt16) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }
    private func le32(_ value: UInt32) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }
    private func be16(_ value: UInt16) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { Array($0) } }
}

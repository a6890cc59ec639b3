import BenchSupport
import PetrelCore
import PetrelICE
import PetrelWire

/// What it costs to find the call of a datagram on a port that many calls share.
struct RoutingBenchmark {
    /// Calls on the port, each with one address of the other side.
    static let calls = 1000

    private let local = TransportAddress(ipv4: 0xC000_0201, port: 3478)
    private var routes = PortRoutes()
    private let remotes: [TransportAddress]
    private let checks: [[UInt8]]
    private let media: [UInt8]

    init() throws {
        var random = RandomSource(seed: 1)
        var remotes: [TransportAddress] = []
        var checks: [[UInt8]] = []
        for call in 0..<Self.calls {
            guard let (member, prefix) = routes.admit(random: &random) else { throw BenchmarkError("the port is full") }
            let remote = TransportAddress(
                ipv4: UInt32(truncatingIfNeeded: random.next()), port: UInt16(truncatingIfNeeded: random.next()) | 1)
            remotes.append(remote)
            routes.set(
                [ICEClaim(path: ICEPath(local: local, remote: remote), isProven: true, heard: .zero)], of: member,
                now: .zero)
            checks.append(Self.check(user: prefix + "abcdef:abcdefgh", number: UInt64(call)))
        }
        self.remotes = remotes
        self.checks = checks
        media = [0x80, 96] + [UInt8](repeating: 0, count: 1100)
    }

    /// A check as agents send it, but for its integrity, which the table does not look at.
    private static func check(user: String, number: UInt64) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 200)
        let length = bytes.withUnsafeMutableBytes { buffer in
            var writer = STUNWriter(into: buffer, .request, transaction: STUNTransactionID(high: 1, low: number))
            writer.append(STUNAttributeType.username, Array(user.utf8))
            writer.append(STUNAttributeType.priority, UInt32(1))
            writer.append(STUNAttributeType.iceControlling, UInt64(1))
            writer.appendIntegrity { _ in [UInt8](repeating: 0, count: 20) }
            writer.appendFingerprint()
            return writer.finish() ?? 0
        }
        return Array(bytes[..<length])
    }

    /// The three kinds of datagrams, each from one call after the other.
    func rows(counter: AllocationCounter?, plants: Bool, timed: Bool) -> [Row] {
        let stranger = TransportAddress(ipv4: 0x0102_0304, port: 9)
        return [
            row("shared port: media to one of \(Self.calls)", counter, plants, timed) { index in
                finds(media, from: remotes[index % Self.calls])
            },
            row("shared port: check to one of \(Self.calls)", counter, plants, timed) { index in
                finds(checks[index % Self.calls], from: stranger)
            },
            row("shared port: media of a stranger", counter, plants, timed) { _ in
                !finds(media, from: stranger)
            },
        ]
    }

    private func finds(_ bytes: [UInt8], from remote: TransportAddress) -> Bool {
        do throws(DropReason) {
            consume(try routes.member(for: bytes.span.bytes, from: remote, to: local).index)
            return true
        } catch { return false }
    }

    private func row(
        _ name: String, _ counter: AllocationCounter?, _ plants: Bool, _ timed: Bool, _ works: (Int) -> Bool
    ) -> Row {
        func pass() -> Int? {
            var failures = 0
            for index in 0..<PacketBenchmark.packets where !works(index) { failures += 1 }
            return failures == 0 ? PacketBenchmark.packets : nil
        }
        _ = pass()
        var row = Row(name: name)
        var meter = Meter()
        for _ in 0..<(timed ? PacketBenchmark.runs : 0) {
            var tally = Tally()
            meter.measure(&tally, pass)
            row.times.append(tally.nanosecondsPerPacket)
        }
        if let counter {
            meter.counter = counter
            meter.plants = plants
            meter.measure(&row.counted, pass)
        }
        return row
    }
}

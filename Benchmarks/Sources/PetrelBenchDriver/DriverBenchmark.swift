import BenchSupport
import PetrelCore
import PetrelIO

/// What the kernel, SwiftNIO and ``UDPDriver`` take for a datagram on loopback: one driver sends bursts of a frame's
/// size, another takes them in and does nothing with them, each on its own thread.
@main
enum DriverBenchmark {
    /// A frame of 720p video.
    static let burst = 6
    static let bytes = 1200

    static let runs = 7
    static let packets = 10_200

    static func main() async {
        let counter = AllocationCounter()
        var send = Row(name: "driver: batch to kernel (NIO)")
        var receive = Row(name: "driver: kernel to engine (NIO)")
        var both = Row(name: "driver: both, allocations of NIO's")
        do {
            for _ in 0..<runs {
                let transfer = try await Transfer(packets: packets, counter: nil)
                try await transfer.run()
                send.times.append(Double(transfer.sendTime) / Double(packets))
                receive.times.append(Double(transfer.receiveTime) / Double(packets))
            }
            if let counter {
                let transfer = try await Transfer(packets: packets, counter: counter)
                try await transfer.run()
                both.counted = transfer.counted
            }
        } catch {
            Progress.fail("\(error)")
        }
        Row.report(
            counter == nil ? [send, receive] : [send, receive, both],
            conditions: "Times: CPU of the driver's thread, median of \(runs) runs of \(packets) datagrams of "
                + "\(bytes) bytes in bursts of \(burst).",
            isCounted: counter != nil)
    }
}

/// Loopback lost a datagram, or stood still.
struct LostOnLoopback: Error, CustomStringConvertible {
    let description = "datagrams were lost on loopback"
}

/// One run of ``DriverBenchmark``.
private final class Transfer: DatagramEngine, @unchecked Sendable {
    // @unchecked: what the sending thread touches and what the receiving one does are apart; run() reads both after
    // the end, which it is told of.
    private let sending = UDPDriver()
    private let receiving = UDPDriver()
    private let packets: Int
    private let warmUp = 2000
    private let counter: AllocationCounter?
    private let finished: AsyncStream<Void>
    private let finish: AsyncStream<Void>.Continuation
    private var from: TransportAddress?
    private var to: TransportAddress?
    // The receiving thread's
    private var received = 0
    private var receiveStart: Int64 = 0
    private(set) var receiveTime: Int64 = 0
    // The sending thread's
    private var batch = EgressBatch()
    private var sent = 0
    private var sendStart: Int64 = 0
    private(set) var sendTime: Int64 = 0
    private(set) var counted = Tally()
    private let payload = FrameBuffer([UInt8](repeating: 0x80, count: DriverBenchmark.bytes))

    init(packets: Int, counter: AllocationCounter?) async throws {
        self.packets = packets / DriverBenchmark.burst * DriverBenchmark.burst
        self.counter = counter
        (finished, finish) = AsyncStream.makeStream()
        let loopback = TransportAddress(ipv4: 0x7F00_0001, port: 0)
        receiving.drive(self)
        from = try await sending.open(loopback)
        to = try await receiving.open(loopback)
    }

    func run() async throws {
        sending.run { self.sendBurst() }
        let finish = finish
        // Loopback loses nothing of six datagrams; if it does, the benchmark shall not wait for ever.
        let patience = Task {
            try await Task.sleep(for: .seconds(60))
            finish.finish()
        }
        for await _ in finished { break }
        patience.cancel()
        await sending.close()
        await receiving.close()
        guard sendTime > 0, receiveTime > 0 else { throw LostOnLoopback() }
    }

    private func sendBurst() {
        if sent == warmUp / DriverBenchmark.burst * DriverBenchmark.burst {
            counter?.start()
            sendStart = CPUTime.thread
        }
        guard sendTime == 0, let from, let to else { return }
        if sendStart != 0, sent >= warmUp / DriverBenchmark.burst * DriverBenchmark.burst + packets {
            sendTime = max(1, CPUTime.thread - sendStart)
            if let counter {
                counter.stop()
                counted = Tally(packets: packets, own: counter.own, libraries: counter.libraries)
            }
            finish.yield()
            return
        }
        for _ in 0..<DriverBenchmark.burst {
            batch.append(to: to, from: from) { slot in
                slot.copyMemory(from: payload.bytes)
                return payload.count
            }
        }
        sent += DriverBenchmark.burst
        sending.send(&batch)
    }

    func receive(
        _ bytes: UnsafeMutableRawBufferPointer, from remote: TransportAddress, to local: TransportAddress, now: Instant
    ) {
        received += 1
        let first = warmUp / DriverBenchmark.burst * DriverBenchmark.burst
        if received == first { receiveStart = CPUTime.thread }
        if received == first + packets { receiveTime = max(1, CPUTime.thread - receiveStart) }
        // The next burst leaves when this one is here.
        if received.isMultiple(of: DriverBenchmark.burst) { sending.run { self.sendBurst() } }
    }

    func settle(now: Instant) {}
}

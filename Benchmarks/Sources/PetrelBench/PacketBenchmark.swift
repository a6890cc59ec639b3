import PetrelCore
import PetrelMedia
import PetrelWire

/// Time and allocations of the packet path.
enum PacketBenchmark {
    /// Packets of one run, at least; the goals are stated over so many.
    static let packets = 10_200
    /// Packets before the first counted one: buffers reach their sizes, caches their contents.
    static let warmUp = 3_000
    static let runs = 7

    struct Row {
        var name: String
        var cipher: Cipher?
        /// Nanoseconds per packet of each run.
        var times: [Double] = []
        var counted = Tally()
        /// Whether nothing of ours may be allocated here.
        var isGated = true
    }

    /// Measures and prints.
    /// - Returns: false where `checks` was asked for and a path allocates, or nothing could be counted.
    static func run(checks: Bool, plants: Bool, hasDriver: Bool) async throws -> Bool {
        let counter = AllocationCounter()
        if checks, counter == nil {
            print("FAIL: nothing is preloaded that counts allocations (see Scripts/alloc-test.sh)")
            return false
        }
        var rows: [Row] = []
        rows.append(try parsing(counter: counter, plants: plants, timed: !checks))
        // For the check the ciphers' own allocations say nothing.
        for cipher in checks ? [.none] : Cipher.allCases {
            rows += try peers(cipher, counter: counter, plants: plants, timed: !checks)
        }
        if hasDriver, !checks {
            rows += try await DriverBenchmark.rows(counter: counter, runs: runs, packets: packets)
        }
        report(rows, isCounted: counter != nil)
        guard checks else { return true }
        let wrong = rows.filter { $0.isGated && ($0.counted.own > 0 || $0.counted.packets < 10_000) }
        for row in wrong {
            print("FAIL: \(row.name): \(row.counted.own) allocations over \(row.counted.packets) packets")
        }
        if wrong.isEmpty { print("PASS: no allocation of ours over at least 10,000 packets in each path") }
        return wrong.isEmpty
    }

    private static func peers(
        _ cipher: Cipher, counter: AllocationCounter?, plants: Bool, timed: Bool
    ) throws -> [Row] {
        var rows = [
            Row(name: "video: frame to wire", cipher: cipher), Row(name: "video: wire to frame", cipher: cipher),
            Row(name: "audio: packet to wire", cipher: cipher), Row(name: "audio: wire to packet", cipher: cipher),
            Row(name: "video, 10 % lost: wire to frame", cipher: cipher),
        ]
        func note(_ tallies: [Tally], from first: Int) {
            for (index, tally) in tallies.enumerated() {
                if counter != nil, tally.nanoseconds == 0 {
                    rows[first + index].counted = tally
                } else {
                    rows[first + index].times.append(tally.nanosecondsPerPacket)
                }
            }
        }
        let pair = try PeerPair(cipher: cipher)
        let lossy = try PeerPair(cipher: cipher)
        lossy.losesEvery = 10
        func pass() throws {
            for pair in [pair, lossy] { pair.forget() }
            while min(pair.sendVideo.packets, pair.receiveVideo.packets) < packets { try pair.videoFrame() }
            while min(pair.sendAudio.packets, pair.receiveAudio.packets) < packets { try pair.audioPacket() }
            while lossy.receiveVideo.packets < packets { try lossy.videoFrame() }
            note([pair.sendVideo, pair.receiveVideo, pair.sendAudio, pair.receiveAudio], from: 0)
            note([lossy.receiveVideo], from: 4)
        }
        for pair in [pair, lossy] {
            while pair.receiveVideo.packets < warmUp { try pair.videoFrame() }
            while pair.receiveAudio.packets < warmUp { try pair.audioPacket() }
        }
        for run in 0..<(timed ? runs : 0) {
            Progress.show("cipher \(cipher.rawValue): run \(run + 1) of \(runs)")
            try pass()
        }
        Progress.clear()
        if let counter {
            for pair in [pair, lossy] {
                pair.meter.counter = counter
                pair.meter.plants = plants
            }
            try pass()
        }
        guard pair.framesReceived * 6 >= packets, pair.soundsReceived >= packets, lossy.framesReceived * 6 >= packets
        else {
            throw BenchmarkError(
                "only \(pair.framesReceived) frames and \(pair.soundsReceived) sounds came through: \(pair.drops)")
        }
        return rows
    }

    /// Header, header extensions and payload descriptor of one packet.
    private static func parsing(counter: AllocationCounter?, plants: Bool, timed: Bool) throws -> Row {
        let map = RTPExtensionMap(mid: 1, absSendTime: 2, transportSequenceNumber: 3, absCaptureTime: 4)
        var random = RandomSource(seed: 1)
        let stream = SendStream(kind: .video, ssrc: 1, rtxSSRC: nil, random: &random)
        stream.configure(SendParameters(payloadType: 96, extensions: map, mid: "0"))
        let frame = FrameBuffer((0..<6600).map { UInt8(truncatingIfNeeded: $0) })
        guard
            let sequences = stream.packetize(
                vp8: frame.bytes, captured: .zero, captureTime: NTPTime(unixNanoseconds: 1_767_225_600_000_000_000))
        else { throw BenchmarkError("the frame could not be cut") }
        let memory = SlotMemory(count: sequences.count, slotSize: EgressBatch.maximumDatagram)
        let lengths = sequences.map { sequence in
            stream.release(sequence, into: memory.slot(Int(sequence - sequences.lowerBound)), now: .zero) { _ in 1 } ?? 0
        }
        guard !lengths.contains(0) else { throw BenchmarkError("a packet was not released") }
        func pass() -> Int? {
            var failures = 0
            for index in 0..<packets {
                let slot = index % lengths.count
                let packet = UnsafeRawBufferPointer(rebasing: memory.slot(slot)[..<lengths[slot]])
                do throws(DropReason) {
                    let header = try RTPHeader(parsing: packet.bytes)
                    let extensions = RTPExtensions(reading: packet.bytes, header: header, map: map)
                    let payload = UnsafeRawBufferPointer(rebasing: packet[header.payloadRange])
                    let (descriptor, length) = try VP8PayloadDescriptor.parse(payload.bytes)
                    consume(Int(extensions.transportSequenceNumber ?? 0) + length + (descriptor.startsFrame ? 1 : 0))
                } catch { failures += 1 }
            }
            return failures == 0 ? packets : nil
        }
        var row = Row(name: "parse: header, extensions, VP8 descriptor")
        var meter = Meter()
        for _ in 0..<(timed ? runs : 0) {
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

    private static func report(_ rows: [Row], isCounted: Bool) {
        print("Times: thread CPU, median of \(runs) runs of at least \(packets) packets each, after \(warmUp) to warm up.")
        if !isCounted { print("Allocations are not counted: nothing is preloaded (make bench-packets does).") }
        print(
            Text.left("path", 42) + Text.left("cipher", 20) + Text.right("ns/packet", 10)
                + Text.right("ours/packet", 13) + Text.right("libraries/packet", 18) + Text.right("packets", 9))
        for row in rows {
            print(
                Text.left(row.name, 42) + Text.left(row.cipher?.rawValue ?? "-", 20)
                    + Text.right(row.times.isEmpty ? "-" : String(Int(median(row.times).rounded())), 10)
                    + Text.right(isCounted ? Text.number(row.counted.ownPerPacket, 4) : "-", 13)
                    + Text.right(isCounted ? Text.number(row.counted.librariesPerPacket, 2) : "-", 18)
                    + Text.right(isCounted ? String(row.counted.packets) : "-", 9))
        }
    }
}

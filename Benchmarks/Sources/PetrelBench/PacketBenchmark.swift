import BenchSupport
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

    private static let conditions =
        "Times: thread CPU, median of \(runs) runs of at least \(packets) packets each, after \(warmUp) to warm up."

    /// Measures and prints.
    /// - Returns: false where `checks` was asked for and a path allocates, or nothing could be counted.
    static func run(checks: Bool, plants: Bool) throws -> Bool {
        let counter = AllocationCounter()
        if checks, counter == nil {
            print("FAIL: nothing is preloaded that counts allocations (see Scripts/alloc-test.sh)")
            return false
        }
        var rows: [Row] = []
        rows.append(try parsing(counter: counter, plants: plants, timed: !checks))
        if !checks { field() }
        rows += try RoutingBenchmark().rows(counter: counter, plants: plants, timed: !checks)
        // For the check the ciphers' own allocations say nothing.
        let ciphers = try (checks ? [.none] : Cipher.allCases).map { try Subject($0) }
        // One run after the other over all ciphers, so that what else the machine does falls on all of them.
        for run in 0..<(checks ? 0 : runs) {
            for subject in ciphers {
                Progress.show("run \(run + 1) of \(runs), cipher \(subject.cipher.rawValue)")
                try subject.pass()
            }
        }
        Progress.clear()
        for subject in ciphers {
            if let counter { try subject.count(counter, plants: plants) }
            rows += subject.rows
        }
        Row.report(rows, conditions: conditions, isCounted: counter != nil)
        guard checks else { return true }
        let wrong = rows.filter { $0.counted.own > 0 || $0.counted.packets < 10_000 }
        for row in wrong {
            print("FAIL: \(row.name): \(row.counted.own) allocations over \(row.counted.packets) packets")
        }
        if wrong.isEmpty { print("PASS: no allocation of ours over at least 10,000 packets in each path") }
        return wrong.isEmpty
    }

    /// Two pairs of peers under one cipher, one of them on a path that loses.
    private final class Subject {
        let cipher: Cipher
        private let clean: PeerPair
        private let lossy: PeerPair
        private(set) var rows: [Row]

        init(_ cipher: Cipher) throws {
            self.cipher = cipher
            clean = try PeerPair(cipher: cipher)
            lossy = try PeerPair(cipher: cipher)
            lossy.losesEvery = 10
            rows = [
                "video: frame to wire", "video: wire to frame", "audio: packet to wire", "audio: wire to packet",
                "video, 10 % lost: wire to frame",
            ].map { Row(name: $0, cipher: cipher.rawValue) }
            for pair in [clean, lossy] {
                while pair.receiveVideo.packets < warmUp { try pair.videoFrame() }
                while pair.receiveAudio.packets < warmUp { try pair.audioPacket() }
            }
        }

        /// Times one run of each path.
        func pass() throws {
            for (index, tally) in try run().enumerated() { rows[index].times.append(tally.nanosecondsPerPacket) }
        }

        /// Counts the allocations of one run of each path.
        func count(_ counter: AllocationCounter, plants: Bool) throws {
            for pair in [clean, lossy] {
                pair.meter.counter = counter
                pair.meter.plants = plants
            }
            for (index, tally) in try run().enumerated() { rows[index].counted = tally }
        }

        private func run() throws -> [Tally] {
            for pair in [clean, lossy] { pair.forget() }
            while min(clean.sendVideo.packets, clean.receiveVideo.packets) < packets { try clean.videoFrame() }
            while min(clean.sendAudio.packets, clean.receiveAudio.packets) < packets { try clean.audioPacket() }
            while lossy.receiveVideo.packets < packets { try lossy.videoFrame() }
            // Packets that are refused are cheap: what came in must have come out.
            for pair in [clean, lossy]
            where pair.framesReceived == 0 || pair.framesReceived * 7 < pair.receiveVideo.packets {
                throw BenchmarkError(
                    "only \(pair.framesReceived) frames of \(pair.receiveVideo.packets) packets: \(pair.drops)")
            }
            guard clean.soundsReceived == clean.receiveAudio.packets else {
                throw BenchmarkError(
                    "only \(clean.soundsReceived) sounds of \(clean.receiveAudio.packets) packets: \(clean.drops)")
            }
            return [clean.sendVideo, clean.receiveVideo, clean.sendAudio, clean.receiveAudio, lossy.receiveVideo]
        }
    }

    /// The arithmetic of the repair code, over packets of full size that lie in the caches.
    private static func field() {
        let memory = SlotMemory(count: 65, slotSize: 1200)
        for index in 0..<65 { memory.slot(index).initializeMemory(as: UInt8.self, repeating: UInt8(index + 1)) }
        func rate(_ add: (UnsafeMutableRawBufferPointer, UnsafeRawBufferPointer, UInt8) -> Void) -> Double {
            var best = 0.0
            for _ in 0..<runs {
                var tally = Tally()
                var meter = Meter()
                meter.measure(&tally) {
                    for index in 0..<packets {
                        let source = UnsafeRawBufferPointer(memory.slot(1 + index % 64))
                        add(memory.slot(0), source, UInt8(truncatingIfNeeded: 2 + index % 250))
                    }
                    return packets
                }
                best = max(best, Double(memory.stride) / tally.nanosecondsPerPacket)
            }
            return best
        }
        let fast = rate { GF256.multiplyAdd($0, $1, factor: $2) }
        let portable = rate { GF256.multiplyAddPortable($0, $1, factor: $2) }
        print(
            "repair code, GF(256) multiply-add: \(Text.number(fast, 1)) GB/s a core in steps of \(GF256.step) bytes, "
                + "\(Text.number(portable, 2)) GB/s without vector instructions")
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
            stream.release(sequence, into: memory.slot(Int(sequence - sequences.lowerBound)), now: .zero) { _ in 1 }
                ?? 0
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
}

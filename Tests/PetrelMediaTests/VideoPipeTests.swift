import Foundation
import PetrelCore
import PetrelMedia
import PetrelWire
import Testing

/// From frames to packets and back, whatever happens in between.
@Suite struct VideoPipeTests {
    @Test func framesComeOutAsTheyWentIn() throws {
        let pipe = VideoPipe()
        for number in 0..<50 {
            let now = Instant.zero + .milliseconds(33 * number)
            let content = frame(number, bytes: 1 + number * 997, isKeyFrame: number % 10 == 0)
            let packets = pipe.packets(content, at: now)
            #expect(packets.allSatisfy { $0.count <= SendStream.maximumDatagram - 16 })
            let lengths = Set(packets.dropLast().map(\.count))
            #expect(lengths.count <= 1, "all but the last are of one length")
            var frames: [EncodedVideoFrame] = []
            for packet in packets { frames += try pipe.receive(packet, now: now) }
            #expect(frames.count == 1)
            #expect(frames.first.map { Array($0.payload.bytes) } == content)
            #expect(frames.first?.isKeyFrame == (number % 10 == 0))
            #expect(frames.first?.packets == packets.count)
        }
    }

    /// Random loss, order and repetition, with requests answered: every frame comes whole, once, in order.
    @Test(arguments: 1...12) func lossAndReorderingAreRepaired(seed: Int) throws {
        let wrap = seed % 2 == 0
        let pipe = VideoPipe(start: wrap ? .init(sequence: 65_500, timestamp: 0xFFFF_FF00) : nil)
        var random = SeededGenerator(seed: UInt64(seed))
        var sent: [[UInt8]] = []
        var came: [[UInt8]] = []
        var flying: [(at: Instant, packet: [UInt8])] = []
        var now = Instant.zero
        for step in 0..<600 {
            now += .milliseconds(5)
            if step % 6 == 0, step < 480 {
                let number = step / 6
                let content = frame(
                    number, bytes: 200 + Int(random.next() % 9000), isKeyFrame: number == 0)
                sent.append(content)
                for packet in pipe.packets(content, at: now) where random.unit() > 0.2 {
                    flying.append((now + .milliseconds(10 + random.unit() * 30), packet))
                    if random.unit() < 0.1 { flying.append((now + .milliseconds(40), packet)) }
                }
            }
            for number in pipe.missing(now: now) where random.unit() > 0.1 {
                guard
                    let sequence = pipe.sender.retransmittable(number, roundTrip: .milliseconds(40), now: now),
                    let packet = pipe.release(sequence, now: now, again: true), random.unit() > 0.2
                else { continue }
                flying.append((now + .milliseconds(40), packet))
            }
            flying.sort { $0.at < $1.at }
            while let first = flying.first, first.at <= now {
                flying.removeFirst()
                do {
                    came += try pipe.receive(first.packet, now: now).map { Array($0.payload.bytes) }
                } catch let reason as DropReason {
                    #expect([.rtpDuplicate, .rtpTooOld].contains(reason), "\(reason)")
                }
            }
        }
        // Nothing follows the last frame, so nothing shows where its end was lost.
        #expect(came.count >= sent.count - 1)
        let isInOrder = came == Array(sent.prefix(came.count))
        #expect(isInOrder)
    }

    @Test func withoutAnswersAKeyFrameIsAskedForAndEndsTheWait() throws {
        let pipe = VideoPipe()
        var now = Instant.zero
        for packet in pipe.packets(frame(0, bytes: 5000, isKeyFrame: true), at: now) {
            try pipe.receive(packet, now: now)
        }
        // The second frame loses a packet for good.
        let second = pipe.packets(frame(1, bytes: 5000, isKeyFrame: false), at: now)
        for (index, packet) in second.enumerated() where index != 2 {
            #expect(try pipe.receive(packet, now: now).isEmpty)
        }
        var asked: Instant?
        for step in 0..<200 where asked == nil {
            now = .zero + .milliseconds(10 * step)
            _ = pipe.missing(now: now)
            if pipe.receiver.wantsKeyFrame(now: now, roundTrip: .milliseconds(40)) { asked = now }
        }
        #expect(asked.map { $0.milliseconds <= 600 && $0.milliseconds >= 400 } ?? false)
        #expect(
            !pipe.receiver.wantsKeyFrame(now: now + .milliseconds(50), roundTrip: .milliseconds(40)),
            "not twice at once")
        let third = pipe.packets(frame(2, bytes: 100, isKeyFrame: false), at: now)
        for packet in third { #expect(try pipe.receive(packet, now: now).isEmpty, "it leans on what is lost") }
        var frames: [EncodedVideoFrame] = []
        for packet in pipe.packets(frame(3, bytes: 4000, isKeyFrame: true), at: now) {
            frames += try pipe.receive(packet, now: now)
        }
        #expect(frames.count == 1 && frames.first?.isKeyFrame == true)
        for packet in pipe.packets(frame(4, bytes: 4000, isKeyFrame: false), at: now) {
            frames += try pipe.receive(packet, now: now)
        }
        #expect(frames.count == 2)
    }

    @Test func theFirstKeyFrameIsAskedForFromItsFirstPacketOn() throws {
        let pipe = VideoPipe()
        let packets = pipe.packets(frame(0, bytes: 20_000, isKeyFrame: true), at: .zero)
        let later = pipe.packets(frame(1, bytes: 900, isKeyFrame: false), at: .zero)
        // Only a frame after the key frame gets through.
        for packet in later { #expect(try pipe.receive(packet, now: .zero).isEmpty) }
        let missing = Set(pipe.missing(now: .zero))
        for packet in packets {
            let header = try RTPHeader(parsing: packet.span.bytes)
            #expect(missing.contains(header.sequenceNumber))
        }
        var frames: [EncodedVideoFrame] = []
        for packet in packets.reversed() { frames += try pipe.receive(packet, now: .zero) }
        #expect(frames.count == 2)
    }

    @Test func aRetransmissionIsHeldOffForARoundTrip() throws {
        let pipe = VideoPipe()
        let packets = pipe.packets(frame(0, bytes: 3000, isKeyFrame: true), at: .zero)
        let asked = packets[1]
        let number = try RTPHeader(parsing: asked.span.bytes).sequenceNumber
        let rtt = TimeDelta.milliseconds(100)
        let sequence = try #require(pipe.sender.retransmittable(number, roundTrip: rtt, now: .zero + .milliseconds(10)))
        let again = try #require(pipe.release(sequence, now: .zero + .milliseconds(10), again: true))
        let header = try RTPHeader(parsing: again.span.bytes)
        #expect(header.payloadType == 97)
        #expect(pipe.sender.retransmittable(number, roundTrip: rtt, now: .zero + .milliseconds(60)) == nil)
        #expect(pipe.sender.retransmittable(number, roundTrip: rtt, now: .zero + .milliseconds(111)) == sequence)
        #expect(pipe.sender.retransmittable(number &+ 500, roundTrip: rtt, now: .zero) == nil, "never sent")
        #expect(pipe.sender.retransmittable(number &- 500, roundTrip: rtt, now: .zero) == nil, "never sent")
    }

    @Test func testVectorsThroughPackets() throws {
        for (name, bytes) in try Vectors.files("vp8-test-vectors") where name.hasSuffix(".ivf") {
            let file = try #require(IVFFile(bytes))
            let pipe = VideoPipe()
            for (index, content) in file.frames.enumerated() {
                let now = Instant.zero + .milliseconds(33 * index)
                var frames: [EncodedVideoFrame] = []
                var packets = pipe.packets(content, at: now)
                if packets.count > 1 { packets.swapAt(0, packets.count - 1) }
                for packet in packets { frames += try pipe.receive(packet, now: now) }
                #expect(frames.count == 1, "\(name) \(index)")
                #expect(frames.first.map { Array($0.payload.bytes) } == content, "\(name) frame \(index)")
            }
        }
    }

    /// A capture of a browser: 104 packets, whose frames are counted by their markers.
    @Test func captureOfABrowser() throws {
        guard let file = Vectors.folder("rtp-captures/vp8.pcap") else { return }
        let bytes = [UInt8](try Data(contentsOf: file))
        func word(_ at: Int) -> Int { (0..<4).reduce(0) { $0 | Int(bytes[at + $1]) << (8 * $1) } }
        var offset = 24
        var receiver: ReceiveStream?
        var packets = 0
        var markers = 0
        var frames: [EncodedVideoFrame] = []
        while offset + 16 <= bytes.count {
            let length = word(offset + 8)
            let now = Instant.zero + .seconds(word(offset) % 1000) + .microseconds(word(offset + 4))
            // Ethernet, IPv4 without options, UDP.
            let packet = Array(bytes[(offset + 16 + 42)..<(offset + 16 + length)])
            offset += 16 + length
            let header = try RTPHeader(parsing: packet.span.bytes)
            let stream = receiver ?? ReceiveStream(kind: .video, ssrc: header.ssrc)
            receiver = stream
            packets += 1
            if header.marker { markers += 1 }
            try packet.withUnsafeBytes {
                try stream.receiveVideo($0, header: header, extensions: RTPExtensions(), isRepair: false, now: now)
            }
            while let frame = stream.nextFrame(now: now) { frames.append(frame) }
        }
        #expect(packets == 104)
        #expect(frames.count == markers)
        #expect(frames.first?.isKeyFrame == true)
        #expect(receiver?.reception.packetsLost == 0)
        // RFC 6386 section 9.1: a key frame carries its start code.
        for frame in frames where frame.isKeyFrame {
            #expect(Array(frame.payload.bytes[3..<6]) == [0x9D, 0x01, 0x2A])
        }
    }
}

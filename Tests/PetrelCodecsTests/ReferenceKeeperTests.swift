import Foundation
import PetrelCodecs
import PetrelCore
import Testing

/// A stream whose frames are lost as told; the other side says what it has decoded after half a round trip.
private struct ReferenceStream {
    let interval = TimeDelta.milliseconds(40)
    let roundTrip: TimeDelta
    var keeper = ReferenceKeeper()
    let encoder: VP8Encoder
    /// Gets every frame, and what the lossy one gets.
    let whole: VP8Decoder
    let lossy: VP8Decoder
    var decoded: [Int64] = []
    var answers: [(at: Instant, newest: Int64, earlier: UInt64)] = []
    var sizes: [Int] = []
    var plans: [ReferenceKeeper.Plan] = []
    var shown: [Int64] = []
    var pool = I420BufferPool(limit: 4)

    init(roundTrip: TimeDelta, kilobits: Int = 800) throws {
        self.roundTrip = roundTrip
        encoder = VP8Encoder(configuration: .init(bitrate: .kilobitsPerSecond(kilobits), framesPerSecond: 25))
        (whole, lossy) = (try VP8Decoder(), try VP8Decoder())
    }

    mutating func send(_ number: Int64, _ picture: I420Buffer, isLost: Bool) throws {
        let now = Instant.zero + interval * Double(number)
        while let answer = answers.first, answer.at <= now {
            answers.removeFirst()
            keeper.acknowledge(newest: answer.newest, earlier: answer.earlier, now: answer.at)
        }
        let plan = keeper.plan(now: now, roundTrip: roundTrip, patience: roundTrip * 2 + .milliseconds(45))
        let frame = FrameBuffer()
        let result = try #require(
            try encoder.encode(
                picture, timestamp90k: number * 3600, forceKeyFrame: plan.isKeyFrame, references: plan.references,
                into: frame))
        #expect(result.isKeyFrame == plan.isKeyFrame)
        keeper.encoded(number, plan: plan, isKeyFrame: result.isKeyFrame, now: now)
        plans.append(plan)
        sizes.append(result.size)
        #expect(try whole.decode(frame.bytes))
        if !plan.isKeyFrame {
            let real = try #require(whole.lastReferences)
            #expect(real.uses.isSubset(of: plan.references.uses), "frame \(number): \(real) \(plan)")
            #expect(real.refreshes == plan.references.refreshes, "frame \(number)")
        }
        if !isLost, plan.leansOn.allSatisfy({ decoded.contains($0) }) {
            #expect(try lossy.decode(frame.bytes))
            decoded.append(number)
            shown.append(number)
            let first = try #require(whole.copy(from: &pool))
            let second = try #require(lossy.copy(from: &pool))
            #expect(first.samples == second.samples, "frame \(number) differs from that of a decoder that lost nothing")
        }
        guard let newest = decoded.last else { return }
        var earlier: UInt64 = 0
        for other in decoded where other < newest && newest - other <= 64 { earlier |= 1 << UInt64(newest - other - 1) }
        answers.append((now + roundTrip, newest, earlier))
    }
}

extension I420Buffer {
    /// All samples, without what lies between the rows.
    fileprivate var samples: [[UInt8]] {
        (0..<height).map { Array(UnsafeBufferPointer(rebasing: y[($0 * strideY)..<($0 * strideY + width)])) }
            + (0..<(height / 2)).flatMap { row in
                [u, v].map { Array(UnsafeBufferPointer(rebasing: $0[(row * strideUV)..<(row * strideUV + width / 2)])) }
            }
    }
}

@Suite("VP8 references", .serialized)
struct ReferenceKeeperTests {
    @Test("A lost frame costs a round trip and no key frame; what follows is what a decoder without loss shows")
    func recovery() throws {
        var stream = try ReferenceStream(roundTrip: .milliseconds(100))
        var sequence = TestCardSequence(width: 320, height: 180, count: 150)
        let lost: Set<Int64> = [30, 31, 32, 33, 70, 75, 76, 100]
        for number in 0..<150 {
            try stream.send(Int64(number), sequence.picture(number), isLost: lost.contains(Int64(number)))
        }
        #expect(stream.plans.filter(\.isKeyFrame).count == 1 && stream.plans[0].isKeyFrame)
        #expect(stream.keeper.recoveries >= 3 && stream.keeper.recoveries <= 5)
        // Two round trips and the patience are 245 ms: the seventh picture after the lost one.
        let gaps = zip(stream.shown, stream.shown.dropFirst()).map { $1 - $0 }.filter { $0 > 1 }
        print("pictures from one shown to the next around losses: \(gaps)")
        #expect(gaps.count >= 3 && gaps.allSatisfy { $0 <= 9 })
        #expect(stream.shown.last == 149)
    }

    @Test("Under random loss every picture shown is the right one", arguments: [UInt64(1), 2, 3])
    func randomLoss(seed: UInt64) throws {
        var random = RandomSource(seed: seed)
        var stream = try ReferenceStream(roundTrip: .milliseconds(60), kilobits: 400)
        var sequence = TestCardSequence(width: 160, height: 120, count: 300)
        for number in 0..<300 {
            try stream.send(Int64(number), sequence.picture(number), isLost: number > 10 && random.unit() < 0.1)
        }
        let keys = stream.plans.filter(\.isKeyFrame).count
        print(
            "10 % of frames lost: \(stream.shown.count) of 300 shown, \(keys) key frames, "
                + "\(stream.keeper.recoveries) recoveries")
        #expect(keys <= 3 && stream.keeper.recoveries > 5 && stream.shown.count > 100)
    }

    @Test("One confirmed picture is always kept, never older than the interval and three round trips")
    func confirmedIsKept() {
        var keeper = ReferenceKeeper()
        let roundTrip = TimeDelta.milliseconds(100)
        var oldest = TimeDelta.zero
        for number in 0..<200 {
            let now = Instant.zero + .milliseconds(number * 33)
            if number > 6 { keeper.acknowledge(newest: Int64(number - 4), earlier: .max, now: now) }
            // As if the frame before had just been lost.
            if number > 30 {
                var copy = keeper
                copy.lost(Int64(number - 1))
                let plan = copy.plan(now: now, roundTrip: roundTrip, patience: roundTrip * 2 + .milliseconds(45))
                #expect(plan.isRecovery && plan.leansOn.count == 1 && plan.references.refreshes == .last)
                oldest = max(oldest, .milliseconds((number - Int(plan.leansOn[0])) * 33))
            }
            let plan = keeper.plan(now: now, roundTrip: roundTrip, patience: roundTrip * 2 + .milliseconds(45))
            #expect(plan.isKeyFrame == (number == 0))
            keeper.encoded(Int64(number), plan: plan, isKeyFrame: plan.isKeyFrame, now: now)
        }
        print("oldest picture to fall back to: \(oldest.milliseconds) ms")
        #expect(oldest <= .milliseconds(250 + 300))
    }

    @Test("Without a confirmed picture that is young enough a key frame is made, and not one after the other")
    func keyFrameIsTheLastResort() {
        var keeper = ReferenceKeeper()
        let roundTrip = TimeDelta.milliseconds(100)
        var keys: [Int] = []
        for number in 0..<300 {
            let now = Instant.zero + .milliseconds(number * 33)
            // The other side has the first frames only, and goes on saying so.
            if number > 3 { keeper.acknowledge(newest: 2, earlier: 3, now: now) }
            let plan = keeper.plan(now: now, roundTrip: roundTrip, patience: roundTrip * 2 + .milliseconds(45))
            if plan.isKeyFrame { keys.append(number * 33) }
            keeper.encoded(Int64(number), plan: plan, isKeyFrame: plan.isKeyFrame, now: now)
        }
        #expect(keys.count > 2 && keys[0] == 0 && keys[1] > 3000)
        #expect(zip(keys.dropFirst(), keys.dropFirst(2)).allSatisfy { $1 - $0 >= 300 })
        // Nothing heard at all: nothing is concluded.
        var silent = ReferenceKeeper()
        for number in 0..<300 {
            let plan = silent.plan(
                now: .zero + .milliseconds(number * 33), roundTrip: roundTrip, patience: .milliseconds(245))
            #expect(plan.isKeyFrame == (number == 0))
            silent.encoded(
                Int64(number), plan: plan, isKeyFrame: plan.isKeyFrame, now: .zero + .milliseconds(number * 33))
        }
    }

    @Test("Claims about frames that never were, and of every other kind, change nothing for the worse")
    func impossibleClaims() {
        var random = RandomSource(seed: 5)
        var keeper = ReferenceKeeper()
        keeper.acknowledge(newest: 7, earlier: .max, now: .zero)
        for number in 0..<2000 {
            let now = Instant.zero + .milliseconds(number * 33)
            let claims: [Int64] = [
                Int64(number) + 5, .max, .min, -1, Int64(random.next() % 4000), Int64(max(0, number - 300)),
            ]
            for claim in claims { keeper.acknowledge(newest: claim, earlier: random.next(), now: now) }
            keeper.lost(.max)
            let roundTrip = TimeDelta.milliseconds(Int(random.next() % 2000))
            let plan = keeper.plan(now: now, roundTrip: roundTrip, patience: roundTrip)
            #expect(plan.leansOn.count <= 3 && plan.leansOn.allSatisfy { $0 < number && Int64(number) - $0 <= 255 })
            keeper.encoded(Int64(number), plan: plan, isKeyFrame: plan.isKeyFrame, now: now)
        }
    }

    @Test("What a frame from an older picture costs beside an ordinary one and a key frame, on the film")
    func costOnFilm() throws {
        let film = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent(".assets/bigbuckbunny.mp4")
        guard FileManager.default.fileExists(atPath: film.path) else {
            return print("skipped: no film in .assets (Scripts/setup.sh media)")
        }
        let (width, height, count) = (1280, 720, 100)
        let raw = FileManager.default.temporaryDirectory.appendingPathComponent("references-\(getpid()).yuv")
        defer { try? FileManager.default.removeItem(at: raw) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "ffmpeg", "-v", "error", "-ss", "2", "-i", film.path, "-vf", "scale=\(width):\(height)", "-r", "25",
            "-frames:v", "\(count)", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-y", raw.path,
        ]
        process.standardInput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { return print("skipped: ffmpeg cannot read the film") }
        let data = try Data(contentsOf: raw, options: .alwaysMapped)
        let size = width * height * 3 / 2
        func picture(_ index: Int) -> I420Buffer {
            let buffer = I420Buffer(width: width, height: height)
            data.withUnsafeBytes { bytes in
                var offset = index * size
                for (plane, stride, w, h) in [
                    (buffer.y, buffer.strideY, width, height), (buffer.u, buffer.strideUV, width / 2, height / 2),
                    (buffer.v, buffer.strideUV, width / 2, height / 2),
                ] {
                    for row in 0..<h {
                        plane.baseAddress!.advanced(by: row * stride).update(
                            from: bytes.baseAddress!.advanced(by: offset).assumingMemoryBound(to: UInt8.self), count: w)
                        offset += w
                    }
                }
            }
            return buffer
        }
        // One frame in ten leans on a picture that is `back` frames old, or is a key frame; the mean of their sizes and
        // the sharpness, beside those of the same frames of an ordinary stream.
        func measure(_ kind: (Int) -> (key: Bool, references: VP8References?)) throws -> (
            special: Double, all: Double, psnr: Double
        ) {
            let encoder = VP8Encoder(configuration: .init(bitrate: .kilobitsPerSecond(1800), framesPerSecond: 25))
            let decoder = try VP8Decoder()
            var pool = I420BufferPool(limit: 2)
            let frame = FrameBuffer()
            var (special, all, psnr) = (0.0, 0.0, 0.0)
            for index in 0..<min(count, data.count / size) {
                let plan = kind(index)
                let picture = picture(index)
                let result = try #require(
                    try encoder.encode(
                        picture, timestamp90k: Int64(index) * 3600, forceKeyFrame: plan.key || index == 0,
                        references: plan.references, into: frame))
                #expect(try decoder.decode(frame.bytes))
                all += Double(result.size)
                guard index % 10 == 9 else { continue }
                special += Double(result.size)
                let shown = try #require(decoder.copy(from: &pool))
                psnr += PictureQuality.psnrY(picture, shown) ?? 0
            }
            return (special / 10, all / Double(count), psnr / 10)
        }
        let plain = try measure { _ in (false, nil) }
        let ordinary = try measure { _ in (false, VP8References(uses: .all, refreshes: .last)) }
        let key = try measure { ($0 % 10 == 9, nil) }
        print("film, 720p25 at 1800 kbit/s: as libvpx likes \(plain), with references \(ordinary), key \(key)")
        for back in [3, 6, 9] {
            let old = try measure { index in
                if index % 10 == 9 { return (false, VP8References(uses: .golden, refreshes: .last)) }
                return (
                    false,
                    VP8References(uses: .all, refreshes: index % 10 == 9 - back ? [.last, .golden] : .last)
                )
            }
            print("film: from a picture \(back) frames old \(old)")
            // A key frame of twice a delta's size is all that its limit allows, and blurred.
            #expect(old.special < plain.special * 4 && old.psnr > key.psnr + 3)
        }
    }
}

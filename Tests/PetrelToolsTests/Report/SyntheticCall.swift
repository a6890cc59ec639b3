import Foundation
import PetrelCodecs
import PetrelCore
import PetrelDevices
import Testing

@testable import PetrelTools

/// A call that never was: real pictures through a real encoder, with made-up times, so that every figure is known.
///
/// Both directions are 30 fps; video takes 60 ms plus up to 8 ms, audio 75 ms. In the first direction no picture is
/// shown for frames 60 to 89 (a freeze of a good second), and every 50th frame is not shown.
struct SyntheticCall {
    static let start = 1_795_000_000_000.0
    let folder: ReportFolder
    let size: (width: Int, height: Int)
    let input: VideoInput
    var logs = (caller: PeerLog(), callee: PeerLog())

    init(folder: ReportFolder, width: Int, height: Int, seconds: Int, input: VideoInput = .testCard) throws {
        self.folder = folder
        size = (width, height)
        self.input = input
        _ = try folder.folder("caller")
        _ = try folder.folder("callee")
        logs.caller.append(.milestone(.offerCreated, wallMs: Self.start - 180))
        logs.callee.append(.milestone(.iceConnected, wallMs: Self.start - 90))
        logs.callee.append(.milestone(.dtlsConnected, wallMs: Self.start - 40))
        logs.callee.append(.milestone(.firstAudio, wallMs: Self.start + 75))
        logs.callee.append(.milestone(.firstFrame, wallMs: Self.start + 62))
        var random = RandomSource(seed: 7)
        var (sentBytes, otherBytes) = (0, 0)
        try direction(&logs.caller, &logs.callee, seconds, "callee", &random, lossy: true, &sentBytes)
        try direction(&logs.callee, &logs.caller, seconds, "caller", &random, lossy: false, &otherBytes)
        counters(&logs.caller, seconds, sentBytes, lossOfOther: 0.0)
        counters(&logs.callee, seconds, otherBytes, lossOfOther: 0.05)
    }

    private func direction(
        _ sender: inout PeerLog, _ receiver: inout PeerLog, _ seconds: Int, _ receiverName: String,
        _ random: inout RandomSource, lossy: Bool, _ bytes: inout Int
    ) throws {
        let reader = try input.open(width: size.width, height: size.height, framesPerSecond: 30)
        defer { reader.close() }
        let encoder = VP8Encoder(
            configuration: VP8Encoder.Configuration(bitrate: .kilobitsPerSecond(size.width > 640 ? 2000 : 500)))
        let recording = try IVFWriter(
            path: folder.file("\(receiverName)/seen.ivf"), width: size.width, height: size.height)
        let film = try WebMWriter(
            path: folder.file("\(receiverName)/seen.webm"), width: size.width, height: size.height, audioChannels: nil)
        let buffer = FrameBuffer()
        for counter in 0..<(30 * seconds) {
            let picture = try #require(reader.next())
            PictureStamp.write(counter: counter, into: picture)
            let encoded = try encoder.encode(picture, timestamp90k: Int64(counter * 3000), into: buffer)
            let result = try #require(encoded)
            bytes += result.size
            let capture = Self.start + Double(counter) * 100 / 3
            sender.append(.videoSent(counter: counter, captureMs: capture, width: size.width, height: size.height))
            let isShown = !lossy || !((60..<90).contains(counter) || counter % 50 == 49)
            let position = try recording.write(buffer.bytes, milliseconds: Int(capture - Self.start))
            let latency = 60 + Double(random.next() % 8)
            film.writeVideo(
                buffer.bytes, milliseconds: capture + latency - Self.start, isKeyFrame: result.isKeyFrame,
                isShown: isShown)
            guard isShown else { continue }
            receiver.append(
                .videoRendered(
                    stamp: counter % 1024, renderMs: capture + latency, width: size.width, height: size.height,
                    recorded: position))
        }
        recording.close()
        film.close()
        for packet in 0..<(50 * seconds) {
            let capture = Self.start + Double(packet) * 20
            sender.append(.audioSent(sampleIndex: packet * 960, captureMs: capture))
            receiver.append(.audioRendered(captureMs: capture, renderMs: capture + 75))
        }
    }

    private func counters(_ log: inout PeerLog, _ seconds: Int, _ video: Int, lossOfOther loss: Double) {
        for second in 0...seconds {
            var counters = PeerCounters()
            let share = Double(second) / Double(seconds)
            counters.packetsSent = second * 300
            counters.packetsReceived = Int(Double(second * 300) * (1 - loss))
            counters.videoMediaBytes = Int(Double(video) * share)
            counters.videoPayloadBytes = Int(Double(video) * share * 1.08)
            counters.audioMediaBytes = second * 4000
            counters.wireBytes = Int(Double(video) * share * 1.12) + second * 5500
            counters.estimateKbps = 2200 + 40 * second
            (counters.nacks, counters.retransmissions, counters.plis) = (second * 3, second * 14, 1)
            (counters.samplesPlayed, counters.samplesConcealed) = (48_000 * second, 240 * second)
            (counters.cpuMs, counters.maxRssKB, counters.childrenCpuMs) = (second * 310, 93_000, second * 90)
            log.append(.counters(counters, wallMs: Self.start + Double(second) * 1000))
        }
    }

    func write() throws -> CallReport {
        let builder = CallReportBuilder(caller: logs.caller, callee: logs.callee)
        var report = builder.report()
        report.seed = 7
        report.link = .init(ab: "delay=20,loss=5", ba: "delay=20,loss=5")
        report.relay.seenPercent = 100
        func source() throws -> any PictureReader {
            try input.open(width: size.width, height: size.height, framesPerSecond: 30)
        }
        return try CallReportWriter(folder: folder).write(
            report,
            ways: [
                .init(analysis: builder.forward, recording: folder.file("callee/seen.ivf"), source: source()),
                .init(analysis: builder.backward, recording: folder.file("caller/seen.ivf"), source: source()),
            ])
    }
}

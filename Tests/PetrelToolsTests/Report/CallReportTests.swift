import Foundation
import PetrelTools
import Testing

@Suite struct CallReportTests {
    /// A call of 20 s: 30 fps, latency 60 ms, one second without pictures from frame 300 on, audio at 50 per second
    /// with 70 ms of latency.
    static func logs() -> (caller: PeerLog, callee: PeerLog) {
        var caller = PeerLog()
        var callee = PeerLog()
        let start = 1_795_000_000_000.0
        caller.append(.milestone(.offerCreated, wallMs: start - 100))
        callee.append(.milestone(.iceConnected, wallMs: start - 60))
        callee.append(.milestone(.dtlsConnected, wallMs: start - 20.5))
        callee.append(.milestone(.firstFrame, wallMs: start + 60))
        for counter in 0..<600 {
            let capture = start + Double(counter) * 100 / 3
            caller.append(.videoSent(counter: counter, captureMs: capture, width: 1280, height: 720))
            if counter >= 300 && counter < 330 { continue }
            callee.append(
                .videoRendered(
                    stamp: counter % 1024, renderMs: capture + 60, width: 1280, height: 720, recorded: counter))
        }
        for packet in 0..<1000 {
            let capture = start + Double(packet) * 20
            caller.append(.audioSent(sampleIndex: packet * 960, captureMs: capture))
            callee.append(.audioRendered(captureMs: capture, renderMs: capture + 70))
        }
        var sent = PeerCounters()
        sent.cpuMs = 1000
        caller.append(.counters(sent, wallMs: start))
        (sent.packetsSent, sent.audioMediaBytes, sent.videoMediaBytes) = (5000, 100_000, 4_900_000)
        (sent.videoPayloadBytes, sent.wireBytes, sent.nacks) = (5_390_000, 6_000_000, 12)
        (sent.cpuMs, sent.maxRssKB) = (6000, 102_400)
        caller.append(.counters(sent, wallMs: start + 20_000))
        var received = PeerCounters()
        (received.packetsReceived, received.samplesPlayed, received.samplesConcealed) = (4750, 960_000, 19_200)
        (received.samplesSilentConcealed, received.samplesRecovered) = (9_600, 4_800)
        callee.append(.counters(received, wallMs: start + 20_000))
        return (caller, callee)
    }

    @Test func figuresOfAKnownCall() throws {
        let logs = Self.logs()
        let report = CallReportBuilder(caller: logs.caller, callee: logs.callee).report()
        #expect(report.connect.iceMs == 40 && report.connect.dtlsMs == 79.5 && report.connect.firstFrameMs == 160)
        #expect(report.connect.firstAudioMs == nil)
        let way = report.directions[0]
        #expect(way.name == "caller->callee")
        #expect(way.video.width == 1280 && way.video.height == 720)
        #expect(way.video.framesSent == 600 && way.video.framesRendered == 570 && way.video.framesNeverShown == 30)
        #expect(way.video.freezes == 1)
        #expect(abs(try #require(way.video.freezeSeconds) - 31.0 / 30) < 1e-6)
        #expect(abs(try #require(way.video.longestGapMs) - 31.0 / 30 * 1000) < 1e-3)
        #expect(abs(try #require(way.video.latency.p99) - 60) < 1e-3)
        #expect(abs(try #require(way.video.fps) - 28.49) < 0.1)
        #expect(abs(try #require(way.audio.latency.p50) - 70) < 1e-3)
        #expect(abs(try #require(way.audio.concealedPercent) - 1) < 1e-9)
        #expect(abs(try #require(way.audio.recoveredPercent) - 0.5) < 1e-9)
        #expect(abs(try #require(way.avSkew.p50) + 10) < 1e-3)
        #expect(abs(try #require(way.avSkew.p95Abs) - 10) < 1e-3)
        #expect(way.avSkew.firstInSyncMs == 0)
        #expect(abs(try #require(way.network.packetsLostPercent) - 5) < 1e-9)
        #expect(way.network.mediaBytes == 5_000_000)
        #expect(abs(try #require(way.network.expansion) - 1.2) < 1e-9)
        #expect(abs(try #require(way.network.videoExpansion) - 1.1) < 1e-9)
        #expect(abs(try #require(way.video.bitrateKbps) - 1960) < 5)
        #expect(report.process[0].cpuPercent == 25 && report.process[0].maxRssMB == 100)
        #expect(report.process[0].childrenCpuPercent == nil)
        // Nothing was sent the other way: unknown, not zero.
        #expect(report.directions[1].video.framesSent == nil && report.directions[1].video.fps == nil)
    }

    @Test func logSurvivesItsOwnText() {
        let logs = Self.logs()
        var events: [CallEvent] = CallEvent.Milestone.allCases.map { .milestone($0, wallMs: 5.125) }
        events.append(.videoRendered(stamp: nil, renderMs: 1.5, width: 2, height: 4, recorded: nil))
        for event in events { #expect(CallEvent(line: event.line) == event) }
        var text = ""
        for frame in logs.caller.videoSent {
            text +=
                CallEvent.videoSent(
                    counter: frame.counter, captureMs: frame.captureMs, width: frame.width, height: frame.height
                ).line + "\n"
        }
        for sample in logs.caller.counters {
            text += CallEvent.counters(sample.counters, wallMs: sample.wallMs).line + "\n"
        }
        let read = PeerLog(text: text + "somethingNew t=1\n\nvideoSent n=x t=1\nmilestone name=later t=1\n")
        #expect(read.counters == logs.caller.counters)
        #expect(read.videoSent.count == 600 && read.milestones.isEmpty)
        for (left, right) in zip(read.videoSent, logs.caller.videoSent) {
            #expect(left.counter == right.counter && abs(left.captureMs - right.captureMs) < 0.001)
        }
    }

    @Test func stampsAreFoundAcrossTheirWrap() {
        var caller = PeerLog()
        var callee = PeerLog()
        for counter in 0..<3000 {
            caller.append(.videoSent(counter: counter, captureMs: Double(counter) * 33, width: 16, height: 16))
            callee.append(
                .videoRendered(
                    stamp: counter % 1024, renderMs: Double(counter) * 33 + 200, width: 16, height: 16, recorded: nil))
        }
        callee.append(.videoRendered(stamp: nil, renderMs: 99_300, width: 16, height: 16, recorded: nil))
        let way = CallReportBuilder(caller: caller, callee: callee).forward
        #expect(way.firstShowings.map(\.counter) == (0..<3000).map { $0 })
        #expect(way.direction().video.framesNeverShown == 0)
    }

    @Test func jsonHasTheContractsFieldsInOrderAndNullForUnknown() throws {
        var report = CallReport()
        report.seed = 1
        report.directions = [CallReport.Direction(name: "caller->callee")]
        report.process = [CallReport.Process(name: "caller")]
        let text = report.text
        let object = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        #expect(object["schema"] as? Int == 1)
        #expect(object["seconds"] is NSNull)
        func keys(_ object: Any?) -> Set<String> { Set((object as? [String: Any] ?? [:]).keys) }
        #expect(
            keys(object).isSuperset(of: [
                "schema", "seed", "seconds", "link", "connect", "directions", "process", "relay",
            ]))
        #expect(keys(object["connect"]) == ["iceMs", "dtlsMs", "firstAudioMs", "firstFrameMs"])
        let way = (object["directions"] as? [[String: Any]])?.first
        let (videoKeys, audioKeys) = (keys(way?["video"]), keys(way?["audio"]))
        let (avSkewMsKeys, networkKeys) = (keys(way?["avSkewMs"]), keys(way?["network"]))
        #expect(keys(way) == ["name", "video", "audio", "avSkewMs", "network"])
        #expect(
            videoKeys.isSuperset(of: [
                "width", "height", "framesSent", "framesRendered", "fps", "fpsP5", "framesNeverShown", "freezes",
                "freezeSeconds", "longestGapMs", "latencyMs", "psnrY", "ssim", "bitrateKbps",
            ]))
        #expect(
            audioKeys.isSuperset(of: [
                "latencyMs", "concealedPercent", "recoveredPercent", "interruptions", "bitrateKbps",
            ]))
        #expect(avSkewMsKeys == ["p50", "p95Abs", "firstInSyncMs"])
        #expect(
            networkKeys.isSuperset(of: [
                "packetsSent", "packetsLostPercent", "mediaBytes", "wireBytes", "expansion", "videoExpansion", "nacks",
                "retransmissions", "fecRecovered", "plis", "estimateKbps", "queueDelayMs",
            ]))
        let video = way?["video"] as? [String: Any]
        #expect(video?["fps"] is NSNull && video?["framesSent"] is NSNull)
        let order = ["\"schema\"", "\"seed\"", "\"link\"", "\"connect\"", "\"directions\"", "\"process\"", "\"relay\""]
        let positions = order.compactMap { text.range(of: $0)?.lowerBound }
        #expect(positions.count == order.count && positions == positions.sorted())
    }
}

@Suite struct JSONTextTests {
    @Test func writesWhatParsersRead() throws {
        let value = JSONText.object([
            ("a\"b\\\n\u{1}", .string("tab\tunicode \u{e9}\u{1F426}")), ("n", .decimal(.nan, digits: 2)),
            ("x", .decimal(-0.0004, digits: 2)), ("y", .decimal(1234.5678, digits: 2)), ("z", .decimal(100, digits: 1)),
            ("list", .array([.integer(1), .bool(true), .null])),
        ])
        #expect(value.text(pretty: false).contains("\"x\": 0, \"y\": 1234.57, \"z\": 100"))
        for text in [value.text(pretty: true), value.text(pretty: false)] {
            let object = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
            #expect(object["a\"b\\\n\u{1}"] as? String == "tab\tunicode \u{e9}\u{1F426}")
            #expect(object["n"] is NSNull)
        }
    }
}

@Suite struct LipSyncTests {
    @Test func skewIsRenderDifferenceAtEqualCapture() throws {
        let audio = (0..<100).map { (captureMs: Double($0) * 20, renderMs: Double($0) * 20 + 100) }
        let frames = (0..<50).map { (captureMs: Double($0) * 33, renderMs: Double($0) * 33 + 130) }
        let sync = LipSync(frames: frames, audio: audio)
        #expect(sync.samples.count == 50)
        #expect(abs(try #require(sync.p50) - 30) < 1e-9)
    }

    @Test func lateStartInSyncIsFound() {
        let audio = (0..<500).map { (captureMs: Double($0) * 20, renderMs: Double($0) * 20 + 100) }
        let frames = (0..<300).map { index -> (captureMs: Double, renderMs: Double) in
            let skew = index < 60 && index != 30 ? -90.0 : 10.0
            return (Double(index) * 33, Double(index) * 33 + 100 + skew)
        }
        let sync = LipSync(frames: frames, audio: audio)
        #expect(sync.firstInSyncMs == 2090)
    }

    @Test func holesInTheAudioAreNotBridged() {
        let audio = [(captureMs: 0.0, renderMs: 50.0), (captureMs: 1000.0, renderMs: 1050.0)]
        #expect(LipSync(frames: [(500, 560)], audio: audio).samples.isEmpty)
    }
}

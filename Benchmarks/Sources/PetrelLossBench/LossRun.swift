import PetrelCore
import PetrelLab
import PetrelPeer
import PetrelScenario
import PetrelTools
import Synchronization

/// What is shown and said in every run.
struct LossMedia: Sendable {
    let film: VirtualFilm
    let speech: VirtualSpeech?
}

/// One run of one cell.
struct LossRun {
    let cell: LossCell
    let seed: Int
    let plan: LossPlan
    let media: LossMedia

    /// Time at the end whose pictures may be on their way still: they count in nothing.
    static let tail = TimeDelta.seconds(1)

    /// What was measured in one direction beside what a call report holds.
    struct Measured {
        var wire = WireMeter()
        var estimates: [Double] = []
        var queueDelays: [Double] = []
        var seen = VirtualCallResult.Direction()
        var log = FrameLog()
    }

    /// Runs the call.
    /// - Parameter progress: is told after each second of the call.
    /// - Returns: the result as a line of JSON.
    func run(progress: (_ second: Int) -> Void) throws -> String {
        let link = cell.link(kilobits: plan.kilobits, queue: plan.queue)
        var configuration = try VirtualCallConfiguration(link: link)
        configuration.seed = UInt64(seed)
        configuration.duration = .seconds(plan.seconds)
        configuration.video = .film(media.film)
        configuration.speech = media.speech
        configuration.judgesEveryNth = plan.judgesEveryNth
        if let start = plan.start { configuration.bandwidth.start = .kilobitsPerSecond(start) }
        if let most = plan.most { configuration.bandwidth.maximum = .kilobitsPerSecond(most) }
        let answer = TextBox()
        configuration.rewriteAnswer = { text in
            answer.text.withLock { $0 = text }
            return text
        }
        let call = try VirtualCall(configuration)
        var there = Measured()
        var back = Measured()
        let keepsLog = plan.logFolder != nil
        call.network.tap = { record, bytes in
            guard case .sent(let passage) = record.event else { return }
            let isThere = record.source == VirtualCall.callerAddress
            if there.wire.pictureType == nil {
                let text = answer.text.withLock { $0 }
                there.wire.read(sdp: text)
                back.wire.read(sdp: text)
            }
            let header = isThere ? there.wire.sent(bytes) : back.wire.sent(bytes)
            guard keepsLog else { return }
            if isThere {
                there.log.note(header, count: bytes.count, passage, at: record.time)
            } else {
                back.log.note(header, count: bytes.count, passage, at: record.time)
            }
        }
        for second in 1...plan.seconds {
            call.run(until: .zero + .seconds(second))
            for (isCaller, peer) in [(true, call.callerPeer), (false, call.calleePeer)] {
                var statistics: PeerStatistics?
                call.withPeer(caller: isCaller) { _, local, _ in statistics = peer.statistics(now: local) }
                guard let statistics else { continue }
                let (estimate, queue) = (statistics.estimate.kilobitsPerSecond, statistics.queueDelay.milliseconds)
                if isCaller {
                    there.estimates.append(estimate)
                    there.queueDelays.append(queue)
                } else {
                    back.estimates.append(estimate)
                    back.queueDelays.append(queue)
                }
            }
            progress(second)
        }
        call.network.tap = nil
        if let error = call.signallingError { throw error }
        let result = call.result()
        there.seen = result.callerToCallee
        back.seen = result.calleeToCaller
        if let folder = plan.logFolder {
            try there.log.write(
                there.seen, estimates: there.estimates, queueDelays: there.queueDelays,
                name: "\(folder)/\(cell.name),seed=\(seed),there")
            try back.log.write(
                back.seen, estimates: back.estimates, queueDelays: back.queueDelays,
                name: "\(folder)/\(cell.name),seed=\(seed),back")
        }
        var report = CallReport()
        report.seed = UInt64(seed)
        report.seconds = Double(plan.seconds)
        report.link = CallReport.Link(ab: link, ba: link)
        report.connect.firstFrameMs = result.callerToCallee.firstPicture.map { ($0 - Instant.zero).milliseconds }
        report.connect.firstAudioMs = result.callerToCallee.sounds.first.map { ($0.played - Instant.zero).milliseconds }
        report.directions = [
            direction("caller->callee", there, call, fromCaller: true),
            direction("callee->caller", back, call, fromCaller: false),
        ]
        return JSONText.object([
            ("key", .string(plan.key(cell, seed: seed))),
            ("cell", cellText), ("report", report.json),
            (
                "extra",
                .array([extra(there, call, fromCaller: true), extra(back, call, fromCaller: false)])
            ), ("traceHash", .string(String(result.traceHash, radix: 16))),
        ]).text(pretty: false)
    }

    private var cellText: JSONText {
        .object([
            ("loss", .integer(cell.loss)), ("model", .string(cell.model.rawValue)), ("rtt", .integer(cell.roundTrip)),
            ("rateKbps", .integer(plan.kilobits)), ("queueMs", .integer(plan.queue)),
            ("seconds", .integer(plan.seconds)), ("height", .integer(plan.height)),
            ("startKbps", .optional(plan.start)), ("mostKbps", .optional(plan.most)),
            ("revision", .string(plan.revision)),
        ])
    }

    private var end: Instant { .zero + .seconds(plan.seconds) }

    private func link(_ call: VirtualCall, fromCaller: Bool) -> LinkStatistics? {
        let (from, to) = (VirtualCall.callerAddress, VirtualCall.calleeAddress)
        return fromCaller
            ? call.network.link(from: from, to: to)?.statistics : call.network.link(from: to, to: from)?.statistics
    }

    private func statistics(_ call: VirtualCall, ofCaller isCaller: Bool) -> PeerStatistics? {
        var statistics: PeerStatistics?
        call.withPeer(caller: isCaller) { peer, local, _ in statistics = peer.statistics(now: local) }
        return statistics
    }

    private func direction(
        _ name: String, _ measured: Measured, _ call: VirtualCall, fromCaller: Bool
    ) -> CallReport.Direction {
        var direction = CallReport.Direction(name: name)
        let seen = measured.seen
        direction.video = video(seen)
        let latency = Percentiles(seen.audioLatencies.map { $0.milliseconds })
        direction.audio.latency = latency.latency
        let counts = seen.audioStatistics
        if counts.totalSamplesReceived > 0 {
            let all = Double(counts.totalSamplesReceived)
            let heard = Double(counts.concealedSamples) - Double(counts.silentConcealedSamples)
            direction.audio.concealedPercent = 100 * max(0, heard) / all
            direction.audio.recoveredPercent = 100 * Double(counts.recoveredSamples) / all
        }
        direction.audio.interruptions = Int(counts.interruptions)
        let sync = lipSync(seen)
        direction.avSkew.p50 = sync.p50
        direction.avSkew.p95Abs = sync.p95Abs
        if let inSync = sync.firstInSyncMs, let first = seen.firstPicture {
            direction.avSkew.firstInSyncMs = inSync - (first - Instant.zero).milliseconds
        }
        if let first = seen.sentPictures.first, let last = seen.sentPictures.last, last.captured > first.captured {
            let seconds = (last.captured - first.captured).seconds
            direction.video.bitrateKbps = Double(seen.videoBytesSent) * 8 / 1000 / seconds
            direction.audio.bitrateKbps = Double(seen.audioBytesSent) * 8 / 1000 / seconds
        }
        network(&direction.network, measured, call, fromCaller: fromCaller)
        return direction
    }

    private func video(_ seen: VirtualCallResult.Direction) -> CallReport.Video {
        var video = CallReport.Video()
        let captured = Dictionary(seen.sentPictures.map { ($0.index, $0.captured) }, uniquingKeysWith: { $1 })
        var known: Set<Int> = []
        // By the stamps, not by what the transport says of capture times.
        let shown = seen.pictures.filter { picture in picture.index.map { known.insert($0).inserted } ?? false }
        let counting = seen.sentPictures.filter { $0.captured <= end - Self.tail }
        video.framesSent = counting.count
        video.framesRendered = counting.count { known.contains($0.index) }
        video.framesNeverShown = counting.count { !known.contains($0.index) }
        let last = shown.max { ($0.height ?? 0) < ($1.height ?? 0) }
        var sizes: [[Int]: Int] = [:]
        for picture in shown { sizes[[picture.width ?? 0, picture.height ?? 0], default: 0] += 1 }
        let usual = sizes.max { ($0.value, $0.key[0]) < ($1.value, $1.key[0]) }?.key
        (video.width, video.height) = (usual?[0] ?? last?.width, usual?[1] ?? last?.height)
        let timing = FrameTiming(
            renderTimesMs: shown.map { ($0.rendered - Instant.zero).milliseconds },
            endMs: (end - Instant.zero).milliseconds)
        video.fps = timing.fps
        video.fpsP5 = timing.fpsP5
        if !shown.isEmpty {
            video.freezes = timing.freezes.count
            video.freezeSeconds = timing.freezes.map(\.lengthMs).reduce(0, +) / 1000
        }
        video.longestGapMs = timing.longestGapMs
        let latencies = shown.compactMap { picture in
            picture.index.flatMap { captured[$0] }.map { (picture.rendered - $0).milliseconds }
        }
        video.latency = Percentiles(latencies).latency
        if !seen.comparisons.isEmpty {
            let count = Double(seen.comparisons.count)
            video.psnrY = seen.comparisons.map(\.psnrY).reduce(0, +) / count
            video.ssim = seen.comparisons.map(\.ssim).reduce(0, +) / count
            video.qualityEveryNth = plan.judgesEveryNth
        }
        return video
    }

    private func lipSync(_ seen: VirtualCallResult.Direction) -> LipSync {
        LipSync(
            frames: seen.pictures.map {
                (($0.captured - Instant.zero).milliseconds, ($0.rendered - Instant.zero).milliseconds)
            },
            audio: seen.sounds.compactMap { sound in
                sound.captured.map { (($0 - Instant.zero).milliseconds, (sound.played - Instant.zero).milliseconds) }
            })
    }

    private func network(
        _ network: inout CallReport.Network, _ measured: Measured, _ call: VirtualCall, fromCaller: Bool
    ) {
        let wire = measured.wire
        let media = measured.seen.videoBytesSent + measured.seen.audioBytesSent
        network.packetsSent = wire.datagrams
        network.packetsLostPercent = link(call, fromCaller: fromCaller)?.lossRate.map { 100 * $0 }
        network.mediaBytes = media
        network.wireBytes = wire.bytes
        if media > 0 { network.expansion = Double(wire.bytes) / Double(media) }
        if measured.seen.videoBytesSent > 0 {
            network.videoExpansion = Double(wire.videoPayload) / Double(measured.seen.videoBytesSent)
        }
        network.estimateKbps = measured.estimates.last.map { Int($0) }
        network.queueDelayP95 = Percentiles(measured.queueDelays)(95)
        let streams = statistics(call, ofCaller: fromCaller)?.outbound ?? []
        network.nacks = streams.reduce(0) { $0 + Int(clamping: $1.counts.nacksReceived) }
        network.retransmissions = streams.reduce(0) { $0 + Int(clamping: $1.counts.retransmittedPackets) }
        network.plis = streams.reduce(0) { $0 + Int(clamping: $1.counts.plisReceived + $1.counts.firsReceived) }
    }

    /// What the page wants beside a call report.
    private func extra(_ measured: Measured, _ call: VirtualCall, fromCaller: Bool) -> JSONText {
        let seen = measured.seen
        let skew = Percentiles(lipSync(seen).samples.map(\.skewMs))
        let frames = measured.wire.packetsPerFrame.sorted { $0.key < $1.key }
        return .object([
            ("videoMediaBytes", .integer(seen.videoBytesSent)), ("audioMediaBytes", .integer(seen.audioBytesSent)),
            ("videoPayloadBytes", .integer(measured.wire.videoPayload)),
            ("audioPayloadBytes", .integer(measured.wire.audioPayload)),
            ("feedbackBytes", .integer(measured.wire.feedbackBytes)), ("keyFrames", .integer(seen.keyFramesSent)),
            ("framesCaptured", .integer(seen.picturesCaptured)), ("decoderErrors", .integer(seen.decoderErrors)),
            // Positive where the picture is later than its sound.
            ("skewP5Ms", .optional(skew(5))), ("skewP95Ms", .optional(skew(95))),
            ("meanBurst", .optional(link(call, fromCaller: fromCaller)?.meanBurst)),
            ("longestBurst", .optional(link(call, fromCaller: fromCaller).map { Int(clamping: $0.longestBurst) })),
            ("estimateKbpsP5", .optional(Percentiles(measured.estimates)(5))),
            ("staleShare", .optional(stale(seen), digits: 4)),
            (
                "packetsPerFrame",
                .object(frames.map { (String($0.key), .integer($0.value)) })
            ),
        ])
    }

    /// The share of compared pictures for which the viewer had an older one.
    private func stale(_ seen: VirtualCallResult.Direction) -> Double? {
        seen.comparisons.isEmpty
            ? nil : Double(seen.comparisons.count { $0.seen != $0.index }) / Double(seen.comparisons.count)
    }
}

/// A text that a sendable function may set.
final class TextBox: Sendable {
    let text = Mutex("")
}

internal import Foundation
internal import Logging
internal import Petrel
internal import PetrelCodecs
internal import PetrelDevices
internal import PetrelTools

/// What `petrel peer` does with the messages it gets.
actor PeerSession {
    private let output: LineOutput
    private var call: Call?
    private var recorder: PeerRecorder?
    private var pictures: (any PictureReader)?
    private var sound: (any SoundReader)?
    private var source: StampedSource?
    private var localVideo: LocalVideoTrack?
    private var localAudio: LocalAudioTrack?
    private var tasks: [Task<Void, Never>] = []
    private var created = 0.0
    private var reportsStatistics = false
    private var isFinished = false
    private var usageAtStart = ProcessUsage.current()

    init(output: LineOutput) { self.output = output }

    /// Takes one line. False where it was the last.
    func handle(_ line: String) async -> Bool {
        guard let message = LineMessage(line), let type = message.type else {
            complain("not a JSON object with a type: \(line.prefix(80))")
            return true
        }
        do {
            switch type {
            case "config": try await configure(message)
            case "createOffer": try await offer(restart: message.flag("iceRestart") ?? false)
            case "offer": try await answer(message)
            case "answer": try await accept(message)
            case "candidate": try await candidate(message)
            case "addTrack": try await addTrack(message)
            case "removeTrack": try await removeTrack(message)
            case "finish":
                await finish()
                return false
            default: complain("unknown message type: \(type.prefix(40))")
            }
        } catch {
            complain("\(error)")
        }
        return true
    }

    nonisolated func complain(_ text: String) {
        // What came in may be quoted, and goes on to terminals: nothing of it steers one.
        let plain = String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { $0.properties.generalCategory == .control ? "\u{FFFD}" : $0 }))
        output.send(["type": "error", "message": plain])
    }

    private func ready() throws -> Call {
        guard let call else { throw ToolError("nothing is set up yet: send config first") }
        return call
    }

    private func configure(_ message: LineMessage) async throws {
        guard call == nil else { throw ToolError("config was given before; a peer is configured once") }
        let size = VideoSize(width: message.integer("w") ?? 1280, height: message.integer("h") ?? 720)
        guard (16...8192).contains(size.width), (16...8192).contains(size.height) else {
            throw ToolError("a picture of \(size) cannot be sent; 16 to 8192 pixels each way are possible")
        }
        let rate = message.number("fps") ?? 30
        guard (1...120).contains(rate) else { throw ToolError("\(rate) pictures a second; 1 to 120 are possible") }
        var settings = CallConfiguration()
        settings.addressProfile = .lab
        settings.maximumVideoKilobitsPerSecond = message.integer("maxKbps") ?? 2500
        settings.startVideoKilobitsPerSecond = message.integer("startKbps") ?? settings.maximumVideoKilobitsPerSecond
        if let address = message.text("address") { settings.localAddresses = [address] }
        if let path = message.text("capture") {
            settings.packetCapture = PacketCaptureOptions(
                path: path, decrypted: message.flag("captureDecrypted") ?? false)
        }
        settings.logger = Logger(label: "petrel.peer") { StreamLogHandler.standardError(label: $0) }
        settings.logger.logLevel = .warning
        reportsStatistics = message.flag("statistics") ?? false
        let recorder = try PeerRecorder(
            log: message.text("log"), folder: message.text("out"), recording: message.text("record"), size: size)
        let sendsVideo = message.flag("sendVideo") ?? true
        let sendsAudio = message.flag("sendAudio") ?? true
        let receivesVideo = message.flag("recvVideo") ?? true
        if sendsVideo {
            pictures = try VideoInput(message.text("video") ?? "testcard").open(
                width: size.width, height: size.height, framesPerSecond: Int(rate))
        }
        if sendsAudio { sound = try AudioInput(message.text("audio") ?? "builtin").open(channels: 1) }
        let call = try await Call(settings)
        self.call = call
        self.recorder = recorder
        source = pictures.map { StampedSource($0, framesPerSecond: rate) }
        try await sendAudio()
        try await sendVideo()
        try await call.receiveOnly(video: receivesVideo && !sendsVideo, audio: !sendsAudio)
        tasks.append(Task { await self.follow(call, recorder) })
        tasks.append(Task { await self.watch() })
        output.send(["type": "ready"])
    }

    private func sendAudio() async throws {
        guard let call, let recorder, let sound else { return }
        localAudio = try await call.addAudio(ReaderSound(sound) { recorder.audioSent($0) })
    }

    private func sendVideo() async throws {
        guard let call, let recorder, let source else { return }
        let track = try await call.addVideo()
        recorder.watch(track)
        track.replaceSource(source)
        localVideo = track
    }

    private func addTrack(_ message: LineMessage) async throws {
        _ = try ready()
        switch message.text("kind") {
        case "audio" where localAudio == nil && sound != nil: try await sendAudio()
        case "video" where localVideo == nil && source != nil: try await sendVideo()
        default:
            throw ToolError("addTrack takes a kind, audio or video, that config sent and removeTrack has taken away")
        }
    }

    private func removeTrack(_ message: LineMessage) async throws {
        let call = try ready()
        switch (message.text("kind"), localAudio, localVideo) {
        case ("audio", let track?, _):
            try await call.remove(track)
            localAudio = nil
        case ("video", _, let track?):
            try await call.remove(track)
            localVideo = nil
        default: throw ToolError("removeTrack takes a kind, audio or video, of which there is a track")
        }
    }

    private func offer(restart: Bool) async throws {
        let call = try ready()
        created = wallMilliseconds()
        recorder?.milestone(.offerCreated, wallMs: created)
        output.send(["type": "offer", "sdp": try await restart ? call.restart() : call.createOffer()])
    }

    private func answer(_ message: LineMessage) async throws {
        guard let sdp = message.text("sdp") else { throw ToolError("an offer without sdp") }
        created = message.number("created") ?? wallMilliseconds()
        recorder?.milestone(.offerCreated, wallMs: created)
        output.send(["type": "answer", "sdp": try await ready().answer(sdp)])
    }

    private func accept(_ message: LineMessage) async throws {
        guard let sdp = message.text("sdp") else { throw ToolError("an answer without sdp") }
        try await ready().accept(answer: sdp)
    }

    private func candidate(_ message: LineMessage) async throws {
        let inner = message.object("candidate")
        try await ready().addRemoteCandidate(
            inner?.text("candidate") ?? message.text("candidate"), mid: inner?.text("sdpMid"),
            index: inner?.integer("sdpMLineIndex"))
    }

    // MARK: While the call runs

    private func follow(_ call: Call, _ recorder: PeerRecorder) async {
        for await event in call.events {
            switch event {
            case .videoTrack(let track): recorder.watch(track)
            case .audioTrack(let track): recorder.watch(track)
            case .state(.connected, _):
                let now = wallMilliseconds()
                recorder.reached(.connected, wallMs: now)
                output.send(["type": "conn", "state": "connected", "t": now])
            case .state(.failed, let reason):
                output.send(["type": "conn", "state": "failed", "reason": reason ?? "the call failed"])
            case .localCandidate(let line, let mid):
                guard let line else { break }
                let inner: [String: any Sendable] = ["candidate": line, "sdpMid": mid ?? "0", "sdpMLineIndex": 0]
                output.send(["type": "candidate", "candidate": inner])
            case .state(.disconnected, _): output.send(["type": "conn", "state": "disconnected"])
            case .state, .trackEnded, .pathChanged: break
            }
        }
    }

    private func watch() async {
        var milestones = Set<PeerFolder.Step>()
        var last: (at: Double, rendered: UInt64, bytes: UInt64)?
        while !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(1000))
            guard let call, let recorder, let statistics = try? await call.statistics() else { return }
            note(statistics, &milestones, recorder)
            let usage = ProcessUsage.current()
            recorder.write(counters(statistics, usage))
            recorder.write(W3CStatistics.dictionaries(statistics))
            guard reportsStatistics else { continue }
            let now = wallMilliseconds()
            let video = statistics.inbound.filter { $0.kind == "video" }
            let rendered = video.reduce(UInt64(0)) { $0 + $1.framesRendered }
            let bytes = statistics.inbound.reduce(UInt64(0)) { $0 + $1.bytesReceived }
            var line: [String: any Sendable] = [
                "type": "stats", "width": video.last?.frameWidth ?? 0, "height": video.last?.frameHeight ?? 0,
                "freezes": video.reduce(0) { $0 + $1.freezeCount },
                "lost": statistics.inbound.reduce(Int64(0)) { $0 + max(0, $1.packetsLost) },
                "received": statistics.inbound.reduce(UInt64(0)) { $0 + $1.packetsReceived },
                "sent": statistics.outbound.reduce(UInt64(0)) { $0 + $1.packetsSent + $1.retransmittedPacketsSent },
                "repaired": statistics.inbound.reduce(UInt64(0)) { $0 + $1.retransmittedPacketsReceived },
            ]
            if let last, now > last.at {
                line["fps"] = Double(rendered &- last.rendered) * 1000 / (now - last.at)
                line["kbps"] = Double(bytes &- last.bytes) * 8 / (now - last.at)
            }
            last = (now, rendered, bytes)
            if let latency = recorder.takeLatency() { line["latency"] = latency }
            if let skew = statistics.avSkewMilliseconds { line["skew"] = skew }
            let audio = statistics.inbound.filter { $0.kind == "audio" }
            let samples = audio.reduce(UInt64(0)) { $0 + $1.totalSamplesReceived }
            if samples > 0 {
                let concealed = audio.reduce(UInt64(0)) { $0 + $1.concealedSamples - $1.silentConcealedSamples }
                line["concealed"] = Double(concealed) * 100 / Double(samples)
            }
            output.send(line)
        }
    }

    /// Milestones that the engine has timed, on the wall clock.
    private func note(
        _ statistics: CallStatistics, _ done: inout Set<PeerFolder.Step>, _ recorder: PeerRecorder
    ) {
        let steps: [(PeerFolder.Step, PetrelTools.CallEvent.Milestone?, Int64?)] = [
            (.iceConnected, .iceConnected, statistics.pathFoundAt), (.connected, .dtlsConnected, statistics.securedAt),
            (.firstAudioPacket, nil, statistics.firstAudioAt), (.firstVideoPacket, nil, statistics.firstVideoFrameAt),
        ]
        for (step, milestone, at) in steps where !done.contains(step) {
            guard let at else { continue }
            done.insert(step)
            recorder.reached(step, wallMs: Double(at) / 1e6)
            if let milestone { recorder.milestone(milestone, wallMs: Double(at) / 1e6) }
        }
    }

    private func counters(_ statistics: CallStatistics, _ usage: ProcessUsage) -> PeerCounters {
        var counters = PeerCounters()
        let video = statistics.outbound.filter { $0.kind == "video" }
        let audio = statistics.outbound.filter { $0.kind == "audio" }
        func sum<Element>(_ list: [Element], _ value: (Element) -> UInt64) -> Int {
            Int(clamping: list.reduce(UInt64(0)) { $0 &+ value($1) })
        }
        counters.packetsSent = sum(statistics.outbound) { $0.packetsSent + $0.retransmittedPacketsSent }
        counters.audioMediaBytes = sum(audio) { $0.mediaBytes }
        counters.videoMediaBytes = sum(video) { $0.mediaBytes }
        counters.videoPayloadBytes = sum(video) { $0.bytesSent + $0.retransmittedBytesSent + $0.repairBytesSent }
        counters.datagramsSent = Int(clamping: statistics.transport.packetsSent)
        counters.wireBytes = Int(clamping: statistics.transport.bytesSent)
        counters.nacks = sum(video) { $0.nackCount }
        counters.retransmissions = sum(statistics.outbound) { $0.retransmittedPacketsSent }
        counters.plis = sum(video) { $0.pliCount + $0.firCount }
        // The sender's count holds what it sent again; W3C counts that apart only when it came as RTX.
        counters.packetsReceived = sum(statistics.inbound) { $0.packetsReceived + $0.retransmittedPacketsReceived }
        counters.fecRecovered = sum(statistics.inbound) { $0.packetsRecovered }
        counters.rtxRecovered = sum(statistics.inbound) { $0.retransmittedPacketsReceived }
        let heard = statistics.inbound.filter { $0.kind == "audio" }
        counters.audioBytesReceived = sum(heard) { $0.bytesReceived }
        counters.videoBytesReceived = sum(statistics.inbound.filter { $0.kind == "video" }) { $0.bytesReceived }
        counters.samplesPlayed = sum(heard) { $0.totalSamplesReceived }
        counters.samplesConcealed = sum(heard) { $0.concealedSamples }
        counters.samplesSilentConcealed = sum(heard) { $0.silentConcealedSamples }
        counters.samplesRecovered = sum(heard) { $0.recoveredSamples }
        counters.interruptions = sum(heard) { $0.interruptionCount }
        counters.cpuMs = Int((usage.cpuSeconds - usageAtStart.cpuSeconds) * 1000)
        let children = (pictures?.childCPUSeconds ?? 0) + (sound?.childCPUSeconds ?? 0)
        counters.childrenCpuMs = Int(children * 1000)
        counters.maxRssKB = usage.maxRssKB
        counters.estimateKbps = Int(statistics.transport.availableOutgoingBitrate / 1000)
        counters.queueDelayMs = Int(statistics.transport.queueDelayMilliseconds)
        return counters
    }

    // MARK: The end

    private func finish() async {
        guard !isFinished else { return }
        isFinished = true
        recorder?.milestone(.sendingEnded, wallMs: wallMilliseconds())
        // Both sides stop now. What is on its way is still shown; but sound that nobody sends any more is no loss.
        let whileSending = (try? await call?.statistics()).map { counters($0, ProcessUsage.current()) }
        localVideo?.replaceSource(nil)
        localAudio?.replaceSource(nil)
        try? await Task.sleep(for: .milliseconds(300))
        if let call, let recorder, let statistics = try? await call.statistics() {
            var last = counters(statistics, ProcessUsage.current())
            if let whileSending {
                last.samplesPlayed = whileSending.samplesPlayed
                last.samplesConcealed = whileSending.samplesConcealed
                last.samplesSilentConcealed = whileSending.samplesSilentConcealed
                last.samplesRecovered = whileSending.samplesRecovered
                last.interruptions = whileSending.interruptions
            }
            recorder.write(last)
        }
        await end()
        do { try recorder?.finish() } catch { complain("\(error)") }
        output.send(["type": "done"])
    }

    /// Ends everything without a word.
    func end() async {
        for task in tasks { task.cancel() }
        pictures?.close()
        sound?.close()
        await call?.close()
        recorder?.milestone(.closed, wallMs: wallMilliseconds())
    }
}

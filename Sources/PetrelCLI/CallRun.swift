internal import Foundation
internal import PetrelDevices
internal import PetrelIO
internal import PetrelLab
internal import PetrelTools

/// What a call is to be.
struct CallPlan: Sendable {
    var forward: LinkDescription
    var backward: LinkDescription
    var seconds: Double
    var video: VideoInput
    var audio: AudioInput
    var width: Int
    var height: Int
    var framesPerSecond: Double
    var maximumKbps: Int
    var seed: UInt64
    var capturesPackets: Bool
    var notes: [String]
}

/// Runs two peer processes and the relay between them, and makes the report.
final class CallRun {
    struct Finished {
        var json: String
        var summary: String
    }

    /// How long a peer may take to say what it is asked: a camera may need a while to wake up.
    static let patience = 30.0
    /// The least share of the peers' datagrams that must have crossed the relay.
    static let leastSeenPercent = 99.9

    private let plan: CallPlan
    private let folder: ReportFolder
    private let relay: LiveRelay
    private let screen = LiveScreen()

    init(_ plan: CallPlan, folder: ReportFolder) throws {
        self.plan = plan
        self.folder = folder
        do {
            relay = try LiveRelay(
                LiveRelay.Configuration(forward: plan.forward, backward: plan.backward, seed: plan.seed))
        } catch {
            folder.discard()
            throw ToolError("The relay between the peers cannot be started: \(error)")
        }
    }

    func run() async throws -> Finished {
        let interrupted = Lock(false)
        let signals = Signals.onInterrupt { interrupted.withLock { $0 = true } }
        defer { withExtendedLifetime(signals) {} }
        var peers: [ChildPeer] = []
        do {
            for note in plan.notes { screen.say(note) }
            peers = [try ChildPeer(name: "caller"), try ChildPeer(name: "callee")]
            let result = try await conduct(peers[0], peers[1], interrupted)
            for peer in peers { await peer.end() }
            relay.stop()
            return try finish(result)
        } catch {
            for peer in peers { await peer.end() }
            relay.stop()
            folder.discard()
            throw error
        }
    }

    private struct Conduct {
        var secondsRun: Double
        var relayed: Int
    }

    private func conduct(_ caller: ChildPeer, _ callee: ChildPeer, _ interrupted: Lock<Bool>) async throws -> Conduct {
        let inbox = Inbox()
        let tasks = [caller, callee].map { peer in
            Task {
                for await message in peer.lines { await inbox.put(peer.name, message) }
                await inbox.ended(peer.name)
            }
        }
        defer { tasks.forEach { $0.cancel() } }
        for peer in [caller, callee] { peer.send(try configuration(peer.name)) }
        for peer in [caller, callee] { _ = try await inbox.wait(peer.name, "ready", seconds: Self.patience) }
        try relay.start()

        let created = wallMilliseconds()
        caller.send(["type": "createOffer"])
        let offer = try await inbox.wait("caller", "offer", seconds: Self.patience)
        let toCallee = CandidateRewriter.rewrite(sessionDescription: offer.text("sdp") ?? "", to: relay.face(for: .a))
        callee.send(["type": "offer", "sdp": toCallee, "created": created])
        let answer = try await inbox.wait("callee", "answer", seconds: Self.patience)
        let toCaller = CandidateRewriter.rewrite(sessionDescription: answer.text("sdp") ?? "", to: relay.face(for: .b))
        caller.send(["type": "answer", "sdp": toCaller])
        for peer in ["caller", "callee"] {
            let message = try await inbox.wait(peer, "conn", seconds: Self.patience)
            guard message.text("state") == "connected" else {
                throw ToolError("The call was not connected: \(message.text("reason") ?? "no reason given")")
            }
        }
        let began = wallMilliseconds()
        while true {
            try? await Task.sleep(for: .milliseconds(250))
            let elapsed = (wallMilliseconds() - began) / 1000
            screen.show(await snapshot(inbox, elapsed: elapsed))
            if let failure = await inbox.failure { throw ToolError(failure) }
            if elapsed >= plan.seconds || interrupted.withLock({ $0 }) { break }
        }
        let secondsRun = (wallMilliseconds() - began) / 1000
        for peer in [caller, callee] { peer.send(["type": "finish"]) }
        for peer in ["caller", "callee"] { _ = try await inbox.wait(peer, "done", seconds: Self.patience) }
        let relayed = relay.statistics(from: .a).received + relay.statistics(from: .b).received
        return Conduct(secondsRun: secondsRun, relayed: Int(clamping: relayed))
    }

    private func configuration(_ peer: String) throws -> [String: any Sendable] {
        let record = try folder.folder(peer)
        var message: [String: any Sendable] = [
            "type": "config", "video": plan.video.text, "audio": plan.audio.text, "w": plan.width, "h": plan.height,
            "fps": plan.framesPerSecond, "maxKbps": plan.maximumKbps, "address": "127.0.0.1", "statistics": true,
            "log": record + "/events.log", "record": record,
        ]
        if plan.capturesPackets {
            message["capture"] = record + "/packets.pcapng"
            message["captureDecrypted"] = true
        }
        return message
    }

    private func snapshot(_ inbox: Inbox, elapsed: Double) async -> CallSnapshot {
        var snapshot = CallSnapshot(elapsedSeconds: elapsed, totalSeconds: plan.seconds, state: "running")
        for (sender, receiver) in [("caller", "callee"), ("callee", "caller")] {
            var direction = CallSnapshot.Direction(name: "\(sender) -> \(receiver)")
            if let seen = await inbox.statistics(receiver) {
                direction.width = seen.integer("width").flatMap { $0 > 0 ? $0 : nil }
                direction.height = seen.integer("height").flatMap { $0 > 0 ? $0 : nil }
                direction.fps = seen.number("fps")
                direction.bitrateKbps = seen.number("kbps")
                direction.latencyMs = seen.number("latency")
                direction.repaired = seen.integer("repaired")
                direction.freezes = seen.integer("freezes")
                direction.concealedPercent = seen.number("concealed")
                direction.skewMs = seen.number("skew")
            }
            let link = relay.statistics(from: sender == "caller" ? .a : .b).link
            direction.lossPercent = link.lossRate.map { $0 * 100 }
            snapshot.directions.append(direction)
        }
        return snapshot
    }

    // MARK: The report

    private func finish(_ conduct: Conduct) throws -> Finished {
        screen.say("writing the report")
        let builder = CallReportBuilder(
            caller: try PeerLog(path: folder.file("caller/events.log")),
            callee: try PeerLog(path: folder.file("callee/events.log")))
        var report = builder.report()
        report.seed = plan.seed
        report.seconds = conduct.secondsRun
        report.link = CallReport.Link(ab: "\(plan.forward)", ba: "\(plan.backward)")
        report.notes = plan.notes
        let sent = [builder.caller, builder.callee].reduce(0) { sum, log in
            sum + (log.counters.last?.counters.datagramsSent ?? 0)
        }
        report.relay.seenPercent = sent > 0 ? min(100, Double(conduct.relayed) * 100 / Double(sent)) : nil
        var ways: [CallReportWriter.Way] = []
        for (analysis, receiver) in [(builder.forward, "callee"), (builder.backward, "caller")] {
            let source =
                plan.video.isRepeatable
                ? try? plan.video.open(
                    width: plan.width, height: plan.height, framesPerSecond: Int(plan.framesPerSecond))
                : nil
            ways.append(
                CallReportWriter.Way(
                    analysis: analysis, recording: folder.file("\(receiver)/seen.ivf"), source: source))
        }
        let writer = CallReportWriter(folder: folder)
        report = try writer.write(report, ways: ways)
        if let reason = writer.draw(root: Self.projectRoot) { screen.say(reason) }
        try folder.commit()
        guard let seen = report.relay.seenPercent, seen >= Self.leastSeenPercent else {
            throw ToolError(
                "Of \(sent) datagrams that the peers sent, \(conduct.relayed) crossed the relay, less than \(Self.leastSeenPercent) % of the peers' datagrams crossed the relay: there is a direct path round it, and the figures in \(folder.path) mean nothing"
            )
        }
        return Finished(json: report.json.text(pretty: true), summary: Summary.text(report, folder: folder.path))
    }

    /// The folder that holds Scripts: where the program was built, or where it runs.
    private static var projectRoot: String {
        var folder = URL(fileURLWithPath: CommandLine.arguments[0]).standardizedFileURL.deletingLastPathComponent()
        for _ in 0..<5 {
            if FileManager.default.fileExists(atPath: folder.path + "/Scripts/report.py") { return folder.path }
            folder = folder.deletingLastPathComponent()
        }
        return "."
    }
}

/// What the peers said, kept until it is asked for.
private actor Inbox {
    private var messages: [(peer: String, message: LineMessage)] = []
    private var latest: [String: LineMessage] = [:]
    private var gone: Set<String> = []
    private(set) var failure: String?

    func put(_ peer: String, _ message: LineMessage) {
        switch message.type {
        case "stats": latest[peer] = message
        case "candidate": break
        case "error":
            failure = failure ?? "The \(peer) says: \(message.text("message") ?? "something went wrong")"
        case "conn"
        where message.text("state") == "failed" && messages.contains { $0.peer == peer && $0.message.type == "conn" }:
            failure = "The \(peer) lost the call: \(message.text("reason") ?? "no reason given")"
        default: messages.append((peer, message))
        }
    }

    func ended(_ peer: String) { gone.insert(peer) }
    func statistics(_ peer: String) -> LineMessage? { latest[peer] }

    func wait(_ peer: String, _ type: String, seconds: Double) async throws -> LineMessage {
        let deadline = wallMilliseconds() + seconds * 1000
        while wallMilliseconds() < deadline {
            if let index = messages.firstIndex(where: { $0.peer == peer && $0.message.type == type }) {
                return messages.remove(at: index).message
            }
            if let failure { throw ToolError(failure) }
            if gone.contains(peer) {
                throw ToolError("The \(peer) process ended unexpectedly before it said '\(type)'")
            }
            try await Task.sleep(for: .milliseconds(1))
        }
        throw ToolError("The \(peer) did not say '\(type)' within \(Int(seconds)) seconds")
    }
}

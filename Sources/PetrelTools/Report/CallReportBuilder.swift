/// Makes the report of a call from what both peers wrote down. Pure: no clock, no files.
public struct CallReportBuilder: Sendable {
    public var caller: PeerLog
    public var callee: PeerLog

    public init(caller: PeerLog, callee: PeerLog) { (self.caller, self.callee) = (caller, callee) }

    /// What both logs give. The seed, the link, the relay's share, the picture quality and the notes are for the
    /// caller of this function to fill in.
    public func report() -> CallReport {
        var report = CallReport()
        report.seconds = [caller, callee].compactMap(\.sendingSeconds).max()
        report.connect = connect()
        report.directions = [forward.direction(), backward.direction()]
        report.process = [process("caller", caller), process("callee", callee)]
        return report
    }

    /// The way from the caller to the callee.
    public var forward: DirectionAnalysis {
        DirectionAnalysis(name: "caller->callee", sender: caller, receiver: callee)
    }
    /// The way from the callee to the caller.
    public var backward: DirectionAnalysis {
        DirectionAnalysis(name: "callee->caller", sender: callee, receiver: caller)
    }

    private func connect() -> CallReport.Connect {
        var connect = CallReport.Connect()
        guard let origin = caller.milestones[.offerCreated] ?? callee.milestones[.offerCreated] else { return connect }
        func since(_ milestone: CallEvent.Milestone) -> Double? { callee.milestones[milestone].map { $0 - origin } }
        connect.iceMs = since(.iceConnected)
        connect.dtlsMs = since(.dtlsConnected)
        connect.firstAudioMs = since(.firstAudio)
        connect.firstFrameMs = since(.firstFrame)
        return connect
    }

    private func process(_ name: String, _ log: PeerLog) -> CallReport.Process {
        var process = CallReport.Process(name: name)
        process.maxRssMB = log.counters.compactMap(\.counters.maxRssKB).max().map { Double($0) / 1024 }
        guard let first = log.counters.first, let last = log.counters.last, last.wallMs > first.wallMs else {
            return process
        }
        let wall = last.wallMs - first.wallMs
        func share(_ path: KeyPath<PeerCounters, Int?>) -> Double? {
            guard let end = last.counters[keyPath: path], let start = first.counters[keyPath: path] else { return nil }
            return Double(end - start) / wall * 100
        }
        process.cpuPercent = share(\.cpuMs)
        process.childrenCpuPercent = share(\.childrenCpuMs)
        return process
    }
}

extension PeerLog {
    /// How long this peer sent, from the first frame or sample to the last.
    var sendingSeconds: Double? {
        let starts = [videoSent.first?.captureMs, audioSent.first?.captureMs].compactMap { $0 }
        let ends = [videoSent.last?.captureMs, audioSent.last?.captureMs].compactMap { $0 }
        guard let start = starts.min(), let end = ends.max(), end > start else { return nil }
        return (end - start) / 1000
    }
}

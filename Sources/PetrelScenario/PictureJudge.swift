internal import PetrelCodecs
internal import PetrelCore

/// Compares what the viewer had on the screen with what was captured, while the call goes on.
///
/// Every Nth picture captured is compared with the picture that stood for it: itself, if it was shown by the time it was
/// due (its capture, later by the usual latency and ``slack``), else the newest of those before it that had been shown
/// by then. So a freeze costs what it looks like. Pictures captured before the first one was shown are left out.
struct PictureJudge {
    /// Lateness that passes: the same that a freeze adds to the mean gap (W3C webrtc-stats).
    static let slack = TimeDelta.milliseconds(150)
    /// Latencies in the median.
    static let window = 300
    /// The usual latency while none is known.
    static let firstGuess = TimeDelta.milliseconds(500)
    /// Pictures that may wait for judgement: 30 s of every tenth of 30 a second; beyond it the oldest is judged at once.
    static let maximumPending = 90

    let everyNth: Int
    private(set) var comparisons: [VirtualCallResult.Comparison] = []
    private var pending: [(index: Int, captured: Instant, best: (index: Int, buffer: I420Buffer))] = []
    private var screen: (index: Int, buffer: I420Buffer)?
    private var latencies: [TimeDelta] = []
    private var usual = Self.firstGuess
    /// The picture as it was captured, stamp included.
    private let original: (Int) -> I420Buffer?

    init(everyNth: Int, original: @escaping (Int) -> I420Buffer?) {
        self.everyNth = max(1, everyNth)
        self.original = original
    }

    /// The other side captured picture `index`. All times are true time.
    mutating func captured(_ index: Int, at time: Instant) {
        guard index % everyNth == 0, let screen else { return }
        if pending.count >= Self.maximumPending { judge(pending.removeFirst()) }
        pending.append((index, time, screen))
    }

    /// Picture `index`, captured then, is on the screen from now on.
    mutating func shown(_ index: Int, _ buffer: I420Buffer, captured: Instant, at now: Instant) {
        settle(until: now)
        if latencies.count == Self.window { latencies.removeFirst() }
        latencies.append(now - captured)
        if latencies.count % 30 == 0 { usual = Quantile.of(latencies, 0.5) ?? usual }
        screen = (index, buffer)
        var position = 0
        while position < pending.count {
            if index == pending[position].index {
                pending[position].best = (index, buffer)
                judge(pending.remove(at: position))
                continue
            }
            if index < pending[position].index, index > pending[position].best.index {
                pending[position].best = (index, buffer)
            }
            position += 1
        }
    }

    /// Judges everything that was due by then.
    mutating func settle(until now: Instant) {
        while let first = pending.first, first.captured + usual + Self.slack <= now { judge(pending.removeFirst()) }
    }

    private mutating func judge(_ entry: (index: Int, captured: Instant, best: (index: Int, buffer: I420Buffer))) {
        guard let source = original(entry.index) else { return }
        let seen = entry.best.buffer
        let isSameSize = seen.width == source.width && seen.height == source.height
        let shown = isSameSize ? seen : seen.scaled(width: source.width, height: source.height)
        guard let psnr = PictureQuality.psnrY(source, shown), let ssim = PictureQuality.ssim(source, shown) else {
            return
        }
        comparisons.append(
            VirtualCallResult.Comparison(
                captured: entry.captured, index: entry.index, seen: entry.best.index, psnrY: psnr, ssim: ssim))
    }
}

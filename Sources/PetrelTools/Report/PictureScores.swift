public import PetrelCodecs
public import PetrelDevices

/// How good the pictures were that the viewer saw: compared with those sent, after the call.
///
/// Every Nth frame that was sent is compared with the picture on the screen when that frame was due: its capture time,
/// later by the usual latency (P50) and by ``slackMs``. A frame that had not been shown by then counts as the picture
/// the viewer still saw, so that a freeze costs what it looks like. Frames before the first picture are left out.
public struct PictureScores: Sendable {
    /// Mean over the frames compared, in dB; identical pictures count ``PictureQuality/identical``.
    public private(set) var psnrY: Double?
    public private(set) var ssim: Double?
    public let everyNth: Int
    /// How many frames were compared.
    public private(set) var compared = 0
    /// How many of them met an older picture on the screen.
    public private(set) var stale = 0

    /// Lateness that passes: the same that a freeze adds to the mean gap (W3C webrtc-stats).
    public static let slackMs = 150.0

    /// A frame sent, and which one was on the screen when it was due.
    struct Pair: Equatable {
        var sent: Int
        var seen: Int
        /// The position of the seen frame in the recording.
        var recorded: Int
    }

    /// Two pictures that were compared.
    public struct Comparison {
        public let counter: Int
        public let seenCounter: Int
        public let sent: I420Buffer
        public let seen: I420Buffer
        public let psnrY: Double
    }

    /// - Parameters:
    ///   - way: the direction, with the frames shown in it.
    ///   - recording: what the receiver gave its decoder, frame by frame, as an IVF file.
    ///   - source: the pictures sent, from the first one on, without stamps; it gives the frame of counter 0 first.
    ///   - inspect: is shown every comparison, in order.
    public init(
        of way: DirectionAnalysis, recording: String, source: any PictureReader, everyNth: Int,
        inspect: (Comparison) -> Void = { _ in }
    ) throws(ToolError) {
        self.everyNth = max(1, everyNth)
        let decoder: VP8Decoder
        do throws(CodecError) {
            decoder = try VP8Decoder()
        } catch { throw ToolError("No decoder for the recording: \(error.text)") }
        var recorded = try IVFReader(path: recording)
        var pool = I420BufferPool(limit: 3)
        var nextRecorded = 0
        var nextSource = 0
        var seen: I420Buffer?
        var (psnrs, ssims): ([Double], [Double]) = ([], [])
        for pair in Self.pairs(way, everyNth: self.everyNth) {
            while nextRecorded <= pair.recorded, let frame = recorded.next() {
                nextRecorded += 1
                let hasPicture = (try? frame.bytes.withUnsafeBytes { try decoder.decode($0) }) ?? false
                if hasPicture { seen = decoder.copy(from: &pool) ?? seen }
            }
            guard nextRecorded > pair.recorded, let seen else { continue }
            var sent: I420Buffer?
            while nextSource <= pair.sent {
                guard let picture = source.next() else { break }
                sent = picture
                nextSource += 1
            }
            guard let sent, nextSource == pair.sent + 1 else { break }
            PictureStamp.write(counter: pair.sent, into: sent)
            let isSameSize = seen.width == sent.width && seen.height == sent.height
            let shown = isSameSize ? seen : seen.scaled(width: sent.width, height: sent.height)
            guard let psnr = PictureQuality.psnrY(sent, shown), let ssim = PictureQuality.ssim(sent, shown) else {
                continue
            }
            psnrs.append(psnr)
            ssims.append(ssim)
            compared += 1
            if pair.seen != pair.sent { stale += 1 }
            inspect(Comparison(counter: pair.sent, seenCounter: pair.seen, sent: sent, seen: shown, psnrY: psnr))
        }
        if compared > 0 {
            psnrY = psnrs.reduce(0, +) / Double(compared)
            ssim = ssims.reduce(0, +) / Double(compared)
        }
    }

    /// Which picture was on the screen when each Nth frame was due.
    static func pairs(_ way: DirectionAnalysis, everyNth: Int) -> [Pair] {
        guard let usual = way.videoLatency(50) else { return [] }
        let shown = way.firstShowings.filter { $0.recorded != nil }
        var pairs: [Pair] = []
        for frame in way.sender.videoSent where frame.counter % everyNth == 0 {
            let due = frame.captureMs + usual + slackMs
            var best: (counter: Int, recorded: Int)?
            // The frames shown lie around the frame's own time; a search from the end of what was due is short.
            var index = shown.partitioningIndex { $0.renderMs > due } - 1
            while index >= 0 {
                if let counter = shown[index].counter, let recorded = shown[index].recorded, counter <= frame.counter {
                    best = (counter, recorded)
                    break
                }
                index -= 1
            }
            if let best { pairs.append(Pair(sent: frame.counter, seen: best.counter, recorded: best.recorded)) }
        }
        return pairs
    }

    /// Puts the scores into the report.
    public func fill(_ video: inout CallReport.Video) {
        (video.psnrY, video.ssim) = (psnrY, ssim)
        video.qualityEveryNth = everyNth
    }
}

extension Array {
    /// The first index whose element answers true, where all that answer false come first.
    func partitioningIndex(where belongsInSecond: (Element) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if belongsInSecond(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}

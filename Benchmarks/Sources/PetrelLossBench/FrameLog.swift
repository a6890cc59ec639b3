import BenchSupport
import PetrelCore
import PetrelDevices
import PetrelLab
import PetrelScenario

/// What became of single frames and datagrams of one direction: evidence for why a figure is what it is.
struct FrameLog {
    private var lines: [String] = ["ms,bytes,type,ssrc,sequence,timestamp,fate"]

    mutating func note(_ header: WireMeter.Header?, count: Int, _ passage: Passage, at time: Instant) {
        let fate =
            switch passage {
            case .arrives(let arrival), .arrivesTwice(let arrival, _): Text.milliseconds(arrival - Instant.zero)
            case .lost(let reason): "lost:\(reason)"
            }
        let what =
            header.map {
                "\($0.payloadType)\($0.isMedia ? "" : "c"),\($0.ssrc),\($0.isMedia ? Int($0.sequence) : -1),\($0.isMedia ? Int($0.timestamp) : -1)"
            } ?? "-,-,-1,-1"
        lines.append("\(Text.milliseconds(time - Instant.zero)),\(count),\(what),\(fate)")
    }

    /// Writes NAME.frames.csv, a line per frame sent, NAME.sounds.csv, NAME.datagrams.csv and NAME.seconds.csv.
    func write(
        _ seen: VirtualCallResult.Direction, estimates: [Double], queueDelays: [Double], name: String
    ) throws {
        var frames = ["index,capturedMs,bytes,key,rateKbps,renderedMs,latencyMs"]
        let rendered = Dictionary(
            seen.pictures.compactMap { picture in picture.index.map { ($0, picture.rendered) } },
            uniquingKeysWith: { first, _ in first })
        for picture in seen.sentPictures {
            let shown = rendered[picture.index]
            frames.append(
                "\(picture.index),\(Text.milliseconds(picture.captured - Instant.zero)),\(picture.bytes),"
                    + "\(picture.isKeyFrame ? 1 : 0),\(Int(picture.rate.kilobitsPerSecond)),\(shown.map { Text.milliseconds($0 - Instant.zero) } ?? ""),"
                    + "\(shown.map { Text.milliseconds($0 - picture.captured) } ?? "")")
        }
        var sounds = ["capturedMs,playedMs,latencyMs,kind"]
        for sound in seen.sounds {
            sounds.append(
                "\(sound.captured.map { Text.milliseconds($0 - Instant.zero) } ?? ""),\(Text.milliseconds(sound.played - Instant.zero)),"
                    + "\(sound.captured.map { Text.milliseconds(sound.played - $0) } ?? ""),\(sound.kind)")
        }
        var seconds = ["second,estimateKbps,queueDelayMs"]
        for (second, (estimate, queue)) in zip(estimates, queueDelays).enumerated() {
            seconds.append("\(second + 1),\(Int(estimate)),\(Text.number(queue, 1))")
        }
        try ResultFile.write(seconds, to: name + ".seconds.csv")
        try ResultFile.write(frames, to: name + ".frames.csv")
        try ResultFile.write(lines, to: name + ".datagrams.csv")
        try ResultFile.write(sounds, to: name + ".sounds.csv")
    }
}

import Foundation
import PetrelCodecs
import PetrelCore

/// The first `count` pictures of a test card, each with its stamp.
struct TestCardSequence {
    var card: TestCard
    let count: Int

    init(width: Int, height: Int, count: Int) {
        card = TestCard(width: width, height: height)
        self.count = count
    }

    mutating func picture(_ index: Int) -> I420Buffer {
        let picture = card.frame(index)
        PictureStamp.write(counter: index, into: picture)
        return picture
    }
}

/// The frames of a test card at 25 pictures per second.
func encode(
    _ sequence: TestCardSequence, kilobits: Int, configuration: VP8Encoder.Configuration = .init()
) throws -> [[UInt8]] {
    var sequence = sequence
    var configuration = configuration
    configuration.bitrate = .kilobitsPerSecond(kilobits)
    configuration.framesPerSecond = 25
    let encoder = VP8Encoder(configuration: configuration)
    let frame = FrameBuffer()
    var frames: [[UInt8]] = []
    for index in 0..<sequence.count {
        let picture = sequence.picture(index)
        if try encoder.encode(picture, timestamp90k: Int64(index) * 3600, into: frame) != nil {
            frames.append(Array(frame.bytes))
        }
    }
    return frames
}

func encodeOne(width: Int, height: Int) throws -> [UInt8] {
    try encode(TestCardSequence(width: width, height: height, count: 1), kilobits: 300)[0]
}

/// The memory this process has (`VmRSS:`) or has had at most (`VmHWM:`) in kB; zero where the system does not say.
func residentKilobytes(_ entry: String) -> Int {
    guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8) else { return 0 }
    for line in status.split(separator: "\n") where line.hasPrefix(entry) {
        return Int(line.split(separator: " ").dropLast().last.map(String.init) ?? "") ?? 0
    }
    return 0
}

func rms(_ samples: some Collection<Int16>) -> Double {
    guard !samples.isEmpty else { return 0 }
    return (samples.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(samples.count)).squareRoot()
}

internal import Logging
internal import Petrel
internal import PetrelCodecs
internal import PetrelCore
internal import PetrelDevices
internal import PetrelIO

/// The server's own film and speech, read and decoded once for all who look.
final class FilmSource: StreamSource {
    /// What is later than this is not caught up with in a burst.
    private static let longestDelay = TimeDelta.milliseconds(500)

    private let threads: [WorkerThread]

    init(
        to stream: MediaStream, video: VideoInput, audio: AudioInput, size: VideoSize, framesPerSecond: Int,
        stamps: Bool, logger: Logger
    ) {
        let picture: @Sendable (WorkerThread) -> Void = { [weak stream] thread in
            do throws(ToolError) {
                let reader = try video.open(
                    width: size.width, height: size.height, framesPerSecond: framesPerSecond)
                defer { reader.close() }
                var counter = 0
                Self.pace(thread, TimeDelta.seconds(1 / Double(framesPerSecond))) {
                    guard let picture = reader.next(), let stream else { return false }
                    if stamps { PictureStamp.write(counter: counter % PictureStamp.modulus, into: picture) }
                    counter += 1
                    stream.show(picture)
                    return true
                }
            } catch { logger.error("the film has ended", metadata: ["reason": "\(error)"]) }
        }
        let sound: @Sendable (WorkerThread) -> Void = { [weak stream] thread in
            do throws(ToolError) {
                let reader = try audio.open()
                defer { reader.close() }
                var samples = [Int16](repeating: 0, count: LocalAudioTrack.samplesPerPacket * reader.channels)
                Self.pace(thread, .milliseconds(20)) {
                    let count = samples.withUnsafeMutableBufferPointer { reader.read(into: $0) }
                    guard count > 0, let stream else { return false }
                    for index in count..<samples.count { samples[index] = 0 }
                    stream.play(samples)
                    return true
                }
            } catch { logger.error("the sound of the film has ended", metadata: ["reason": "\(error)"]) }
        }
        threads = [picture, sound].compactMap { body in
            do throws(ThreadError) { return try WorkerThread(body) } catch {
                logger.error("the film cannot be shown", metadata: ["reason": "\(error)"])
                return nil
            }
        }
    }

    func stop() { for thread in threads { thread.stop() } }

    /// Calls `body` at deadlines on a grid, so that lateness does not add up, until it answers false.
    private static func pace(_ thread: WorkerThread, _ interval: TimeDelta, _ body: () -> Bool) {
        var next = MonotonicClock.now
        while thread.sleep(until: next), body() {
            next += interval
            if MonotonicClock.now - next > longestDelay { next = MonotonicClock.now }
        }
    }
}

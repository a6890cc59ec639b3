import PetrelCore
import Testing

@testable import PetrelPlayout

@Suite struct AVSyncTests {
    /// Two streams whose buffers move to what they want at a bounded speed.
    private struct Pair {
        var audioPath: Double
        var videoPath: Double
        var audioOwn: Double
        var videoOwn: Double
        var audioBuffer: Double
        var videoBuffer: Double

        mutating func step(_ sync: inout AVSync, at seconds: Double) -> Double {
            let now = Instant.zero + .seconds(seconds)
            sync.update(
                audio: .init(
                    captureToRender: .milliseconds(audioPath + audioBuffer), buffer: .milliseconds(audioBuffer),
                    own: .milliseconds(audioOwn)),
                video: .init(
                    captureToRender: .milliseconds(videoPath + videoBuffer), buffer: .milliseconds(videoBuffer),
                    own: .milliseconds(videoOwn)), at: now)
            let audioTarget = max(audioOwn, sync.audioMinimum.milliseconds)
            let videoTarget = max(videoOwn, sync.videoMinimum.milliseconds)
            audioBuffer += max(-5, min(10, audioTarget - audioBuffer))
            videoBuffer += max(-5, min(20, videoTarget - videoBuffer))
            return videoPath + videoBuffer - audioPath - audioBuffer
        }
    }

    @Test func `streams that are together are left alone`() {
        var sync = AVSync()
        var pair = Pair(audioPath: 47, videoPath: 45, audioOwn: 10, videoOwn: 5, audioBuffer: 10, videoBuffer: 5)
        for step in 0..<100 { _ = pair.step(&sync, at: Double(step) * 0.1) }
        #expect(sync.audioMinimum == .zero && sync.videoMinimum == .zero)
    }

    @Test func `the earlier stream waits for the later, never both`() {
        for (audioPath, videoPath) in [(40.0, 140.0), (140, 40)] {
            var sync = AVSync()
            var pair = Pair(
                audioPath: audioPath, videoPath: videoPath, audioOwn: 10, videoOwn: 5, audioBuffer: 10, videoBuffer: 5)
            var skew = 0.0
            for step in 0..<300 {
                skew = pair.step(&sync, at: Double(step) * 0.1)
                #expect(sync.audioMinimum == .zero || sync.videoMinimum == .zero)
                if step > 20 { #expect(abs(skew) <= 20) }
            }
            #expect(abs(skew) <= 13)
            // The later stream has its own delay and no more.
            #expect(audioPath > videoPath ? pair.audioBuffer == 10 : pair.videoBuffer == 5)
        }
    }

    @Test func `sound waits 200 ms at most`() {
        var sync = AVSync()
        var pair = Pair(audioPath: 40, videoPath: 1000, audioOwn: 10, videoOwn: 5, audioBuffer: 10, videoBuffer: 5)
        for step in 0..<300 { _ = pair.step(&sync, at: Double(step) * 0.1) }
        #expect(sync.audioExtra == .milliseconds(200))
        #expect(pair.videoBuffer == 5)
    }

    @Test func `the wanted delay moves at a bounded speed`() {
        var sync = AVSync()
        var pair = Pair(audioPath: 40, videoPath: 40, audioOwn: 10, videoOwn: 10, audioBuffer: 10, videoBuffer: 10)
        var last = 0.0
        for step in 0..<300 {
            if step == 100 { pair.videoPath = 200 }
            if step == 200 { pair.videoPath = 40 }
            _ = pair.step(&sync, at: Double(step) * 0.1)
            let extra = sync.audioExtra.milliseconds
            #expect(abs(extra - last) <= 10.001)
            last = extra
        }
        #expect(last == 0)
    }

    @Test func `time that does not move, or jumps, harms nobody`() {
        var sync = AVSync()
        let huge = AVSync.StreamDelay(captureToRender: .infinite, buffer: .zero, own: .zero)
        let least = AVSync.StreamDelay(captureToRender: -TimeDelta.infinite, buffer: .infinite, own: .zero)
        for now in [Instant.zero, .distantFuture, .distantPast, .zero] {
            sync.update(audio: huge, video: least, at: now)
            sync.update(audio: least, video: huge, at: now)
            #expect(sync.audioExtra <= .milliseconds(200) && sync.videoExtra <= .milliseconds(400))
        }
        sync.release()
        #expect(sync.audioMinimum == .zero && sync.videoMinimum == .zero && sync.skew == nil)
    }
}

internal import Foundation
internal import PetrelCodecs
internal import PetrelDevices
internal import PetrelIO

/// A film whose picture and sound stay in step, however often it begins anew: the shorter of both waits for the other's
/// end, with its last picture or with silence. One thread asks for pictures, another for sound.
final class Film: Sendable {
    /// One showing.
    private struct Reel: Sendable {
        var video: any PictureReader
        var audio: any SoundReader
        /// Where picture and sound of this showing end, in seconds; nil while they have not.
        var videoEnd: Double?
        var audioEnd: Double?

        var end: Double? {
            guard let videoEnd, let audioEnd else { return nil }
            return max(videoEnd, audioEnd, Film.shortest)
        }
    }

    private struct State: Sendable {
        /// The showings that somebody still needs, by number.
        var reels: [Int: Reel] = [:]
        var failure: ToolError?
        var isOpening = false
    }

    private struct Place: Sendable {
        var reel = 0
        /// Pictures or samples given of this showing.
        var count = 0
        var last: I420Buffer?
    }

    /// A showing lasts as long at least: starting ffmpeg takes a tenth of a second.
    static let shortest = 1.0

    private let path: String
    private let width: Int
    private let height: Int
    private let framesPerSecond: Int
    private let state = Lock(State())
    private let video = Lock(Place())
    private let audio = Lock(Place())

    /// - Throws: ``ToolError`` where picture or sound cannot be read.
    init(_ path: String, width: Int, height: Int, framesPerSecond: Int) throws(ToolError) {
        (self.path, self.width, self.height, self.framesPerSecond) = (path, width, height, framesPerSecond)
        let first = try open()
        state.withLock { $0.reels[0] = first }
    }

    private func open() throws(ToolError) -> Reel {
        Reel(
            video: try FFmpegVideoReader(
                .file(path), width: width, height: height, framesPerSecond: framesPerSecond, looping: false,
                keepsTime: true),
            audio: try FFmpegAudioReader(.file(path), looping: false, keepsTime: true))
    }

    /// The next picture; nil where the film can no longer be read.
    func nextPicture() -> I420Buffer? {
        var place = video.withLock { $0 }
        defer { video.withLock { [place] in $0 = place } }
        while let reel = reel(place.reel) {
            let position = Double(place.count) / Double(framesPerSecond)
            if reel.videoEnd == nil {
                if let picture = reel.video.next() {
                    (place.count, place.last) = (place.count + 1, picture)
                    return picture
                }
                state.withLock { $0.reels[place.reel]?.videoEnd = position }
                continue
            }
            if let end = reel.end, position >= end {
                place = Place(reel: place.reel + 1, last: place.last)
                leave()
                continue
            }
            place.count += 1
            // A copy: a counter may be written into it.
            return place.last.map { $0.scaled(width: $0.width, height: $0.height) }
        }
        return nil
    }

    /// Fills `samples`; fewer than asked for only where the film can no longer be read.
    func read(into samples: UnsafeMutableBufferPointer<Int16>) -> Int {
        var place = audio.withLock { $0 }
        defer { audio.withLock { [place] in $0 = place } }
        var filled = 0
        while filled < samples.count, let reel = reel(place.reel) {
            let rest = UnsafeMutableBufferPointer(rebasing: samples[filled...])
            if reel.audioEnd == nil {
                let count = reel.audio.read(into: rest)
                filled += count
                place.count += count
                if count < rest.count {
                    let position = Double(place.count) / Double(PCM.sampleRate)
                    state.withLock { $0.reels[place.reel]?.audioEnd = position }
                }
                continue
            }
            if let end = reel.end, Double(place.count) / Double(PCM.sampleRate) >= end {
                place = Place(reel: place.reel + 1)
                leave()
                continue
            }
            rest.update(repeating: 0)
            place.count += rest.count
            filled += rest.count
        }
        return filled
    }

    /// A showing, opened where it is not yet; while one runs the next is made ready. Nil where there is none.
    private func reel(_ number: Int) -> Reel? {
        prepare(number + 1)
        return state.wait { state -> Reel?? in
            if let reel = state.reels[number] { return .some(reel) }
            return state.failure == nil ? nil : .some(nil)
        } ?? nil
    }

    private func prepare(_ number: Int) {
        let isMine = state.withLock { state in
            guard state.reels[number] == nil, !state.isOpening, state.failure == nil else { return false }
            state.isOpening = true
            return true
        }
        guard isMine else { return }
        Thread.detachNewThread { [self] in
            let result: Result<Reel, ToolError>
            do throws(ToolError) { result = .success(try open()) } catch { result = .failure(error) }
            state.signal { state in
                state.isOpening = false
                switch result {
                case .success(let reel): state.reels[number] = reel
                case .failure(let error): state.failure = error
                }
            }
        }
    }

    /// Picture and sound that both have gone on to a later showing need the old one no more.
    private func leave() {
        let oldest = min(video.withLock { $0.reel }, audio.withLock { $0.reel })
        let done = state.withLock { state in
            let done = state.reels.filter { $0.key < oldest }
            for number in done.keys { state.reels[number] = nil }
            return done
        }
        for reel in done.values {
            reel.video.close()
            reel.audio.close()
        }
    }
}

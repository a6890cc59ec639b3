internal import Foundation
internal import Petrel
internal import PetrelCodecs
internal import PetrelDevices
internal import PetrelIO

/// What `petrel publish` sends: a film in step with its sound, a camera, or either alone.
final class StreamSource: Sendable {
    let video: (any VideoSource)?
    let audio: (any AudioSource)?
    /// What a person should know of it.
    let notes: [String]

    /// Opens what was asked for.
    /// - Parameters:
    ///   - size: the most that a picture may have.
    ///   - framesPerSecond: nil: as the file has it.
    ///   - stamps: write a frame counter into the pictures.
    ///   - ended: called once a source gives no more.
    /// - Throws: ``ToolError`` where there is nothing to be had.
    init(
        _ source: String, audio: String?, size: (width: Int, height: Int), framesPerSecond: Int?, stamps: Bool,
        ended: @escaping @Sendable (ToolError) -> Void
    ) throws(ToolError) {
        let input = VideoInput(source)
        let own = try audio.map { text throws(ToolError) in try AudioInput(text).open(channels: 1) }
        let goneBy: @Sendable (String) -> Void = { ended(ToolError("\($0) gives no more")) }
        func pictures(_ reader: any PictureReader, _ rate: Int) -> Pictures {
            Pictures(rate: Double(rate), stamps: stamps, next: { reader.next() }) { goneBy(reader.name) }
        }
        func sound(_ reader: any SoundReader) -> Sound {
            Sound(channels: reader.channels, read: { reader.read(into: $0) }) { goneBy(reader.name) }
        }
        switch input {
        case .testCard, .camera:
            let rate = framesPerSecond ?? 30
            video = pictures(
                try input.open(width: size.width, height: size.height, framesPerSecond: rate), rate)
            if let own {
                (self.audio, notes) = (sound(own), [])
            } else if case .testCard = input {
                (self.audio, notes) = (sound(try AudioInput.speechLike.open()), [])
            } else {
                (self.audio, notes) = (nil, ["No sound is sent: --audio names a microphone or a file."])
            }
        case .file(let path):
            let probe = try MediaProbe(file: path)
            guard let shape = probe.size else {
                video = nil
                if own != nil { throw ToolError("\(path) has no picture, and --audio names another sound") }
                (self.audio, notes) = (
                    sound(try AudioInput.file(path).open()), ["\(path) has no picture: sound alone is sent."]
                )
                return
            }
            let fitted = Self.fit(shape, into: size)
            let rate = framesPerSecond ?? min(60, max(1, Int((probe.framesPerSecond ?? 30).rounded())))
            if own == nil, probe.audioChannels != nil {
                let film = try Film(path, width: fitted.width, height: fitted.height, framesPerSecond: rate)
                video = Pictures(rate: Double(rate), stamps: stamps, next: { film.nextPicture() }) { goneBy(path) }
                self.audio = Sound(channels: 1, read: { film.read(into: $0) }) {}
                notes = []
                return
            }
            video = pictures(
                try FFmpegVideoReader(
                    .file(path), width: fitted.width, height: fitted.height, framesPerSecond: rate, keepsTime: true),
                rate)
            self.audio = own.map { sound($0) }
            notes = own == nil ? ["\(path) has no sound: pictures alone are sent."] : []
        }
    }

    /// The shape of a picture within the most that it may have; both sides even.
    static func fit(
        _ size: (width: Int, height: Int), into most: (width: Int, height: Int)
    ) -> (width: Int, height: Int) {
        let scale = min(1, Double(most.width) / Double(size.width), Double(most.height) / Double(size.height))
        return (
            max(16, Int((Double(size.width) * scale / 2).rounded()) * 2),
            max(16, Int((Double(size.height) * scale / 2).rounded()) * 2)
        )
    }
}

/// Pictures from a function, which says nil at their end.
private final class Pictures: VideoSource {
    let framesPerSecond: Double
    private let stamps: Bool
    private let counter = Lock(0)
    private let next: @Sendable () -> I420Buffer?
    private let ended: @Sendable () -> Void

    init(rate: Double, stamps: Bool, next: @escaping @Sendable () -> I420Buffer?, ended: @escaping @Sendable () -> Void)
    {
        (framesPerSecond, self.stamps, self.next, self.ended) = (rate, stamps, next, ended)
    }

    func nextPicture() -> I420Buffer? {
        guard let picture = next() else {
            ended()
            return nil
        }
        guard stamps else { return picture }
        let index = counter.withLock { counter in
            defer { counter += 1 }
            return counter
        }
        PictureStamp.write(counter: index % PictureStamp.modulus, into: picture)
        return picture
    }
}

/// Sound from a function, which gives fewer samples at its end.
private final class Sound: AudioSource {
    let channels: Int
    private let read: @Sendable (UnsafeMutableBufferPointer<Int16>) -> Int
    private let ended: @Sendable () -> Void

    init(
        channels: Int, read: @escaping @Sendable (UnsafeMutableBufferPointer<Int16>) -> Int,
        ended: @escaping @Sendable () -> Void
    ) { (self.channels, self.read, self.ended) = (channels, read, ended) }

    func read(into samples: UnsafeMutableBufferPointer<Int16>) -> Bool {
        let count = read(samples)
        for index in count..<samples.count { samples[index] = 0 }
        if count == 0 { ended() }
        return count > 0
    }
}

public import PetrelCodecs
internal import PetrelDevices

/// Why a file, camera or microphone gives nothing, in one sentence that says what and where.
public struct SourceError: Error, Sendable, CustomStringConvertible {
    public let description: String
}

/// Pictures from a file or a camera, through the `ffmpeg` program, which must be installed.
public final class DeviceVideoSource: VideoSource {
    /// Pictures per second.
    public let framesPerSecond: Double
    private let reader: any PictureReader

    private init(_ reader: any PictureReader, framesPerSecond: Double) {
        self.reader = reader
        self.framesPerSecond = framesPerSecond
    }

    /// Each picture of a file once, in order and at this pace, from the start again at its end.
    /// - Throws: ``SourceError`` where the file cannot be read.
    public static func file(
        _ path: String, size: VideoSize = VideoSize(width: 1280, height: 720), framesPerSecond: Int = 30
    ) throws -> DeviceVideoSource {
        try open(.file(path), size, framesPerSecond)
    }

    /// A camera by the name of its device (`/dev/video0` on Linux).
    /// - Throws: ``SourceError`` where there is none, or it does not give pictures of this size.
    public static func camera(
        _ device: String = "/dev/video0", size: VideoSize = VideoSize(width: 1280, height: 720),
        framesPerSecond: Int = 30
    ) throws -> DeviceVideoSource {
        try open(.camera(device), size, framesPerSecond)
    }

    private static func open(
        _ input: VideoInput, _ size: VideoSize, _ framesPerSecond: Int
    ) throws -> DeviceVideoSource {
        do {
            let reader = try input.open(width: size.width, height: size.height, framesPerSecond: framesPerSecond)
            return DeviceVideoSource(reader, framesPerSecond: Double(framesPerSecond))
        } catch { throw SourceError(description: error.message) }
    }

    deinit { reader.close() }

    /// The next picture; nil where the file or camera gives no more.
    public func nextPicture() -> I420Buffer? { reader.next() }
}

/// Sound from a file or a microphone, through the `ffmpeg` program, which must be installed.
public final class DeviceAudioSource: AudioSource {
    /// 1 or 2.
    public var channels: Int { reader.channels }
    private let reader: any SoundReader

    private init(_ reader: any SoundReader) { self.reader = reader }

    /// The sound of a file, from the start again at its end.
    /// - Throws: ``SourceError`` where the file cannot be read.
    public static func file(_ path: String, channels: Int = 1) throws -> DeviceAudioSource {
        try open(.file(path), channels)
    }

    /// A microphone by the name of its ALSA device (Linux).
    /// - Throws: ``SourceError`` where there is none.
    public static func microphone(_ device: String = "default", channels: Int = 1) throws -> DeviceAudioSource {
        try open(.microphone(device), channels)
    }

    private static func open(_ input: AudioInput, _ channels: Int) throws -> DeviceAudioSource {
        do { return DeviceAudioSource(try input.open(channels: channels)) } catch {
            throw SourceError(description: error.message)
        }
    }

    deinit { reader.close() }

    /// The next 20 ms; false where the file or microphone gives no more.
    public func read(into samples: UnsafeMutableBufferPointer<Int16>) -> Bool {
        let count = reader.read(into: samples)
        for index in count..<samples.count { samples[index] = 0 }
        return count > 0
    }
}

public import PetrelCodecs

/// Where pictures come from: a camera, a file, a test card. It is asked for one picture after the other, at its own
/// frame rate, on a thread of the track's own; it may take its time (a camera blocks until it has one).
public protocol VideoSource: AnyObject, Sendable {
    /// Pictures per second.
    var framesPerSecond: Double { get }
    /// The next picture; nil when there are no more.
    func nextPicture() throws -> I420Buffer?
}

/// Where sound comes from. It is asked for 20 ms after the other on a thread of the track's own.
public protocol AudioSource: AnyObject, Sendable {
    /// 1 or 2.
    var channels: Int { get }
    /// Fills `samples` (960 per channel at 48 kHz, interleaved); false when there are no more.
    func read(into samples: UnsafeMutableBufferPointer<Int16>) throws -> Bool
}

/// A moving test card, made on the spot.
public final class TestCardSource: VideoSource {
    /// Pictures per second.
    public let framesPerSecond: Double
    private let pictures: PictureMaker

    private final class PictureMaker: @unchecked Sendable {
        // Only the thread of the track asks for pictures.
        var card: TestCard
        var index = 0
        init(_ card: TestCard) { self.card = card }
    }

    /// A test card of this size and pace.
    public init(size: VideoSize = VideoSize(width: 1280, height: 720), framesPerSecond: Double = 30) {
        self.framesPerSecond = framesPerSecond
        pictures = PictureMaker(TestCard(width: size.width, height: size.height))
    }

    /// The next picture of the card; it never ends.
    public func nextPicture() -> I420Buffer? {
        defer { pictures.index += 1 }
        return pictures.card.frame(pictures.index)
    }
}

/// Sound with the rhythm of speech, made on the spot.
public final class TestSpeechSource: AudioSource {
    /// One: speech is mono.
    public let channels = 1
    private let state = SignalState()

    private final class SignalState: @unchecked Sendable {
        // Only the thread of the track asks for samples.
        var position: Int64 = 0
        let signal = SpeechLikeSignal()
    }

    public init() {}

    /// The next 20 ms; it never ends.
    public func read(into samples: UnsafeMutableBufferPointer<Int16>) -> Bool {
        state.signal.fill(samples, channels: 1, from: state.position)
        state.position += Int64(samples.count)
        return true
    }
}

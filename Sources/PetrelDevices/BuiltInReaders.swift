public import PetrelCodecs
internal import Synchronization

/// The built-in moving test card.
public final class TestCardReader: PictureReader {
    public let name = "built-in test card"
    public var isLive: Bool { false }

    private struct State {
        var card: TestCard
        var index = 0
        var isClosed = false
    }

    private let state: Mutex<State>

    public init(width: Int, height: Int) { state = Mutex(State(card: TestCard(width: width, height: height))) }

    public func next() -> I420Buffer? {
        state.withLock { state in
            guard !state.isClosed else { return nil }
            defer { state.index += 1 }
            // The card keeps its pictures; a stamp must not be written into them.
            return state.card.frame(state.index).copy()
        }
    }

    public func close() { state.withLock { $0.isClosed = true } }
}

/// The built-in sound with the rhythm and the spectrum of speech.
public final class SpeechLikeReader: SoundReader {
    public let name = "built-in speech-like sound"
    public let channels: Int
    public var isLive: Bool { false }
    private let signal: SpeechLikeSignal
    private let position = Mutex(Int64(0))

    public init(channels: Int = 1, seed: UInt64 = 0) {
        self.channels = channels == 2 ? 2 : 1
        signal = SpeechLikeSignal(seed: seed)
    }

    public func read(into samples: UnsafeMutableBufferPointer<Int16>) -> Int {
        position.withLock { position in
            guard position >= 0 else { return 0 }
            signal.fill(samples, channels: channels, from: position)
            position += Int64(samples.count / channels)
            return samples.count / channels * channels
        }
    }

    public func close() { position.withLock { $0 = -1 } }
}

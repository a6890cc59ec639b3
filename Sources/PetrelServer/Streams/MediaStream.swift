internal import Petrel
internal import PetrelCodecs
internal import PetrelIO

/// Pictures and sound that any number of viewers get, each through an encoder of its own.
///
/// Every viewer has its own path, so its own rate: the picture is encoded again for each. A router that passes encoded
/// pictures on is another work.
final class MediaStream: Sendable {
    /// What a viewer is sent on.
    struct Viewer: Sendable {
        let id: Int
        var video: LocalVideoTrack?
        var audio: LocalAudioTrack?
    }

    private struct State: Sendable {
        var viewers: [Viewer] = []
        var next = 0
        var source: (any StreamSource)?
    }

    let name: String
    private let state = Lock(State())
    /// Makes what feeds the stream while somebody looks; nil: it is fed from outside.
    private let makeSource: (@Sendable (MediaStream) -> any StreamSource)?

    init(name: String, source: (@Sendable (MediaStream) -> any StreamSource)? = nil) {
        self.name = name
        makeSource = source
    }

    var viewerCount: Int { state.withLock { $0.viewers.count } }

    /// - Returns: what ``remove(_:)`` is told.
    func add(video: LocalVideoTrack?, audio: LocalAudioTrack?) -> Int {
        state.withLock { state in
            state.next += 1
            state.viewers.append(Viewer(id: state.next, video: video, audio: audio))
            if state.source == nil { state.source = makeSource?(self) }
            return state.next
        }
    }

    /// The viewer is sent on other tracks from now on.
    func change(_ id: Int, video: LocalVideoTrack?, audio: LocalAudioTrack?) {
        state.withLock { state in
            for index in state.viewers.indices where state.viewers[index].id == id {
                (state.viewers[index].video, state.viewers[index].audio) = (video, audio)
            }
        }
    }

    func remove(_ id: Int) {
        let idle = state.withLock { state -> (any StreamSource)? in
            state.viewers.removeAll { $0.id == id }
            guard state.viewers.isEmpty else { return nil }
            defer { state.source = nil }
            return state.source
        }
        idle?.stop()
    }

    // Under the lock: a track only puts what it is sent aside for its encoder.
    func show(_ picture: I420Buffer) {
        state.withLock { state in for viewer in state.viewers { viewer.video?.send(picture) } }
    }

    func play(_ samples: [Int16]) {
        state.withLock { state in for viewer in state.viewers { viewer.audio?.send(samples) } }
    }
}

/// What feeds a stream until it is stopped.
protocol StreamSource: AnyObject, Sendable {
    func stop()
}

internal import PetrelCore
internal import PetrelIO
internal import PetrelPlayout

/// Sound and picture of one remote endpoint, kept together: each side tells its delay, and reads how long to wait.
final class SyncGroup: Sendable {
    private struct State: Sendable {
        var sync = AVSync()
        var audio: AVSync.StreamDelay?
        var video: AVSync.StreamDelay?
        var lastUpdate: Instant?
    }

    private let state = Lock(State())

    /// Tells the delay of the sound and the share of its packets that is lost; answers its least buffer delay.
    func audio(_ delay: AVSync.StreamDelay, loss: Double, now: Instant) -> TimeDelta {
        state.withLock { state in
            state.sync.setLoss(loss)
            state.audio = delay
            update(&state, now)
            return state.sync.audioMinimum
        }
    }

    /// Tells the delay of the picture; answers its least buffer delay.
    func video(_ delay: AVSync.StreamDelay, now: Instant) -> TimeDelta {
        state.withLock { state in
            state.video = delay
            update(&state, now)
            return state.sync.videoMinimum
        }
    }

    /// One of the two has ended: nobody waits for it.
    func release() {
        state.withLock { state in
            state.sync.release()
            (state.audio, state.video) = (nil, nil)
        }
    }

    /// Video render time less audio render time at equal capture time, as last measured.
    var skew: TimeDelta? { state.withLock { $0.sync.skew } }

    private func update(_ state: inout State, _ now: Instant) {
        guard let audio = state.audio, let video = state.video else { return }
        if let last = state.lastUpdate, now - last < state.sync.interval { return }
        state.lastUpdate = now
        state.sync.update(audio: audio, video: video, at: now)
    }
}

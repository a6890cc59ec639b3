internal import Logging
internal import PetrelCore
internal import PetrelICE
internal import PetrelIO
internal import PetrelMedia
internal import PetrelPeer

/// What the peer tells, on the network's thread. Nothing here waits for anything.
extension Call {
    func handle(_ event: PeerEvent) {
        switch event {
        case .videoFrame(let id, let frame):
            state.withLock { $0.remoteVideo.first { $0.id == id } }?.post(frame)
        case .audioPacket(let id, let packet):
            state.withLock { $0.remoteAudio.first { $0.id == id } }?.packets.post(packet)
        case .keyFrameRequested(let id):
            state.withLock { $0.localVideo.first { $0.id == id } }?.requestKeyFrame()
        case .framesAcknowledged(let id, let frames):
            state.withLock { $0.localVideo.first { $0.id == id } }?.acknowledge(frames)
        case .videoRateChanged(let rate):
            state.withLock { $0.videoRate = rate }
            shareRate()
        case .stateChanged(let new, let failure):
            change(new, failure)
        case .trackAdded(let id, let kind, _, let stream):
            add(id, kind, stream)
        case .trackRemoved(let id):
            remove(id)
        case .pathChanged(let path):
            engine.log(.info, "media takes a new path", ["family": "\(path.remote.family)"])
            yield.yield(.pathChanged(local: "\(path.local)", remote: "\(path.remote)"))
        case .localCandidate(let line, let mid):
            if line == nil { update { $0.gathered = true } }
            yield.yield(.localCandidate(line, mid: mid))
            tell(.localCandidate(line, mid: mid))
        case .iceStateChanged(let ice):
            engine.log(.debug, "ICE state", ["state": "\(ice.rawValue)"])
        }
    }

    func handle(_ id: LocalTrackID, _ sending: CallEngine.Sending) {
        let tracks = state.withLock { $0 }
        tracks.localVideo.first { $0.id == id }?.setLive(
            sending.isPossible, usesFrameReferences: sending.usesFrameReferences)
        tracks.localAudio.first { $0.id == id }?.set(sending)
    }

    private func change(_ new: PeerState, _ failure: PeerFailure?) {
        let callState = CallState(rawValue: new.rawValue) ?? .failed
        let isNews = update { state in
            guard !state.isClosed else { return false }
            state.callState = callState
            state.failure = callState == .failed ? failure?.description : nil
            return true
        }
        guard isNews else { return }
        engine.log(
            failure == nil ? .info : .warning, "call state",
            failure.map { ["state": "\(new.rawValue)", "reason": "\($0)"] } ?? ["state": "\(new.rawValue)"])
        yield.yield(.state(callState, reason: failure?.description))
        tell(.state(callState, isPathLost: failure == .noPath, reason: failure?.description))
    }

    /// Divides what the network carries, within the limits of the call, between the tracks that send.
    func shareRate() {
        let (tracks, maximum, rate) = state.withLock { state in
            (state.localVideo, DataRate.kilobitsPerSecond(state.maximumVideoKilobits), state.videoRate)
        }
        guard !tracks.isEmpty, let rate else { return }
        let each = min(maximum, rate) * (1 / Double(tracks.count))
        for track in tracks { track.setRate(each) }
    }

    private func add(_ id: RemoteTrackID, _ kind: StreamKind, _ stream: String?) {
        do {
            switch kind {
            case .video:
                let track = try RemoteVideoTrack(id: id, stream: stream, engine: engine, sync: sync, clock: wallClock)
                state.withLock { $0.remoteVideo.append(track) }
                yield.yield(.videoTrack(track))
            case .audio:
                let track = try RemoteAudioTrack(
                    id: id, stream: stream, channels: configuration.receivedAudioChannels, engine: engine, sync: sync,
                    clock: wallClock)
                state.withLock { $0.remoteAudio.append(track) }
                yield.yield(.audioTrack(track))
            }
        } catch {
            engine.log(.error, "a track cannot be received", ["reason": "\(error)"])
        }
    }

    private func remove(_ id: RemoteTrackID) {
        sync.release()
        let tracks = state.withLock { state in
            let tracks = (state.remoteVideo.first { $0.id == id }, state.remoteAudio.first { $0.id == id })
            Self.forgetOldest(&state.remoteVideo) { $0.hasEnded }
            Self.forgetOldest(&state.remoteAudio) { $0.hasEnded }
            return tracks
        }
        // The thread ends by itself; what it counted stays.
        tracks.0?.stop()
        tracks.1?.stop()
        yield.yield(.trackEnded(id: id.number))
    }

    private static func forgetOldest<Track>(_ tracks: inout [Track], where hasEnded: (Track) -> Bool) {
        while tracks.count(where: hasEnded) > endedTracksKept, let oldest = tracks.firstIndex(where: hasEnded) {
            tracks.remove(at: oldest)
        }
    }
}

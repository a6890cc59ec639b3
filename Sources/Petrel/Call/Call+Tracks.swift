internal import PetrelCongestion
internal import PetrelCore
internal import PetrelIO
internal import PetrelMedia
internal import PetrelPeer

extension Call {
    /// Adds a picture to send. It is sent after the next offer and answer.
    /// - Parameter source: where pictures come from; nil: the application hands them over by
    ///   ``LocalVideoTrack/send(_:)``.
    /// - Throws: ``CallError/closed``, or ``CallError/library(_:)`` where the system has no thread left.
    @discardableResult
    public func addVideo(_ source: (any VideoSource)? = nil) async throws -> LocalVideoTrack {
        let streamID = streamID
        let id = try await perform { peer, _, _ in try peer.addTrack(.video, streamID: streamID) }
        let limits = state.withLock { ($0.maximumVideoKilobits, $0.maximumVideoSize) }
        let track: LocalVideoTrack
        do {
            track = try LocalVideoTrack(
                id: id, engine: engine,
                rate: .kilobitsPerSecond(min(configuration.startVideoKilobitsPerSecond, limits.0)),
                maximumSize: limits.1)
        } catch {
            try? await perform { peer, _, _ in try peer.removeTrack(id) }
            throw CallError.library("\(error)")
        }
        let isClosed = state.withLock { state in
            if !state.isClosed { state.localVideo.append(track) }
            return state.isClosed
        }
        guard !isClosed else {
            await track.close()
            throw CallError.closed
        }
        shareRate()
        engine.watch(id)
        track.replaceSource(source)
        return track
    }

    /// Adds sound to send. It is sent after the next offer and answer.
    /// - Parameters:
    ///   - source: where sound comes from; nil: the application hands it over by `LocalAudioTrack.send`.
    ///   - channels: 1 or 2.
    /// - Throws: ``CallError/badConfiguration(_:)``, ``CallError/closed``, or ``CallError/library(_:)`` where the system
    ///   has no thread left.
    @discardableResult
    public func addAudio(_ source: (any AudioSource)? = nil, channels: Int = 1) async throws -> LocalAudioTrack {
        guard channels == 1 || channels == 2 else {
            throw CallError.badConfiguration("sound of \(channels) channels cannot be sent; 1 and 2 are possible")
        }
        let streamID = streamID
        let id = try await perform { peer, _, _ in try peer.addTrack(.audio, streamID: streamID) }
        let track: LocalAudioTrack
        do {
            track = try LocalAudioTrack(id: id, channels: channels, engine: engine, configuration: configuration)
        } catch {
            try? await perform { peer, _, _ in try peer.removeTrack(id) }
            throw CallError.library("\(error)")
        }
        let isClosed = state.withLock { state in
            if !state.isClosed { state.localAudio.append(track) }
            return state.isClosed
        }
        guard !isClosed else {
            await track.close()
            throw CallError.closed
        }
        engine.watch(id)
        track.replaceSource(source)
        return track
    }

    /// Asks for sound or picture of the other side without sending any.
    public func receiveOnly(video: Bool, audio: Bool) async throws {
        try await perform { peer, _, _ in
            if audio { try peer.addReceivingSection(.audio) }
            if video { try peer.addReceivingSection(.video) }
        }
    }

    /// Sends without receiving: the tracks added so far ask for nothing in return (`sendonly`) from the next offer on.
    public func sendOnly() async throws { try await perform { peer, _, _ in try peer.sendOnly() } }

    /// Stops sending a track for good. Tell the other side with a new offer.
    public func remove(_ track: LocalVideoTrack) async throws {
        let id = track.id
        try await perform { peer, _, _ in try peer.removeTrack(id) }
        engine.unwatch(id)
        state.withLock { $0.localVideo.removeAll { $0 === track } }
        await track.close()
        shareRate()
    }

    /// Stops sending a track for good. Tell the other side with a new offer.
    public func remove(_ track: LocalAudioTrack) async throws {
        let id = track.id
        try await perform { peer, _, _ in try peer.removeTrack(id) }
        engine.unwatch(id)
        state.withLock { $0.localAudio.removeAll { $0 === track } }
        await track.close()
    }

    /// Changes the limits of all pictures together from now on.
    ///
    /// ``LocalVideoTrack/limit(kilobitsPerSecond:)`` and ``LocalVideoTrack/limit(to:)`` limit one track within them.
    /// - Parameters:
    ///   - maximumKilobitsPerSecond: the most that pictures take together; nil: as before.
    ///   - minimumKilobitsPerSecond: the least that they are given on a bad network; nil: as before, lowered to the
    ///     most where it lies above.
    /// - Throws: ``CallError/badConfiguration(_:)``, and nothing is changed.
    public func setVideoLimits(maximumKilobitsPerSecond: Int? = nil, minimumKilobitsPerSecond: Int? = nil) async throws
    {
        var wanted = configuration
        wanted.maximumVideoKilobitsPerSecond =
            maximumKilobitsPerSecond ?? state.withLock { $0.maximumVideoKilobits }
        wanted.minimumVideoKilobitsPerSecond =
            minimumKilobitsPerSecond
            ?? min(configuration.minimumVideoKilobitsPerSecond, wanted.maximumVideoKilobitsPerSecond)
        let bandwidth = try wanted.bandwidth()
        let maximum = wanted.maximumVideoKilobitsPerSecond
        try await perform { peer, _, _ in
            peer.setBandwidth(minimum: bandwidth.minimum, maximum: bandwidth.maximum)
        }
        state.withLock { $0.maximumVideoKilobits = maximum }
        shareRate()
    }

    /// The largest picture that is sent from now on, of every track; larger ones are scaled down, keeping their shape.
    /// Nil: as the sources make them.
    public func limitVideo(to size: VideoSize?) {
        let tracks = state.withLock { state in
            state.maximumVideoSize = size
            return state.localVideo
        }
        for track in tracks { track.limit(to: size) }
    }
}

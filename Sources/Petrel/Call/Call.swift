internal import Logging
internal import PetrelCodecs
internal import PetrelCongestion
internal import PetrelCore
internal import PetrelICE
internal import PetrelIO
internal import PetrelMedia
internal import PetrelPeer
internal import PetrelSDP
internal import PetrelSecurity

/// One end of a call: sound and picture to and from one other endpoint, encrypted, kept alive on bad networks.
///
/// ```swift
/// let call = try await Call()
/// try await call.addVideo(TestCardSource())
/// try await call.addAudio(TestSpeechSource())
/// let offer = try await call.createOffer()          // a string for the other side
/// try await call.accept(answer: theirAnswer)        // the string it sent back
/// for await event in call.events {
///     if case .videoTrack(let track) = event { track.onFrame { frame in show(frame.picture) } }
/// }
/// ```
/// The other side calls ``answer(_:)`` with the offer and sends back what it returns. A call uses threads of its own
/// (one for the network, one for each track) and may be used from any.
public final class Call: Sendable {
    private struct State: Sendable {
        var localVideo: [LocalVideoTrack] = []
        var localAudio: [LocalAudioTrack] = []
        var remoteVideo: [RemoteVideoTrack] = []
        var remoteAudio: [RemoteAudioTrack] = []
        var callState = CallState.new
        var gathered = false
        var hasOpenedSockets = false
        var isClosed = false
        var failure: String?
        var videoRate = DataRate.zero
    }

    /// What happens in the call, in order. To be read by one reader.
    public let events: AsyncStream<CallEvent>
    public let configuration: CallConfiguration
    private let yield: AsyncStream<CallEvent>.Continuation
    private let engine: CallEngine
    private let state = Lock(State())
    private let sync = SyncGroup()
    private let wallClock: WallClock
    private let streamID: String

    /// Makes an endpoint and opens its sockets.
    /// - Throws: ``CallError`` where the configuration makes no sense, no socket can be opened, or the capture file
    ///   cannot be written.
    public init(_ configuration: CallConfiguration = CallConfiguration()) async throws {
        self.configuration = configuration
        (events, yield) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1000))
        let now = MonotonicClock.now
        var random = RandomSource.system
        streamID = LocalTransport.randomName(16, using: &random)
        let certificate: Certificate
        do { certificate = try Certificate.make(unixTime: MonotonicClock.unixNanoseconds / 1_000_000_000) } catch {
            throw CallError.library("no certificate could be made: \(error)")
        }
        let wallClock = MonotonicClock.wallClock()
        self.wallClock = wallClock
        let settings = try Self.settings(configuration, wallClock: wallClock, certificate: certificate)
        let driver = UDPDriver()
        do {
            let capture = try configuration.packetCapture.map {
                try PacketCapture($0, wallClock: wallClock)
            }
            // Who offers is not known yet; RFC 8445 section 7.3.1.1 settles a conflict of roles if the guess is wrong.
            let peer = try Peer(configuration: settings, role: .controlled, random: random, now: now)
            engine = CallEngine(
                driver: driver, wallClock: wallClock, peer: peer, logger: configuration.logger, capture: capture,
                capturesPlaintext: configuration.packetCapture?.decrypted ?? false)
        } catch let error as CallError {
            await driver.close()
            throw error
        } catch {
            await driver.close()
            throw CallError.library("\(error)")
        }
        driver.drive(engine)
        engine.start { [weak self] event in self?.handle(event) }
        do { try await openSockets() } catch {
            await driver.close()
            throw error
        }
    }

    deinit {
        // Without close() the threads would live on: whoever forgets it loses the good-bye, and nothing else.
        let (engine, tracks) = (engine, state.withLock { $0 })
        yield.finish()
        if !tracks.isClosed {
            Task {
                Self.close(tracks)
                await engine.close()
            }
        }
    }

    private static func settings(
        _ configuration: CallConfiguration, wallClock: WallClock, certificate: Certificate
    ) throws(CallError) -> PeerConfiguration {
        var settings = PeerConfiguration(wallClock: wallClock, certificate: certificate)
        switch configuration.addressProfile {
        case .client: settings.ice.addressPolicy = .client
        case .server: settings.ice.addressPolicy = .server
        case .lab: settings.ice.addressPolicy = .lab
        }
        for server in configuration.stunServers {
            guard let colon = server.lastIndex(of: ":"), let port = UInt16(server[server.index(after: colon)...]),
                let address = TransportAddress(
                    server[..<colon].trimmingPrefix("[").split(separator: "]").first.map(String.init) ?? "", port: port)
            else {
                throw .badConfiguration(
                    "the STUN server '\(server)' is not a numeric address with a port, as 192.0.2.1:3478")
            }
            settings.ice.stunServers.append(address)
        }
        guard configuration.maximumVideoKilobitsPerSecond >= configuration.minimumVideoKilobitsPerSecond,
            configuration.minimumVideoKilobitsPerSecond > 0
        else {
            throw .badConfiguration(
                "video bitrates of \(configuration.minimumVideoKilobitsPerSecond) to \(configuration.maximumVideoKilobitsPerSecond) kbit/s: the least must be above zero and not above the most"
            )
        }
        // Room for sound, headers and repair beside the picture.
        settings.bandwidth.minimum = .kilobitsPerSecond(configuration.minimumVideoKilobitsPerSecond)
        settings.bandwidth.start = .kilobitsPerSecond(configuration.startVideoKilobitsPerSecond * 5 / 4 + 100)
        settings.bandwidth.maximum = .kilobitsPerSecond(configuration.maximumVideoKilobitsPerSecond * 2 + 200)
        return settings
    }

    private func openSockets() async throws {
        let wanted: [TransportAddress]
        if configuration.localAddresses.isEmpty {
            let all: [TransportAddress]
            do { all = try NetworkInterfaces.addresses() } catch {
                throw CallError.noSocket("the addresses of this machine cannot be listed: \(error)")
            }
            let outside = all.filter { !NetworkInterfaces.isLoopback($0) }
            wanted = outside.isEmpty || configuration.addressProfile == .lab ? all : outside
        } else {
            wanted = try configuration.localAddresses.map { text in
                guard let address = TransportAddress(text, port: 0) else {
                    throw CallError.badConfiguration("'\(text)' is not a numeric IP address")
                }
                return address
            }
        }
        var opened = 0
        var reason = "this machine has no address"
        for address in wanted {
            do {
                let bound = try await engine.driver.open(address)
                if try await engine.perform({ peer, now, _ in peer.addLocalAddress(bound, now: now) }) { opened += 1 }
            } catch let error as SocketError { reason = error.description }
        }
        guard opened > 0 else { throw CallError.noSocket("no UDP socket could be opened: \(reason)") }
        try await engine.perform { peer, now, _ in peer.endOfLocalAddresses(now: now) }
    }

    // MARK: Tracks

    /// Adds a picture to send. It is sent after the next offer and answer.
    /// - Parameter source: where pictures come from; nil: the application hands them over by
    ///   ``LocalVideoTrack/send(_:)``.
    @discardableResult
    public func addVideo(_ source: (any VideoSource)? = nil) async throws -> LocalVideoTrack {
        let streamID = streamID
        let id = try await perform { peer, _, _ in try peer.addTrack(.video, streamID: streamID) }
        let track = LocalVideoTrack(id: id, name: "video\(id.number)", engine: engine, configuration: configuration)
        state.withLock { $0.localVideo.append(track) }
        track.replaceSource(source)
        return track
    }

    /// Adds sound to send. It is sent after the next offer and answer.
    /// - Parameters:
    ///   - source: where sound comes from; nil: the application hands it over by ``LocalAudioTrack/send(_:)-([Int16])``.
    ///   - channels: 1 or 2.
    @discardableResult
    public func addAudio(_ source: (any AudioSource)? = nil, channels: Int = 1) async throws -> LocalAudioTrack {
        guard channels == 1 || channels == 2 else {
            throw CallError.badConfiguration("sound of \(channels) channels; 1 and 2 are possible")
        }
        let streamID = streamID
        let id = try await perform { peer, _, _ in try peer.addTrack(.audio, streamID: streamID) }
        let track = LocalAudioTrack(
            id: id, name: "audio\(id.number)", channels: channels, engine: engine, configuration: configuration)
        state.withLock { $0.localAudio.append(track) }
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

    /// Stops sending a track for good. Tell the other side with a new offer.
    public func remove(_ track: LocalVideoTrack) async throws {
        let id = track.id
        try await perform { peer, _, _ in try peer.removeTrack(id) }
        state.withLock { $0.localVideo.removeAll { $0 === track } }
        track.close()
    }

    /// Stops sending a track for good. Tell the other side with a new offer.
    public func remove(_ track: LocalAudioTrack) async throws {
        let id = track.id
        try await perform { peer, _, _ in try peer.removeTrack(id) }
        state.withLock { $0.localAudio.removeAll { $0 === track } }
        track.close()
    }

    // MARK: Offer and answer

    /// Makes an offer for the other side: a session description (RFC 8866) with all candidates of this endpoint.
    ///
    /// Also to be called after tracks were added or removed in mid-call.
    public func createOffer() async throws -> String {
        await gather()
        return try await perform { peer, now, _ in try peer.createOffer(now: now) }
    }

    /// Answers the offer of the other side.
    /// - Throws: ``CallError/badDescription(_:)``; then the call is as it was.
    public func answer(_ offer: String) async throws -> String {
        await gather()
        return try await perform { peer, now, batch in try peer.answer(offer: offer, now: now, into: &batch) }
    }

    /// Applies the other side's answer to our offer.
    public func accept(answer: String) async throws {
        try await perform { peer, now, batch in try peer.accept(answer: answer, now: now, into: &batch) }
    }

    /// Takes a candidate that came after the session description (trickle ICE, RFC 8838); nil or empty: no more come.
    public func addRemoteCandidate(_ candidate: String?, mid: String? = nil, index: Int? = nil) async throws {
        try await perform { peer, now, batch in
            try peer.addRemoteCandidate(candidate, mid: mid, index: index, now: now, into: &batch)
        }
    }

    /// Takes back an offer that was not answered.
    public func rollback() async throws { try await perform { peer, _, _ in try peer.rollback() } }

    /// Begins an ICE restart and makes the offer for it: after the network has changed, or when the call is failing.
    public func restart() async throws -> String {
        try await perform { peer, now, _ in try peer.restartICE(now: now) }
        return try await createOffer()
    }

    /// Waits for the candidates that STUN servers tell, for two seconds at the most.
    private func gather() async {
        guard !configuration.stunServers.isEmpty else { return }
        for _ in 0..<100 where !state.withLock({ $0.gathered || $0.isClosed }) {
            try? await Task.sleep(for: .milliseconds(20))
        }
    }

    private func perform<Result: Sendable>(
        _ work: @escaping @Sendable (Peer, Instant, inout EgressBatch) throws -> Result
    ) async throws -> Result {
        do { return try await engine.perform(work) } catch let error as SDPError {
            throw CallError.badDescription("\(error)")
        }
    }

    // MARK: State

    /// Where the call stands.
    public var callState: CallState { state.withLock { $0.callState } }
    /// Why it failed, in words.
    public var failure: String? { state.withLock { $0.failure } }

    /// Waits until media can flow.
    /// - Throws: ``CallError/library(_:)`` with the reason where the call fails first.
    public func connected() async throws {
        while true {
            switch callState {
            case .connected: return
            case .failed: throw CallError.library(failure ?? "the call failed")
            case .closed: throw CallError.closed
            case .new, .connecting, .disconnected: try await Task.sleep(for: .milliseconds(5))
            }
        }
    }

    /// A snapshot of everything that is counted; names and meaning as in W3C webrtc-stats.
    public func statistics() async throws -> CallStatistics {
        let driver = engine.driver
        let (counts, datagrams, bytes) = try await engine.perform { peer, now, _ in
            (peer.statistics(now: now), driver.datagramsSent, driver.bytesSent)
        }
        let tracks = state.withLock { $0 }
        return CallStatistics(
            counts, datagramsSent: datagrams, bytesSent: bytes, localVideo: tracks.localVideo,
            remoteVideo: tracks.remoteVideo, remoteAudio: tracks.remoteAudio,
            skew: sync.skew, wallClock: wallClock)
    }

    /// Ends the call: says good-bye, closes sockets and stops all threads. Nothing is called any more once it returned.
    public func close() async {
        let tracks = state.withLock { state in
            defer {
                state.isClosed = true
                state.callState = .closed
            }
            return state
        }
        guard !tracks.isClosed else { return }
        await engine.close()
        await withCheckedContinuation { continuation in
            // Joining threads blocks: it is done on a thread of its own, not on one of the cooperative pool.
            _ = WorkerThread { _ in
                Self.close(tracks)
                continuation.resume()
            }
        }
        yield.yield(.state(.closed, reason: nil))
        yield.finish()
    }

    private static func close(_ tracks: State) {
        for track in tracks.localVideo { track.close() }
        for track in tracks.localAudio { track.close() }
        for track in tracks.remoteVideo { track.close() }
        for track in tracks.remoteAudio { track.close() }
    }

    // MARK: Events, on the driver's thread

    private func handle(_ event: PeerEvent) {
        switch event {
        case .videoFrame(let id, let frame):
            state.withLock { $0.remoteVideo.first { $0.id == id } }?.frames.post(frame)
        case .audioPacket(let id, let packet):
            state.withLock { $0.remoteAudio.first { $0.id == id } }?.packets.post(packet)
        case .keyFrameRequested(let id):
            state.withLock { $0.localVideo.first { $0.id == id } }?.requestKeyFrame()
        case .videoRateChanged(let rate):
            state.withLock { $0.videoRate = rate }
            share(rate)
        case .stateChanged(let new, let failure):
            change(new, failure)
        case .trackAdded(let id, let kind, _, let stream):
            add(id, kind, stream)
        case .trackRemoved(let id):
            remove(id)
        case .pathChanged(let path):
            engine.log(.info, "media takes a new path", ["remote-family": "\(path.remote.family)"])
            yield.yield(.pathChanged(local: "\(path.local)", remote: "\(path.remote)"))
        case .localCandidate(let line, let mid):
            if line == nil { state.withLock { $0.gathered = true } }
            yield.yield(.localCandidate(line, mid: mid))
        case .iceStateChanged(let ice):
            engine.log(.debug, "ICE state", ["state": "\(ice.rawValue)"])
        }
    }

    private func change(_ new: PeerState, _ failure: PeerFailure?) {
        let callState = CallState(rawValue: new.rawValue) ?? .failed
        let tracks = state.withLock { state in
            state.callState = callState
            if let failure { state.failure = failure.description }
            return state
        }
        let isLive = callState == .connected || callState == .disconnected
        for track in tracks.localVideo { track.setLive(isLive) }
        for track in tracks.localAudio { track.setLive(isLive) }
        engine.log(.info, "call state", ["state": "\(new.rawValue)"])
        yield.yield(.state(callState, reason: failure?.description))
    }

    private func share(_ rate: DataRate) {
        let tracks = state.withLock { $0.localVideo }
        guard !tracks.isEmpty else { return }
        let maximum = DataRate.kilobitsPerSecond(configuration.maximumVideoKilobitsPerSecond)
        for track in tracks { track.setRate(min(maximum, rate * (1 / Double(tracks.count)))) }
    }

    private func add(_ id: RemoteTrackID, _ kind: StreamKind, _ stream: String?) {
        switch kind {
        case .video:
            let track = RemoteVideoTrack(id: id, stream: stream, engine: engine, sync: sync, clock: wallClock)
            state.withLock { $0.remoteVideo.append(track) }
            yield.yield(.videoTrack(track))
        case .audio:
            let track = RemoteAudioTrack(
                id: id, stream: stream, channels: 1, engine: engine, sync: sync, clock: wallClock)
            state.withLock { $0.remoteAudio.append(track) }
            yield.yield(.audioTrack(track))
        }
    }

    private func remove(_ id: RemoteTrackID) {
        sync.release()
        yield.yield(.trackEnded(id: id.number))
    }
}

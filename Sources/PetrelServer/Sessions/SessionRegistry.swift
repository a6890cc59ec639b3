internal import HTTPTypes
internal import Logging
internal import Petrel
internal import PetrelCore
internal import PetrelIO
internal import PetrelLab
internal import PetrelSDP

/// The peers that there are, and those that are being made.
actor SessionRegistry {
    private let configuration: ServerConfiguration
    private let link: LabLink?
    private let streams: StreamDirectory
    private let logger: Logger
    private var sessions: [String: Session] = [:]
    /// Peers that are being made take a place as well.
    private var reserved = 0
    private var isClosed = false
    /// The one UDP port of all peers, where they share one.
    private var sharedPort: SharedPort?

    init(_ configuration: ServerConfiguration, link: LabLink?, streams: StreamDirectory) {
        self.configuration = configuration
        self.link = link
        self.streams = streams
        logger = configuration.logger
    }

    /// All peers from now on use this port.
    func use(_ port: SharedPort) { sharedPort = port }

    var count: Int { sessions.count + reserved }

    /// The session of a resource; nil where there is none. The other parts of the address are checked too: one and the
    /// same peer is not reached under two.
    func session(_ id: String, in collection: String) -> Session? {
        sessions[id].flatMap { $0.collection == collection ? $0 : nil }
    }

    /// Makes a peer that answers an offer.
    /// - Throws: ``Refusal`` 503 where there is no place, 422 where nothing of the offer can be taken.
    func open(
        collection: String, owner: BearerTokens.Holder, media: Session.Media, offer: SessionDescription
    ) async throws(Refusal) -> (session: Session, answer: String) {
        guard !isClosed else { throw .busy("the server is being stopped") }
        guard count < configuration.maximumPeers else {
            throw .busy("this server takes \(configuration.maximumPeers) peers at a time")
        }
        reserved += 1
        defer { reserved -= 1 }
        let relay: (relay: LiveRelay, id: Int)?
        do { relay = try link?.relay() } catch { throw .busy("no relay can be had: \(error)") }
        let session: Session
        do {
            var random = RandomSource.system
            session = Session(
                id: LocalTransport.randomName(40, using: &random), collection: collection, owner: owner, media: media,
                call: try await Call(callConfiguration(for: media, offer, behindRelay: relay != nil)),
                relay: relay.flatMap { made in link.map { (made.relay, $0.address(of: made.relay)) } }, offer: offer,
                logger: logger)
        } catch {
            if let relay { link?.remove(relay.id) }
            logger.error("no peer can be made", metadata: ["reason": "\(error)"])
            throw .busy("no peer can be made: \(error)")
        }
        do {
            let answer = try await session.begin()
            try Self.checkAccepted(answer)
            guard !isClosed else { throw Refusal.busy("the server is being stopped") }
            sessions[session.id] = session
            logger.info("a peer came", metadata: ["at": "\(collection)", "peers": "\(sessions.count)"])
            watch(session, relay: relay?.id)
            return (session, answer)
        } catch {
            await session.end()
            if let relay { link?.remove(relay.id) }
            throw Refusal(error)
        }
    }

    private func callConfiguration(
        for media: Session.Media, _ offer: SessionDescription, behindRelay: Bool
    ) -> CallConfiguration {
        var call = configuration.call
        call.logger = logger
        // There are publishers that answer no checks once they are connected (FFmpeg's is one), and would lose consent
        // after 30 s. Whoever reaches this server by HTTP can make the checks.
        if case .publishes = media, !offer.isICELite { call.isICELite = true }
        // Where this machine has no address that others see, its own browsers are all there are.
        if call.addressProfile == .server, !LabLink.machineHasOutside { call.addressProfile = .lab }
        if behindRelay {
            // The relay is the only way to the peer.
            call.addressProfile = .lab
            call.localAddresses = ["127.0.0.1"]
            call.publicAddresses = []
        } else if let sharedPort {
            (call.sharedPort, call.localAddresses) = (sharedPort, [])
        } else if let ports = configuration.udpPorts {
            call.udpPorts = ports
        }
        return call
    }

    /// - Throws: ``Refusal`` 422 where the answer declines everything.
    private static func checkAccepted(_ answer: String) throws {
        guard try SessionDescription(parsing: answer).media.contains(where: { !$0.isRejected }) else {
            throw Refusal(
                .unprocessableContent,
                "nothing of the offer can be taken: it needs VP8 or Opus over UDP/TLS/RTP/SAVPF")
        }
    }

    /// Takes the resource away once its call is over, or was not connected in time.
    private func watch(_ session: Session, relay: Int?) {
        let seconds = configuration.limits.connectSeconds
        let deadline = Task {
            try await Task.sleep(for: .seconds(seconds))
            guard !session.isConnected else { return }
            await self.end(session, reason: "it was not connected in \(Int(seconds)) s")
        }
        Task {
            await session.follow()
            deadline.cancel()
            await self.end(session, reason: nil)
            if let relay { self.link?.remove(relay) }
        }
    }

    /// Ends a call. Whoever looks at a stream that ends with it is told by the end of the own call.
    func end(_ session: Session, reason: String?) async {
        let isNews = sessions.removeValue(forKey: session.id) != nil
        if isNews, let reason { logger.info("a peer is ended", metadata: ["reason": "\(reason)"]) }
        await session.end()
        guard isNews, case .publishes(let stream) = session.media else { return }
        streams.remove(stream)
        for viewer in sessions.values {
            if case .plays(let played) = viewer.media, played === stream {
                await end(viewer, reason: "the stream has ended")
            }
        }
    }

    /// Ends all calls; none begins any more.
    func close() async {
        isClosed = true
        let all = Array(sessions.values)
        await withTaskGroup(of: Void.self) { group in
            for session in all { group.addTask { await self.end(session, reason: "the server is being stopped") } }
        }
        await sharedPort?.close()
        sharedPort = nil
    }
}

extension Refusal {
    /// What an error of the library means to a client.
    init(_ error: any Error) {
        switch error {
        case let refusal as Refusal: self = refusal
        case let error as SDPError: self.init(.unprocessableContent, "\(error)")
        case let error as CallError:
            switch error {
            case .badDescription, .badConfiguration: self.init(.unprocessableContent, "\(error)")
            case .wrongState: self.init(.conflict, "\(error)")
            case .closed: self = .nothingHere
            case .noSocket, .noFreePort, .library, .file, .failed: self = .busy("\(error)")
            }
        default: self.init(.internalServerError, "the request could not be done")
        }
    }
}

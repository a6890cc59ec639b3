internal import HTTPTypes
internal import Logging
internal import Petrel
internal import PetrelCore
internal import PetrelLab
internal import PetrelSDP

/// One peer and its resource: what was made by a POST and lives until its DELETE, or until the other side is gone.
actor Session {
    /// What the peer sends and what becomes of what it receives.
    enum Media: Sendable {
        /// Sends a stream; nothing of the other side is used.
        case plays(MediaStream)
        /// Receives and publishes.
        case publishes(MediaStream)
        /// Sends back what it receives.
        case echoes
    }

    /// What names the resource: 160 random bits.
    nonisolated let id: String
    /// `/call/`, `/whip/NAME/` or `/whep/NAME/`.
    nonisolated let collection: String
    nonisolated let owner: BearerTokens.Holder
    nonisolated let media: Media
    nonisolated var path: String { collection + id }

    let call: Call
    /// The relay between the other side and the call, and the address that the other side is told of it.
    private let relay: LiveRelay?
    private let relayAddress: TransportAddress?
    private let logger: Logger
    /// The last offer of the other side: an ICE restart by PATCH changes its credentials alone.
    var offer: SessionDescription
    /// Names the ICE session (RFC 9725 section 4.3.1).
    private(set) var entityTag = ""
    /// An offer or restart is being answered.
    private var isNegotiating = false
    /// What is sent; nil where nothing is.
    private let source: MediaStream?
    private var video: LocalVideoTrack?
    private var audio: LocalAudioTrack?
    private var viewer: (stream: MediaStream, id: Int)?
    private var hasEnded = false

    init(
        id: String, collection: String, owner: BearerTokens.Holder, media: Media, call: Call,
        relay: (relay: LiveRelay, address: TransportAddress)?, offer: SessionDescription, logger: Logger
    ) {
        (self.id, self.collection, self.owner, self.media) = (id, collection, owner, media)
        (self.call, self.offer, self.logger) = (call, offer, logger)
        (self.relay, relayAddress) = (relay?.relay, relay?.address)
        source =
            switch media {
            case .plays(let stream): stream
            case .echoes: MediaStream(name: "echo")
            case .publishes: nil
            }
        entityTag = Self.freshTag()
    }

    private static func freshTag() -> String {
        var random = RandomSource.system
        return "\"\(LocalTransport.randomName(16, using: &random))\""
    }

    // MARK: Offers

    /// Answers the first offer.
    /// - Throws: `CallError`, or ``Refusal`` where nothing of the offer can be taken.
    func begin() async throws -> String {
        let answer = try await answer(offer)
        if let source { viewer = (source, source.add(video: video, audio: audio)) }
        return answer
    }

    /// Answers a new offer for the call that is there.
    /// - Throws: `CallError`, or ``Refusal`` 409 where another one is being answered; then the call is as it was.
    func renegotiate(_ new: SessionDescription) async throws -> String {
        let restarts = credentials(of: new)?.ufrag != credentials(of: offer)?.ufrag
        let answer = try await answer(new)
        if restarts { entityTag = Self.freshTag() }
        return answer
    }

    private func answer(_ new: SessionDescription) async throws -> String {
        guard !isNegotiating else { throw Refusal(.conflict, "another offer is being answered") }
        isNegotiating = true
        defer { isNegotiating = false }
        if source != nil { try await addTracks(for: new) }
        var text = try new.text()
        if let relay {
            text = CandidateRewriter.rewrite(sessionDescription: text, to: relay.face(for: .a))
        }
        let answer = try await call.answer(text)
        // Not before the offer is taken: until then the call goes on as it is.
        if let relay, credentials(of: new)?.ufrag != credentials(of: offer)?.ufrag { relay.setPeer(nil, for: .a) }
        offer = new
        await removeTracks(notIn: try SessionDescription(parsing: answer))
        if let viewer { viewer.stream.change(viewer.id, video: video, audio: audio) }
        guard let relay, let relayAddress else { return answer }
        // The relay cannot learn where the peer is: it says nothing before a browser that trickles has shown itself.
        let own = try SessionDescription(parsing: answer).media.lazy.flatMap(\.candidates)
            .compactMap { ICECandidate($0) }.first
        if let own { relay.setPeer(own.address, for: .b) }
        return CandidateRewriter.rewrite(sessionDescription: answer, to: relayAddress)
    }

    /// Adds what is to be sent, once there is a section for it.
    private func addTracks(for offer: SessionDescription) async throws {
        let kinds = Set(offer.media.filter { !$0.isRejected }.map(\.kind))
        if video == nil, kinds.contains(.video) { video = try await call.addVideo() }
        if audio == nil, kinds.contains(.audio) { audio = try await call.addAudio() }
    }

    /// A section that is gone takes its track with it: another section will want another one.
    private func removeTracks(notIn answer: SessionDescription) async {
        let kinds = Set(answer.media.filter { !$0.isRejected }.map(\.kind))
        if let video, !kinds.contains(.video) {
            self.video = nil
            try? await call.remove(video)
        }
        if let audio, !kinds.contains(.audio) {
            self.audio = nil
            try? await call.remove(audio)
        }
    }

    private func credentials(of description: SessionDescription) -> (ufrag: String, password: String)? {
        for section in description.media where !section.isRejected {
            let transport = description.effectiveTransport(of: section)
            if let ufrag = transport.iceUfrag, let password = transport.icePassword { return (ufrag, password) }
        }
        return nil
    }

    // MARK: Trickle ICE and restart (RFC 9725 section 4.3)

    enum PatchResult: Sendable {
        /// The candidates were taken.
        case taken
        /// ICE was restarted: our side of it, and the new entity tag.
        case restarted(TrickleFragment, entityTag: String)
    }

    /// - Parameter condition: the value of If-Match.
    /// - Throws: ``Refusal`` 412, 409 and 422, `CallError`; then the call is as it was.
    func patch(_ fragment: TrickleFragment, ifMatch condition: String) async throws -> PatchResult {
        let isAny = condition.trimmingSpaces == "*"
        guard isAny || condition.split(separator: ",").contains(where: { String($0).trimmingSpaces == entityTag })
        else {
            throw Refusal(
                .preconditionFailed, "the ICE session that If-Match names is not the one that is there",
                [.eTag: entityTag])
        }
        let current = credentials(of: offer)
        let isSame = fragment.iceUfrag == nil || fragment.iceUfrag == current?.ufrag
        guard isSame || isAny else {
            throw Refusal(.conflict, "the fragment is of another ICE session; a restart says If-Match: *")
        }
        if !isSame { return try await restart(fragment) }
        if let password = fragment.icePassword, password != current?.password {
            throw Refusal(.unprocessableContent, "ice-pwd changes without ice-ufrag")
        }
        // The relay stands for the browser: where it really is does not matter.
        guard relay == nil else { return .taken }
        for candidate in fragment.candidates {
            try await call.addRemoteCandidate(
                candidate.line, mid: candidate.mid, index: candidate.mid == nil ? 0 : nil)
        }
        if fragment.endOfCandidates { try await call.addRemoteCandidate(nil) }
        return .taken
    }

    private func restart(_ fragment: TrickleFragment) async throws -> PatchResult {
        // WHIP exchanges no descriptions after the first: the rest of the offer still holds (RFC 9725 section 4.3.3).
        guard let new = offer.restarted(by: fragment) else {
            throw Refusal(.unprocessableContent, "nothing is negotiated that could be restarted")
        }
        let answer = try SessionDescription(parsing: try await renegotiate(new))
        guard var ours = TrickleFragment(about: answer) else {
            throw Refusal(.internalServerError, "the answer has no credentials")
        }
        for section in answer.media where !section.isRejected {
            ours.candidates += section.candidates.map { TrickleFragment.Candidate(line: $0, mid: section.mid) }
        }
        ours.endOfCandidates = true
        return .restarted(ours, entityTag: entityTag)
    }

    // MARK: Life

    /// Follows the call until it is over.
    func follow() async {
        for await event in call.events {
            switch event {
            case .videoTrack(let track):
                guard let stream = received else { continue }
                track.onFrame { stream.show($0.picture) }
            case .audioTrack(let track):
                guard let stream = received else { continue }
                track.onAudio { stream.play($0.samples) }
            case .state(.failed, let reason):
                logger.info("a peer is gone", metadata: ["reason": "\(reason ?? "no reason given")"])
                return
            case .state(.closed, _): return
            case .state, .trackEnded, .pathChanged, .localCandidate: continue
            }
        }
    }

    /// Where what comes from the other side goes.
    private var received: MediaStream? {
        switch media {
        case .plays: nil
        case .publishes(let stream): stream
        case .echoes: source
        }
    }

    /// Whether media has ever been able to flow.
    nonisolated var isConnected: Bool {
        switch call.callState {
        case .connected, .disconnected: true
        case .new, .connecting, .failed, .closed: false
        }
    }

    /// Ends the call; the other side is told.
    func end() async {
        guard !hasEnded else { return }
        hasEnded = true
        if let viewer { viewer.stream.remove(viewer.id) }
        await call.close()
    }

    func statistics() async throws -> CallStatistics { try await call.statistics() }
}

internal import Petrel
internal import PetrelSDP

/// Trickle ICE and ICE restart by PATCH (RFC 9725 section 4.3).
extension SignalingSession {
    /// Candidates that are found at about the same time go in one request.
    static let gatherTime = Duration.milliseconds(50)

    // MARK: Trickle

    /// Takes a candidate of ours for the server; nil: there are no more.
    func add(_ candidate: String?, _ mid: String?) {
        guard takesPatch, agreement.etag != nil else { return }
        waiting.append((candidate, mid))
        guard flushing == nil else { return }
        flushing = Task { [weak self] in
            try? await Task.sleep(for: Self.gatherTime)
            await self?.flush()
        }
    }

    private func flush() async {
        flushing = nil
        guard !isRestarting, takesPatch, let etag = agreement.etag, !Task.isCancelled else { return }
        let new = waiting.filter { item in item.candidate.map { !agreement.offer.contains($0) } ?? false }
        let isEnd = waiting.contains { $0.candidate == nil }
        waiting = []
        // The end alone is worth no request: what the offer named is all there is.
        guard !new.isEmpty, var fragment = fragment(agreement.offer) else { return }
        let home = fragment.sections.first?.mid
        fragment.candidates = new.compactMap(\.candidate).map { TrickleFragment.Candidate(line: $0, mid: home) }
        fragment.endOfCandidates = isEnd
        guard let body = try? fragment.text() else { return }
        // A candidate too few is no reason to end a stream: what cannot be told is let go.
        let reply = try? await client.send(
            "PATCH", to: address, headers: ["Content-Type": TrickleFragment.mediaType, "If-Match": etag], body: body)
        guard let status = reply?.answer.status else { return }
        // 422: trickle is not supported, restarts may be (RFC 9725 section 4.3.2). Neither is without PATCH.
        if [405, 415, 501].contains(status) { takesPatch = false }
    }

    /// The beginning of a fragment about a description of ours.
    private func fragment(_ description: String) -> TrickleFragment? {
        (try? SessionDescription(parsing: description)).flatMap { TrickleFragment(about: $0) }
    }

    // MARK: Restart

    /// Restarts with the offer that `makeOffer` gives; nil: nothing is to be done, and the answer is false.
    func restart(_ makeOffer: @Sendable (Call) async throws -> String?) async throws(SignalingError) -> Bool {
        guard takesPatch, agreement.etag != nil, !agreement.remoteOffered else {
            throw SignalingError(.unsupported, "the server at \(client.home.host) offers no ICE restart")
        }
        guard !isRestarting else { throw SignalingError(.call, "an ICE restart is under way already") }
        isRestarting = true
        defer { isRestarting = false }
        let offer: String
        do {
            guard let made = try await makeOffer(call) else { return false }
            offer = made
        } catch { throw SignalingClient.fault(error) }
        do throws(SignalingError) {
            try await exchange(offer)
            return true
        } catch {
            // A restart that failed must not end the session (RFC 9725 section 4.3.3): the old credentials stand.
            try? await call.rollback()
            throw error
        }
    }

    private func exchange(_ offer: String) async throws(SignalingError) {
        guard var request = fragment(offer), let ours = try? SessionDescription(parsing: offer) else {
            throw SignalingError(.call, "the offer of a restart has no credentials")
        }
        let first = request.sections.first?.mid.flatMap { ours.section(mid: $0) }
        request.candidates = (first?.candidates ?? []).map { TrickleFragment.Candidate(line: $0, mid: first?.mid) }
        request.endOfCandidates = first?.endOfCandidates ?? false
        guard let body = try? request.text() else {
            throw SignalingError(.call, "the offer of a restart cannot be written")
        }
        let (answer, from) = try await client.send(
            "PATCH", to: address, headers: ["Content-Type": TrickleFragment.mediaType, "If-Match": "*"], body: body)
        switch answer.status {
        case 200: break
        case 404, 410: throw SignalingError(.notFound, "the server has no such session any more", status: answer.status)
        case 405, 415, 422, 501:
            if answer.status != 422 { takesPatch = false }
            throw SignalingError(
                .unsupported, "the server at \(client.home.host) offers no ICE restart", status: answer.status)
        case 204:
            // Taken for trickle: the server has not restarted.
            throw SignalingError(.unsupported, "the server at \(client.home.host) offers no ICE restart", status: 204)
        default: throw client.refusal(answer, from: from, kind)
        }
        guard answer.mediaType == TrickleFragment.mediaType, let text = answer.text,
            let fragment = try? TrickleFragment(parsing: text),
            let remote = try? SessionDescription(parsing: agreement.remote).restarted(by: fragment),
            let description = try? remote.text()
        else {
            throw SignalingError(
                .badAnswer, "\(from.place) answers an ICE restart without credentials that can be used", status: 200)
        }
        do { try await call.accept(answer: description) } catch { throw SignalingClient.fault(error) }
        agreement = Agreement(
            etag: SignalingClient.etag(answer) ?? agreement.etag, offer: offer, remote: description,
            remoteOffered: false)
        waiting = []
    }
}

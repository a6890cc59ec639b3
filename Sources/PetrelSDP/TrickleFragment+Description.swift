extension TrickleFragment {
    /// What every fragment about a description begins with: its credentials, and the first section of its BUNDLE group,
    /// without candidates (RFC 9725 section 4.3). Nil where no section has credentials and a tag.
    public init?(about description: SessionDescription) {
        let tag = description.groups.first { $0.semantics == "BUNDLE" }?.mids.first
        let first = tag.flatMap { description.section(mid: $0) } ?? description.media.first { $0.mid != nil }
        guard let first else { return nil }
        let transport = description.effectiveTransport(of: first)
        guard let ufrag = transport.iceUfrag, let password = transport.icePassword else { return nil }
        self.init()
        (iceUfrag, icePassword) = (ufrag, password)
        sections = [Section(kind: first.kind, mid: first.mid)]
    }
}

extension SessionDescription {
    /// This description as it stands after its writer has restarted ICE: the credentials and candidates of the fragment
    /// in the place of its own, everything else unchanged (RFC 9725 section 4.3.3). Nil where the fragment has no
    /// credentials.
    public func restarted(by fragment: TrickleFragment) -> SessionDescription? {
        guard let ufrag = fragment.iceUfrag, let password = fragment.icePassword else { return nil }
        var result = self
        result.origin.sessionVersion &+= 1
        (result.transport.iceUfrag, result.transport.icePassword) = (nil, nil)
        result.endOfCandidates = false
        for index in result.media.indices {
            result.media[index].candidates = []
            result.media[index].endOfCandidates = false
            guard !result.media[index].isRejected else { continue }
            (result.media[index].transport.iceUfrag, result.media[index].transport.icePassword) = (ufrag, password)
        }
        guard let first = result.media.firstIndex(where: { !$0.isRejected }) else { return nil }
        for candidate in fragment.candidates {
            let index = result.media.firstIndex { $0.mid == candidate.mid && candidate.mid != nil } ?? first
            result.media[index].candidates.append(candidate.line)
        }
        result.media[first].endOfCandidates = fragment.endOfCandidates
        return result
    }
}

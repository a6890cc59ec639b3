import PetrelCore
import PetrelSDP
import PetrelSecurity

/// Session descriptions: what was read can be printed, and reads the same again.
func fuzzSDPParse(_ input: UnsafeRawBufferPointer) {
    guard let description = try? SessionDescription(parsing: Array(input)) else { return }
    guard let printed = try? description.text() else { return require(false, "what was read can be printed") }
    guard let again = try? SessionDescription(parsing: printed) else {
        do {
            _ = try SessionDescription(parsing: printed)
        } catch {
            // The printed form has a line for what the text may have left out, and so may pass a limit.
            require(error.reason == .tooLong || error.reason == .tooMany || error.reason == .lineTooLong, "\(error)")
        }
        return
    }
    require(again == description, "parse, print, parse")
    require((try? again.text()) == printed, "printing is stable")
}

/// Fragments with candidates: what was read can be printed, and says the same again.
func fuzzTrickleFragment(_ input: UnsafeRawBufferPointer) {
    guard let fragment = try? TrickleFragment(parsing: text(input)) else { return }
    guard let printed = try? fragment.text() else { return require(false, "what was read can be printed") }
    guard let again = try? TrickleFragment(parsing: printed) else {
        // The printed m= lines may be longer than those that were read.
        return require(printed.utf8.count > TrickleFragment.maximumBytes, "what was printed can be read")
    }
    require(Set(again.candidates) == Set(fragment.candidates), "no candidate is lost")
    require(again.candidates.count == fragment.candidates.count, "and none is doubled")
    require(again.iceUfrag == fragment.iceUfrag && again.icePassword == fragment.icePassword, "the credentials stay")
    require((try? again.text()) == printed, "printing is stable")
}

/// Offers and answers of a stranger against a negotiator of ours.
///
/// The first octet says what is tried: bit 0: the text is an answer to our offer; bit 1: we have tracks; bit 2: after
/// the first negotiation the second text (after a zero octet) is applied as a new offer.
func fuzzSDPOfferToAnswer(_ input: UnsafeRawBufferPointer) {
    guard let mode = input.first else { return }
    let body = input.dropFirst()
    let cut = mode & 4 == 0 ? nil : body.firstIndex(of: 0)
    let first = text(UnsafeRawBufferPointer(rebasing: body[..<(cut ?? body.endIndex)]))
    let second = cut.map { text(UnsafeRawBufferPointer(rebasing: body[($0 + 1)...])) }
    var negotiator = SDPFixtures.negotiator(hasTracks: mode & 2 != 0)
    if mode & 1 == 1 {
        guard let offer = try? negotiator.createOffer(), (try? negotiator.applyLocal(offer, .offer)) != nil else {
            return require(false, "an offer of our own")
        }
        let before = negotiator
        guard (try? negotiator.applyRemote(first, .answer)) != nil else {
            return require(isSame(negotiator, before), "a refused answer changes nothing")
        }
        check(negotiator, sections: offer.media.count)
    } else {
        guard answer(&negotiator, first) else { return }
    }
    if let second { _ = answer(&negotiator, second) }
    // Whatever was agreed: the next offer can be made.
    guard let offer = try? negotiator.createOffer(), let printed = try? offer.text() else {
        return require(false, "a further offer can be made")
    }
    require((try? SessionDescription(parsing: printed)) != nil, "and read")
}

/// Applies an offer and makes the answer.
private func answer(_ negotiator: inout Negotiator, _ offer: String) -> Bool {
    let before = negotiator
    do {
        try negotiator.applyRemote(offer, .offer)
    } catch {
        require(isSame(negotiator, before), "a refused offer changes nothing")
        return false
    }
    guard let answer = try? negotiator.createAnswer() else {
        // An offer that was taken may still have no answer (fresh credentials may be needed): then it is rolled back.
        require((try? negotiator.rollback()) != nil, "an offer can be rolled back")
        return false
    }
    let sections = negotiator.remoteDescription?.media.count ?? 0
    require(answer.media.count == sections, "an answer has the sections of the offer")
    guard let printed = try? answer.text(), let again = try? SessionDescription(parsing: printed) else {
        require(false, "an answer can be printed and read")
        return false
    }
    require(again == answer, "an answer reads as it was meant")
    guard (try? negotiator.applyLocal(answer, .answer)) != nil else {
        require(false, "our own answer can be applied")
        return false
    }
    check(negotiator, sections: sections)
    return true
}

private func check(_ negotiator: Negotiator, sections: Int) {
    require(negotiator.state == .stable, "a finished negotiation is stable")
    guard let session = negotiator.session else { return require(false, "a finished negotiation has a session") }
    require(session.sections.count == sections, "every section has a result")
    if let transport = session.transport {
        require(!transport.remoteFingerprints.isEmpty, "no session without a fingerprint")
    } else {
        require(session.accepted.isEmpty, "no media without a transport")
    }
}

private func isSame(_ left: Negotiator, _ right: Negotiator) -> Bool {
    left.state == right.state && left.transceivers == right.transceivers && left.session == right.session
        && left.remoteDescription == right.remoteDescription && left.localDescription == right.localDescription
}

/// What our side of a negotiation is made of.
enum SDPFixtures {
    static let fingerprint: PetrelSDP.Fingerprint = made {
        guard let value = PetrelSDP.Fingerprint(.sha256, Identities.ours.fingerprint(.sha256).bytes) else {
            throw SDPError(.noFingerprint, "fixture")
        }
        return value
    }

    static func transport(ufrag: String, password: String) -> LocalTransport {
        made {
            try LocalTransport(
                iceUfrag: ufrag, icePassword: password, fingerprints: [fingerprint], tlsID: "0123456789abcdef01234567")
        }
    }

    static func negotiator(hasTracks: Bool) -> Negotiator {
        var negotiator = Negotiator(
            transport: transport(ufrag: "abcd", password: "sharedVectorPassword22xyz"),
            sessionID: 4711)
        made {
            let audio = try LocalTrack(streamID: "s", trackID: "a", ssrc: 11, cname: "c")
            let video = try LocalTrack(streamID: "s", trackID: "v", ssrc: 22, rtxSSRC: 23, cname: "c")
            try negotiator.addTransceiver(.audio, direction: .sendrecv, track: hasTracks ? audio : nil)
            try negotiator.addTransceiver(.video, direction: .sendrecv, track: hasTracks ? video : nil)
        }
        return negotiator
    }
}

/// Certificates made once; the same in every run.
enum Identities {
    static let ours: Certificate = made { try Certificate.make(unixTime: 1_760_000_000, labSeed: 1) }
    static let theirs: Certificate = made { try Certificate.make(unixTime: 1_760_000_000, labSeed: 2) }
}

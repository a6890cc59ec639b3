internal import PetrelCore

extension ICECandidate {
    /// The value of the candidate attribute, beginning with `candidate:` and without `a=` (RFC 8839 section 5.1).
    ///
    /// Nil where a text in it (foundation, ufrag) holds anything but ice-chars, so that nothing can break out of its
    /// line.
    public var attribute: String? {
        guard CandidateLine.isICECharacters(foundation), foundation.utf8.count <= 32 else { return nil }
        if let ufrag {
            guard (4...256).contains(ufrag.utf8.count), CandidateLine.isICECharacters(ufrag) else { return nil }
        }
        var text = "candidate:\(foundation) 1 udp \(priority) \(address.host) \(address.port) typ \(kind.rawValue)"
        if let relatedAddress {
            text += " raddr \(relatedAddress.host) rport \(relatedAddress.port)"
        } else if kind != .host {
            // RFC 8839 asks for raddr and rport where the kind is not host; these tell nothing.
            text += address.family == .ipv4 ? " raddr 0.0.0.0 rport 9" : " raddr :: rport 9"
        }
        if let ufrag { text += " ufrag \(ufrag)" }
        return text
    }
}

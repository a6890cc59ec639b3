public import PetrelCore

/// Puts a relay's address into ICE candidates in place of a peer's own, so that the peers meet at the relay.
///
/// It works on the text of the candidate attribute (RFC 8839 section 5.1), with or without `a=` before it.
public enum CandidateRewriter {
    /// The candidate with `address` as its connection address and port, and without a related address, which would
    /// show the peer's own. Nil for what must not be passed on: anything but a host candidate over UDP (the relay
    /// stands for one address only), and what is no candidate.
    public static func rewrite(_ candidate: String, to address: TransportAddress) -> String? {
        // candidate:FOUNDATION COMPONENT TRANSPORT PRIORITY ADDRESS PORT typ TYPE [raddr ADDRESS] [rport PORT] ...
        var fields = candidate.split(whereSeparator: \.isWhitespace).map(String.init)
        guard fields.count >= 8, fields[0].hasPrefix("candidate:") || fields[0].hasPrefix("a=candidate:"),
            fields[2].lowercased() == "udp", fields[6] == "typ", fields[7] == "host"
        else { return nil }
        fields[4] = address.host
        fields[5] = String(address.port)
        while let related = fields[8...].firstIndex(where: { $0 == "raddr" || $0 == "rport" }) {
            fields.removeSubrange(related..<min(related + 2, fields.count))
        }
        return fields.joined(separator: " ")
    }

    /// A session description whose candidates all name `address`: the first UDP host candidate of each media
    /// section is rewritten, all others are left out. The default destinations of `c=` and `m=` lines, which ICE
    /// ignores where there are candidates, become those for "none yet" (RFC 8840 section 4.1.1: 0.0.0.0 and port 9).
    public static func rewrite(sessionDescription: String, to address: TransportAddress) -> String {
        var hasCandidate = false
        var lines: [String] = []
        for line in sessionDescription.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
            var text = String(line)
            if text.hasPrefix("m=") {
                hasCandidate = false
                var fields = text.split(separator: " ").map(String.init)
                // Port 0 says that the section is rejected, and stays.
                if fields.count > 1, fields[1] != "0" { fields[1] = "9" }
                text = fields.joined(separator: " ")
            } else if text.hasPrefix("c=") {
                text = "c=IN IP4 0.0.0.0"
            } else if text.hasPrefix("a=rtcp:") {
                text = "a=rtcp:9 IN IP4 0.0.0.0"
            } else if text.hasPrefix("a=candidate:") {
                guard !hasCandidate, let rewritten = rewrite(text, to: address) else { continue }
                hasCandidate = true
                text = rewritten
            }
            lines.append(text)
        }
        return lines.joined(separator: "\r\n")
    }
}

public import PetrelCore

/// A 5-tuple whose datagrams belong to an agent, as far as it knows: what a port that several agents share needs to
/// tell them apart (``PortRoutes``).
public struct ICEClaim: Hashable, Sendable {
    /// Where the datagrams come from, and the base that they arrive at.
    public var path: ICEPath
    /// A check that was sent there was answered: whoever claims this receives what is sent to that address. Without it
    /// all that is known is that a peer has sent an authentic check under that source address, which can be forged.
    public var isProven: Bool
    /// When anything authentic came from there last.
    public var heard: Instant

    public init(path: ICEPath, isProven: Bool, heard: Instant) {
        (self.path, self.isProven, self.heard) = (path, isProven, heard)
    }
}

extension ICEAgent {
    /// The 5-tuples that datagrams other than checks are taken from and have come from lately, the best first:
    /// proven ones, and the newest of them.
    ///
    /// One that nothing authentic came from for 30 s is left out, and the address of a peer whose NAT has given it
    /// another one 3 s after media has moved; their next check brings them back.
    public func claims(now: Instant) -> [ICEClaim] {
        var found: [ICEClaim] = []
        for pair in pairs where pair.requestReceived || pair.isValid {
            guard let heard = pair.lastHeard else { continue }
            if pair.id != sendID {
                let isReplaced = pair.replacedAt.map { heard <= $0 } ?? false
                guard now - heard < (isReplaced ? ICETiming.previousGrace : ICETiming.claimLifetime) else { continue }
            }
            let isProven = pair.isValid && !configuration.isLite
            if let known = found.firstIndex(where: { $0.path == pair.path }) {
                // The same way under the credentials before and after a restart.
                found[known].isProven = found[known].isProven || isProven
                found[known].heard = max(found[known].heard, heard)
            } else {
                found.append(ICEClaim(path: pair.path, isProven: isProven, heard: heard))
            }
        }
        return found.sorted { ($0.isProven ? 1 : 0, $0.heard) > ($1.isProven ? 1 : 0, $1.heard) }
    }
}

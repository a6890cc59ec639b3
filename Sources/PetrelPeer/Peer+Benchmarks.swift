public import PetrelSecurity

extension Peer {
    /// For benchmarks only: from now on media is protected and opened by `session`, in place of the keys of the
    /// handshake. With ``SRTPSession/noEncryptionForBenchmarks()`` on both sides everything but the cipher is measured.
    ///
    /// No negotiation and no datagram leads here, and no room of the house calls it.
    /// - Returns: false where the handshake is not done: there is nothing to replace.
    public func replaceCipherForBenchmarks(_ session: SRTPSession) -> Bool {
        guard srtp != nil else { return false }
        srtp = session
        return true
    }
}

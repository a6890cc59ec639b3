internal import PetrelCongestion
public import PetrelCore
internal import PetrelICE
internal import PetrelMedia
internal import PetrelSecurity

extension Peer {
    /// What a deadline is for, in the order in which they are handled.
    public enum DeadlineReason: CaseIterable, Sendable {
        case ice, dtls, pacing, openingRepair, feedback, reports
    }

    /// When something is due for `reason`.
    public func deadline(_ reason: DeadlineReason) -> Instant {
        guard state != .closed else { return .distantFuture }
        switch reason {
        case .ice: return agent.nextDeadline
        // Without a way to send, a deadline could not be served and would be due for ever.
        case .dtls: return path == nil ? .distantFuture : dtls?.nextDeadline ?? .distantFuture
        case .pacing:
            guard srtp != nil, path != nil else { return .distantFuture }
            return min(pacer.nextDeadline ?? .distantFuture, audioCopies.nextDeadline)
        case .openingRepair: return srtp == nil || path == nil ? .distantFuture : opening.nextDeadline
        case .feedback:
            guard srtp != nil, path != nil else { return .distantFuture }
            let rtt = roundTripTime
            let streams = receivers.reduce(receiverEstimator?.nextDeadline ?? .distantFuture) {
                $1.hasEnded ? $0 : min($0, $1.stream.nextDeadline(roundTrip: rtt))
            }
            return usesTransportFeedback ? min(streams, arrivals.nextDeadline) : streams
        case .reports: return srtp == nil || path == nil ? .distantFuture : reports.next
        }
    }

    /// When ``handleTimeout(now:into:)`` wants to be called next.
    public var nextDeadline: Instant {
        DeadlineReason.allCases.reduce(.distantFuture) { min($0, deadline($1)) }
    }

    /// Does everything that is due at `now`.
    public func handleTimeout(now: Instant, into out: inout EgressBatch) {
        guard state != .closed else { return }
        if deadline(.ice) <= now {
            agent.handleTimeout(now: now, random: &random, out: &out)
            settleICE(now: now, into: &out)
        }
        if deadline(.dtls) <= now, let dtls, let path {
            dtls.handleTimeout(now: now) { out.append($0.bytes, to: path.remote, from: path.local) }
            settleDTLS(now: now, into: &out)
        }
        if min(deadline(.pacing), deadline(.openingRepair)) <= now { pump(now: now, into: &out) }
        if deadline(.feedback) <= now { sendFeedback(now: now, into: &out) }
        if deadline(.reports) <= now {
            estimator.tick(now: now)
            applyRate()
            sendReports(now: now, into: &out)
        }
    }
}

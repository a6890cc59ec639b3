import Petrel
import PetrelCodecs
import PetrelIO
import Testing

@testable import PetrelSDP
@testable import PetrelSignaling

#if canImport(Glibc)
    import Glibc
#endif

/// The factor for all times that a test waits: sanitizers make everything ten times slower.
let patience = Double(getenv("PETREL_PATIENCE").map { String(cString: $0) } ?? "") ?? 1

struct NotInTime: Error, CustomStringConvertible {
    let description: String
}

/// Waits until `condition` holds.
func eventually(_ what: String, within seconds: Double = 20, _ condition: @Sendable () async throws -> Bool)
    async throws
{
    let end = ContinuousClock.now + .seconds(seconds * patience)
    while ContinuousClock.now < end {
        if try await condition() { return }
        try await Task.sleep(for: .milliseconds(20))
    }
    throw NotInTime(description: "not within \(seconds * patience) s: \(what)")
}

/// A call on the loopback interface.
func loopbackCall(_ adjust: (inout CallConfiguration) -> Void = { _ in }) async throws -> Call {
    var configuration = CallConfiguration()
    configuration.addressProfile = .lab
    configuration.localAddresses = ["127.0.0.1"]
    adjust(&configuration)
    return try await Call(configuration)
}

/// What an attempt ended with.
func failure(_ work: () async throws -> Void) async -> SignalingError? {
    do {
        try await work()
        return nil
    } catch { return error as? SignalingError }
}

/// A media server with one session: a call of its own behind HTTP as RFC 9725 has it.
final class MediaEndpoint: Sendable {
    let call: Call
    private let state = Lock((offer: "", etag: 1, restarts: 0, ended: false))
    let pictures = Lock([Int]())
    let sounds = Lock(0)
    /// Headers of the 201 beside those that must be.
    let more: [String: String]

    init(_ call: Call, more: [String: String] = [:]) {
        (self.call, self.more) = (call, more)
        let (events, pictures, sounds) = (call.events, pictures, sounds)
        Task {
            for await event in events {
                switch event {
                case .videoTrack(let track):
                    track.onFrame { frame in
                        pictures.withLock { $0.append(PictureStamp.read(frame.picture) ?? -1) }
                    }
                case .audioTrack(let track):
                    track.onAudio { sound in
                        let loudest = sound.samples.map { $0.magnitude }.max() ?? 0
                        if loudest > 500 { sounds.withLock { $0 += 1 } }
                    }
                default: break
                }
            }
        }
    }

    var restarts: Int { state.withLock { $0.restarts } }
    var hasEnded: Bool { state.withLock { $0.ended } }

    func reply(_ request: TestServer.Request, session: String = "/session/1") async -> TestServer.Reply {
        do {
            switch request.method {
            case "POST":
                state.withLock { $0.offer = request.body }
                let answer = try await call.answer(request.body)
                let headers = ["Location": session, "ETag": "\"1\"", "Content-Type": "application/sdp"]
                return .answer(201, headers.merging(more) { $1 }, answer)
            case "PATCH" where request.headers["if-match"] == "*": return try await restart(request)
            case "PATCH":
                guard request.headers["if-match"] == "\"\(state.withLock { $0.etag })\"" else { return .answer(412) }
                let fragment = try TrickleFragment(parsing: request.body)
                for candidate in fragment.candidates {
                    try await call.addRemoteCandidate(candidate.line, mid: candidate.mid)
                }
                return .answer(204)
            case "DELETE":
                state.withLock { $0.ended = true }
                await call.close()
                return .answer(200)
            default: return .answer(405)
            }
        } catch { return .answer(400, ["Content-Type": "text/plain"], "\(error)") }
    }

    private func restart(_ request: TestServer.Request) async throws -> TestServer.Reply {
        let fragment = try TrickleFragment(parsing: request.body)
        let old = try SessionDescription(parsing: state.withLock { $0.offer })
        guard let offer = old.restarted(by: fragment) else { return .answer(400) }
        let text = try offer.text()
        let answer = try SessionDescription(parsing: try await call.answer(text))
        guard var reply = TrickleFragment(about: answer) else { return .answer(500) }
        reply.candidates = (answer.media.first?.candidates ?? []).map {
            TrickleFragment.Candidate(line: $0, mid: answer.media.first?.mid)
        }
        let etag = state.withLock { state in
            (state.offer, state.etag, state.restarts) = (text, state.etag + 1, state.restarts + 1)
            return state.etag
        }
        return .answer(200, ["ETag": "\"\(etag)\"", "Content-Type": TrickleFragment.mediaType], try reply.text())
    }
}

/// A small test card that carries stamps.
final class StampedCard: VideoSource {
    let framesPerSecond = 20.0
    private let state = Lock((card: TestCard(width: 320, height: 240), count: 0))

    func nextPicture() -> I420Buffer? {
        state.withLock { state in
            let picture = state.card.frame(state.count)
            PictureStamp.write(counter: state.count % PictureStamp.modulus, into: picture)
            state.count += 1
            return picture
        }
    }
}

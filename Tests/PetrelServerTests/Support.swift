import Foundation
import Logging
import Petrel
import PetrelCodecs
import PetrelCore
import PetrelIO
import PetrelServer
import Testing

/// Real servers and real calls over the loopback interface, one test after the other: two processors cannot do more.
@Suite(.serialized) enum ServerTests {}

/// What a test waited for did not come.
struct NotInTime: Error, CustomStringConvertible { let description: String }

/// The factor for all times that a test waits: sanitizers make everything ten times slower.
let patience = Int(ProcessInfo.processInfo.environment["PETREL_PATIENCE"] ?? "") ?? 1

/// Waits until `condition` holds.
func eventually(
    _ what: String, within seconds: Int = 20, _ condition: @Sendable () async throws -> Bool
) async throws {
    let end = MonotonicClock.now + .seconds(Double(seconds * patience))
    while MonotonicClock.now < end {
        if try await condition() { return }
        try await Task.sleep(for: .milliseconds(20))
    }
    throw NotInTime(description: "not within \(seconds * patience) s: \(what)")
}

/// A server with a small film for the length of `body`.
func withServer(
    _ change: (inout ServerConfiguration) -> Void = { _ in }, _ body: (HTTPClient, MediaServer) async throws -> Void
) async throws {
    var configuration = ServerConfiguration()
    configuration.videoSize = VideoSize(width: 320, height: 240)
    configuration.framesPerSecond = 20
    configuration.stampsPictures = true
    configuration.call.addressProfile = .lab
    configuration.call.localAddresses = ["127.0.0.1"]
    configuration.logger.logLevel = .error
    change(&configuration)
    let server = try MediaServer(configuration)
    let address = try await server.start()
    do {
        let port = try #require(URL(string: address)?.port)
        try await body(HTTPClient(port: port, token: configuration.tokens.first), server)
    } catch {
        await server.stop()
        throw error
    }
    await server.stop()
}

/// A small test card that carries stamps.
final class StampedCard: VideoSource {
    let framesPerSecond = 20.0
    private let card = Lock((card: TestCard(width: 320, height: 240), index: 0))

    func nextPicture() -> I420Buffer? {
        card.withLock { state in
            defer { state.index += 1 }
            let picture = state.card.frame(state.index).copy()
            PictureStamp.write(counter: state.index % PictureStamp.modulus, into: picture)
            return picture
        }
    }
}

/// A client as a program would write it, on the SDK: it makes offers and sees what comes.
final class Caller: Sendable {
    struct Seen: Sendable {
        var stamps: [Int] = []
        var unreadable = 0
        /// Samples that were no silence.
        var loud = 0
        var failure: String?
        var candidates: [String] = []
    }

    let call: Call
    let seen = Lock(Seen())
    private let task: Task<Void, Never>

    init() async throws {
        var configuration = CallConfiguration()
        configuration.addressProfile = .lab
        configuration.localAddresses = ["127.0.0.1"]
        configuration.logger.logLevel = .critical
        call = try await Call(configuration)
        let (events, seen) = (call.events, seen)
        task = Task {
            for await event in events {
                switch event {
                case .videoTrack(let track):
                    track.onFrame { frame in
                        let stamp = PictureStamp.read(frame.picture)
                        seen.withLock { seen in
                            if let stamp { seen.stamps.append(stamp) } else { seen.unreadable += 1 }
                        }
                    }
                case .audioTrack(let track):
                    track.onAudio { sound in
                        let loud = sound.samples.count { abs(Int($0)) > 500 }
                        seen.withLock { $0.loud += loud }
                    }
                case .state(.failed, let reason): seen.withLock { $0.failure = reason ?? "" }
                case .localCandidate(let line?, _): seen.withLock { $0.candidates.append(line) }
                default: break
                }
            }
        }
    }

    /// Sends and receives, or receives only.
    func addMedia(sends: Bool) async throws {
        if sends {
            try await call.addVideo(StampedCard())
            try await call.addAudio(TestSpeechSource())
        } else {
            try await call.receiveOnly(video: true, audio: true)
        }
    }

    /// Offers, and applies the answer.
    /// - Returns: the answer of HTTP.
    @discardableResult
    func dial(_ client: HTTPClient, _ path: String) async throws -> Reply {
        let reply = try await client.post(path, sdp: try await call.createOffer())
        try #require(reply.status == 201 || reply.status == 200, "\(reply)")
        try await call.accept(answer: reply.body)
        return reply
    }

    func connected() async throws { try await call.connected() }

    var pictures: Int { seen.withLock { $0.stamps.count } }
    var loud: Int { seen.withLock { $0.loud } }

    /// Waits for so many more pictures, and for a tenth of a second of sound.
    func media(_ count: Int = 10) async throws {
        let (pictures, loud) = (pictures, loud)
        try await eventually("\(count) pictures and sound") { [self] in
            self.pictures >= pictures + count && self.loud >= loud + 4800
        }
    }

    func close() async {
        await call.close()
        task.cancel()
    }
}

/// A client for the length of `body`.
func withCaller(sends: Bool, _ body: (Caller) async throws -> Void) async throws {
    let caller = try await Caller()
    do {
        try await caller.addMedia(sends: sends)
        try await body(caller)
    } catch {
        await caller.close()
        throw error
    }
    await caller.close()
}

/// Session descriptions as texts.
enum Description {
    static func lines(_ text: String) -> [String] {
        text.components(separatedBy: "\r\n").filter { !$0.isEmpty }
    }

    static func value(_ name: String, in text: String) -> String? {
        lines(text).first { $0.hasPrefix("a=\(name):") }.map { String($0.dropFirst(name.count + 3)) }
    }

    static func candidates(_ text: String) -> [String] { lines(text).filter { $0.hasPrefix("a=candidate:") } }

    /// Without candidates, as a client sends it that trickles.
    static func bare(_ text: String) -> String {
        lines(text).filter { !$0.hasPrefix("a=candidate:") && $0 != "a=end-of-candidates" }
            .map { $0 + "\r\n" }.joined()
    }
}

// The smallest call: both ends in one program, over the loopback interface.
//
//     swift run smallest-call [SECONDS]
//
// Ends with exit code 0 if pictures and audible sound arrived at both ends.
import Foundation
import Petrel
import Synchronization

/// What has arrived at one end.
final class Arrived: Sendable {
    private let pictures = Atomic(0)
    private let loudest = Atomic(0)

    func note(_ frame: RenderedVideoFrame) { pictures.add(1, ordering: .relaxed) }
    func note(_ sound: PlayedAudio) {
        let peak = sound.samples.reduce(0) { max($0, abs(Int($1))) }
        _ = loudest.max(peak, ordering: .relaxed)
    }

    /// The greatest sample is 32768; speech is heard well above 1000.
    var isWell: Bool { pictures.load(ordering: .relaxed) > 10 && loudest.load(ordering: .relaxed) > 1000 }
    var description: String {
        "\(pictures.load(ordering: .relaxed)) pictures, loudest sample \(loudest.load(ordering: .relaxed))"
    }
}

/// Makes one end, which sends a test card and the sound of speech and counts what it gets.
func makeEnd(_ arrived: Arrived) async throws -> Call {
    var configuration = CallConfiguration()
    // Between two machines leave this line out: it allows the loopback interface.
    configuration.addressProfile = .lab
    let call = try await Call(configuration)
    try await call.addVideo(TestCardSource(size: VideoSize(width: 640, height: 360)))
    try await call.addAudio(TestSpeechSource())
    Task {
        for await event in call.events {
            switch event {
            case .videoTrack(let track): track.onFrame { arrived.note($0) }
            case .audioTrack(let track): track.onAudio { arrived.note($0) }
            default: break
            }
        }
    }
    return call
}

let seconds = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 5
let (atAlice, atBob) = (Arrived(), Arrived())
let alice = try await makeEnd(atAlice)
let bob = try await makeEnd(atBob)

// Two strings are all that the two have to exchange.
let offer = try await alice.createOffer()
let answer = try await bob.answer(offer)
try await alice.accept(answer: answer)

try await alice.connected()
print("connected")
for second in 1...max(1, seconds) {
    try await Task.sleep(for: .seconds(1))
    print("\(second) s: alice has \(atAlice.description); bob has \(atBob.description)")
}
await alice.close()
await bob.close()

guard atAlice.isWell, atBob.isWell else {
    print("pictures or sound did not arrive")
    exit(1)
}
print("pictures and sound arrived at both ends")

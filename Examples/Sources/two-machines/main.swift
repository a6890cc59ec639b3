// A call between two machines, with the offer and the answer passed as files.
//
//     two-machines offer OFFER ANSWER [SECONDS] [--lab]     writes OFFER, waits for ANSWER
//     two-machines answer OFFER ANSWER [SECONDS] [--lab]    waits for OFFER, writes ANSWER
//
// --lab allows the loopback interface, for two programs on one machine.
// Ends with exit code 0 if pictures and sound arrived.
import Foundation
import Petrel
import Synchronization

let usage = "use: two-machines offer|answer OFFER ANSWER [SECONDS] [--lab]"
/// How long to wait for the other side's file.
let patience = 600

func fail(_ reason: String) -> Never {
    FileHandle.standardError.write(Data("two-machines: \(reason)\n".utf8))
    exit(1)
}

/// Writes a file that appears whole or not at all.
func write(_ text: String, to path: String) throws {
    do { try text.write(toFile: path, atomically: true, encoding: .utf8) } catch {
        fail("\(path) cannot be written: \(error.localizedDescription)")
    }
}

/// Waits for a file and reads it.
func read(_ path: String) async throws -> String {
    print("waiting for \(path)")
    for _ in 0..<(patience * 5) {
        if let text = try? String(contentsOfFile: path, encoding: .utf8), !text.isEmpty { return text }
        try await Task.sleep(for: .milliseconds(200))
    }
    fail("\(path) has not come within \(patience) s")
}

var arguments = Array(CommandLine.arguments.dropFirst())
let isLab = arguments.contains("--lab")
arguments.removeAll { $0 == "--lab" }
guard (3...4).contains(arguments.count), ["offer", "answer"].contains(arguments[0]) else { fail(usage) }
let seconds = arguments.count > 3 ? Int(arguments[3]) : 20
guard let seconds, seconds > 0 else { fail("'\(arguments[3])' is not a number of seconds") }
let (isOfferer, offerFile, answerFile) = (arguments[0] == "offer", arguments[1], arguments[2])

var configuration = CallConfiguration()
if isLab { configuration.addressProfile = .lab }
// Across a NAT both sides need their outside addresses; the host has to be numeric:
// configuration.stunServers = ["192.0.2.1:3478"]
let call = try await Call(configuration)
try await call.addVideo(TestCardSource())
try await call.addAudio(TestSpeechSource())

final class Arrived: Sendable {
    let pictures = Atomic(0)
    let sound = Atomic(0)
}
let arrived = Arrived()
let watching = Task {
    for await event in call.events {
        switch event {
        case .videoTrack(let track): track.onFrame { _ in arrived.pictures.add(1, ordering: .relaxed) }
        case .audioTrack(let track):
            track.onAudio { if $0.origin == .received { arrived.sound.add(1, ordering: .relaxed) } }
        case .state(let state, let reason): print("state: \(state.rawValue)", reason ?? "")
        case .pathChanged(let local, let remote): print("media goes from \(local) to \(remote)")
        case .trackEnded, .localCandidate: break
        }
    }
}

do {
    if isOfferer {
        try write(try await call.createOffer(), to: offerFile)
        try await call.accept(answer: try await read(answerFile))
    } else {
        try write(try await call.answer(try await read(offerFile)), to: answerFile)
    }
    try await call.connected()
} catch {
    await call.close()
    fail("\(error)")
}
for _ in 0..<seconds {
    try await Task.sleep(for: .seconds(1))
    guard let statistics = try? await call.statistics() else { break }
    let received = statistics.inbound.reduce(0) { $0 + $1.bytesReceived }
    print(
        "\(arrived.pictures.load(ordering: .relaxed)) pictures, "
            + "\(arrived.sound.load(ordering: .relaxed) / 100) s of sound, \(received / 1000) kB")
}
await call.close()
await watching.value
guard arrived.pictures.load(ordering: .relaxed) > 10, arrived.sound.load(ordering: .relaxed) > 50 else {
    fail("pictures or sound did not arrive")
}
print("pictures and sound arrived")

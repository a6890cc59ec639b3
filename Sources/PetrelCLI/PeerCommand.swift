internal import ArgumentParser
internal import Foundation
internal import Petrel
internal import PetrelTools

/// `petrel peer --stdio`: one endpoint under the control of any program.
struct PeerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "peer",
        abstract: "One endpoint under the control of another program, by JSON lines on standard input and output.",
        discussion: """
            Messages in: config, createOffer, offer, answer, candidate, finish. Messages out: ready, offer, answer,
            candidate, conn, done, error. docs/use.md describes them.
            """)

    @Flag(help: "Speak JSON lines on standard input and output.")
    var stdio = false

    func validate() throws {
        guard stdio else { throw ValidationError("petrel peer is driven by another program: add --stdio") }
    }

    func run() async throws {
        let output = LineOutput()
        let session = PeerSession(output: output)
        // A thread of its own reads, since reading blocks; the end of the input ends the peer.
        let (lines, continuation) = AsyncStream.makeStream(of: String.self)
        Thread.detachNewThread {
            while let line = readLine(strippingNewline: true) { continuation.yield(line) }
            continuation.finish()
        }
        for await line in lines {
            guard !line.allSatisfy(\.isWhitespace) else { continue }
            guard await session.handle(line) else { break }
        }
        await session.end()
    }
}

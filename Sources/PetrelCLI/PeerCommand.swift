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
        // The end of the input ends the peer.
        let input = LineInput()
        for await line in input.lines {
            defer { input.taken() }
            switch line {
            case .tooLong: session.complain("a line of more than \(LineInput.longestLine) octets")
            case .noText: session.complain("a line that is not UTF-8")
            case .text(let text):
                guard !text.allSatisfy(\.isWhitespace) else { continue }
                guard await session.handle(text) else {
                    await session.end()
                    return
                }
            }
        }
        await session.end()
    }
}

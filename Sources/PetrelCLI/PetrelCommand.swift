internal import ArgumentParser
internal import Foundation
internal import PetrelTools

@main
struct PetrelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "petrel", abstract: "Real-time calls that stay alive.",
        subcommands: [CallCommand.self, PublishCommand.self, PlayCommand.self, PeerCommand.self, LabCommand.self])

    /// What goes wrong is one sentence on standard error and an exit code that is not 0; help goes to standard output.
    static func main() async {
        Signals.ignoreBrokenPipes()
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            let code = exitCode(for: error)
            if code.isSuccess { exit(withError: error) }
            let sentence = message(for: error).split(whereSeparator: \.isNewline).joined(separator: " ")
            // A bare exit code, after a sentence that was printed already, has no message.
            if !sentence.isEmpty { FileHandle.standardError.write(Data("petrel: \(sentence)\n".utf8)) }
            Foundation.exit(code.rawValue)
        }
    }
}

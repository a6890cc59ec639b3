internal import ArgumentParser
internal import PetrelTools

@main
struct PetrelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "petrel",
        abstract: "Real-time calls that stay alive on networks where others stop.",
        subcommands: [CallCommand.self, PeerCommand.self, LabCommand.self],
        defaultSubcommand: nil)

    static func main() async {
        Signals.ignoreBrokenPipes()
        do {
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch let error as ToolError {
            // One sentence that says what and where; nothing of the parser's usage text.
            StandardError.print("petrel: \(error)")
            exit(withError: ExitCode.failure)
        } catch {
            exit(withError: error)
        }
    }
}

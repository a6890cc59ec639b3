internal import ArgumentParser

@main
struct PetrelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "petrel", abstract: "Real-time calls that stay alive.")
}

internal import ArgumentParser
internal import PetrelLab

/// `petrel lab`: a bad network to hold in your hand.
struct LabCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lab", abstract: "A bad network to hold in your hand.",
        subcommands: [LabRelayCommand.self, LabProfilesCommand.self])
}

/// `petrel lab profiles`: the networks that have names.
struct LabProfilesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "profiles", abstract: "List the networks that have names.")

    func run() {
        for profile in LabProfile.all {
            print("\(profile.name)\t\(profile.summary)\n\tthere: \(profile.forward)\n\tback:  \(profile.backward)")
        }
    }
}

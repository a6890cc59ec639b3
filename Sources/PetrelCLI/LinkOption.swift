internal import ArgumentParser
internal import PetrelLab

/// What a person types after `--link`: a network for both directions.
struct LinkOption: ExpressibleByArgument, Sendable {
    let text: String
    let forward: LinkDescription
    let backward: LinkDescription

    static let help = help(usual: nil)
    static let back = ArgumentHelp("The network on the way back, where it differs.", valueName: "link")
    static func help(usual: String?) -> ArgumentHelp {
        ArgumentHelp(
            "The network between the peers: a description like delay=20,loss=5,jitter=3,rate=3000,queue=200 for each way, "
                + "or a name from 'petrel lab profiles'." + (usual.map { " (default: \($0))" } ?? ""), valueName: "link"
        )
    }

    /// - Throws: what is wrong, where, and what is allowed there.
    init(parsing text: String) throws(LinkDescriptionError) {
        self.text = text
        (forward, backward) = try LabProfile.link(text)
    }

    init?(argument: String) { try? self.init(parsing: argument) }

    /// For options: the reason of the link's parser in the words of the command line.
    @Sendable static func transform(_ text: String) throws -> LinkOption {
        do throws(LinkDescriptionError) {
            return try LinkOption(parsing: text)
        } catch { throw ValidationError(error.description) }
    }

    var defaultValueDescription: String { text }
}

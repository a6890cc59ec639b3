internal import ArgumentParser
internal import Foundation
internal import Logging
internal import Petrel
internal import PetrelDevices
internal import PetrelSignaling

/// What `petrel publish` and `petrel play` have in common.
struct StreamOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The bearer token that the server asks for. Others on this machine can read it there: the environment variable PETREL_TOKEN is better.",
            valueName: "token"))
    var token: String?

    @Option(help: "How long, in seconds. (default: until it is interrupted)")
    var seconds: Double?

    /// A stream of a year.
    static let longestSeconds = 366.0 * 86_400

    func validate() throws {
        guard let seconds else { return }
        guard seconds.isFinite, seconds >= 1, seconds <= Self.longestSeconds else {
            throw ValidationError("--seconds \(seconds): a stream lasts from 1 to \(Int(Self.longestSeconds)) seconds")
        }
    }

    func signaling() -> SignalingConfiguration {
        var configuration = SignalingConfiguration()
        let environment = ProcessInfo.processInfo.environment["PETREL_TOKEN"]
        configuration.token = token ?? environment.flatMap { $0.isEmpty ? nil : $0 }
        return configuration
    }

    /// How the call is set up: a server on this machine is reached over loopback too, which others are never asked for.
    func call(to url: String) -> CallConfiguration {
        var configuration = CallConfiguration()
        if Self.isLoopback(url) { configuration.addressProfile = .lab }
        configuration.logger.logLevel = .critical
        return configuration
    }

    static func isLoopback(_ url: String) -> Bool {
        let host = URL(string: url)?.host(percentEncoded: false)?.lowercased() ?? ""
        return host == "localhost" || host == "::1" || host.hasPrefix("127.")
    }

    /// A token on plain HTTP can be read on the way.
    func warning(_ url: String) -> String? {
        guard signaling().token != nil, url.lowercased().hasPrefix("http:"), !Self.isLoopback(url) else { return nil }
        return "The token is sent over plain HTTP: whoever is on the way can read it."
    }
}

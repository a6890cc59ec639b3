internal import ArgumentParser
internal import Foundation
internal import PetrelCore
internal import PetrelIO
internal import PetrelLab
internal import PetrelTools

/// `petrel lab`: the network in one's hand.
struct LabCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lab", abstract: "The network emulator as a program.", subcommands: [RelayCommand.self])
}

/// `petrel lab relay`: a UDP relay with an emulated link between two programs.
struct RelayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "relay",
        abstract: "Pass datagrams between two programs through an emulated link.",
        discussion: """
            Program A sends to the first port and program B to the second; each hears the other through the link. \
            Addresses are learned from the first datagram. It runs until interrupted, or for --seconds.
            """)

    @Option(help: ArgumentHelp("The network, the same both ways.", valueName: "description"))
    var link = "delay=20,loss=5"
    @Option(help: ArgumentHelp("The way back (from B to A), where it differs.", valueName: "description"))
    var back: String?
    @Option(help: "Seed of the link.")
    var seed: UInt64 = 1
    @Option(help: "The port for program A; 0: any.")
    var portA: UInt16 = 0
    @Option(help: "The port for program B; 0: any.")
    var portB: UInt16 = 0
    @Option(help: "End after so many seconds.")
    var seconds: Double?

    func run() async throws {
        let there: LinkDescription
        let backward: LinkDescription
        do {
            (there, backward) = try LabProfile.link(link)
        } catch { throw ToolError("--link '\(link)': \(error)") }
        var configuration = LiveRelay.Configuration(forward: there, backward: backward, seed: seed)
        if let back {
            do { configuration.backward = try LabProfile.link(back).forward } catch {
                throw ToolError("--back '\(back)': \(error)")
            }
        }
        configuration.faceTowardsA.port = portA
        configuration.faceTowardsB.port = portB
        let relay: LiveRelay
        do {
            relay = try LiveRelay(configuration)
            try relay.start()
        } catch { throw ToolError("The relay cannot be started: \(error)") }
        print("program A sends to \(relay.face(towards: .a)), program B to \(relay.face(towards: .b))")
        let stopped = Lock(false)
        let signals = Signals.onInterrupt { stopped.withLock { $0 = true } }
        let began = MonotonicClock.now
        while !stopped.withLock({ $0 }) {
            if let seconds, MonotonicClock.now - began >= .seconds(seconds) { break }
            try await Task.sleep(for: .milliseconds(100))
        }
        withExtendedLifetime(signals) {}
        relay.stop()
        for (name, side) in [("A to B", LiveRelay.Side.a), ("B to A", .b)] {
            let counts = relay.statistics(from: side)
            let late = counts.lateness.percentile(0.99).map { "\($0)" } ?? "-"
            print(
                "\(name): \(counts.received) datagrams in, \(counts.forwarded) out, \(counts.link.lost) lost (\((counts.link.lossRate ?? 0) * 100) %), late P99 \(late)"
            )
        }
    }
}

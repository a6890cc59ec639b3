import Foundation
import FuzzTargets
import Testing

/// Replays the public corpora, the kept crashes, and changed forms of both through every fuzz target.
///
/// A failure is a trap: the line "trap while replaying" names the target and the input. `Scripts/fuzz.sh` looks for
/// further ones.
@Suite(.serialized) struct FuzzReplayTests {
    /// What one input may cost, in seconds of processor time.
    #if DEBUG
        static let limit = 1.0
    #else
        static let limit = 0.1
    #endif

    private static func replay(_ target: FuzzTarget, _ entry: Corpus.Entry) {
        CrashNote.set("\(target.rawValue): \(entry.name)")
        let began = threadTime()
        target.run(entry.bytes)
        let took = threadTime() - began
        #expect(took <= limit, "\(target.rawValue) took \(took) s for \(entry.name)")
    }

    @Test(arguments: FuzzTarget.allCases)
    func corpora(target: FuzzTarget) throws {
        let entries = try Corpus.entries()
        guard !entries.isEmpty else {
            print("skipped: corpora through \(target.rawValue) (no vectors at PETREL_VECTORS or ../shared/vectors)")
            #expect(ProcessInfo.processInfo.environment["CI"] != "true", "vectors are required in CI")
            return
        }
        // Every file through every parser, fitting or not, and then the forms made for the target. A few are captures
        // of many datagrams: their beginning does. To a target that reads actions a file is an argument of them.
        for entry in entries where !target.readsActions {
            Self.replay(target, .init(name: entry.name, bytes: Array(entry.bytes.prefix(target.maximumInput))))
        }
        for seed in target.seeds(entries) where seed.bytes.count <= target.maximumInput { Self.replay(target, seed) }
    }

    @Test(arguments: FuzzTarget.allCases)
    func keptCrashes(target: FuzzTarget) throws {
        for entry in try Corpus.failCases(target) { Self.replay(target, entry) }
    }

    @Test(arguments: FuzzTarget.allCases)
    func mutations(target: FuzzTarget) throws {
        var mutator = Mutator(seed: 20_260_801)
        var pool = try target.seeds(try Corpus.entries()) + Corpus.failCases(target)
        pool.removeAll { $0.bytes.count > 4000 }
        pool.append(Corpus.Entry(name: "zeros", bytes: [UInt8](repeating: 0, count: 64)))
        pool.append(Corpus.Entry(name: "counting", bytes: (0..<255).map { UInt8($0) }))
        for index in 0..<target.mutationsInTests {
            let (first, second) = (pool[mutator.below(pool.count)], pool[mutator.below(pool.count)])
            let bytes = mutator.mutate(first.bytes, with: second.bytes)
            Self.replay(target, Corpus.Entry(name: "mutation \(index) of \(first.name)", bytes: bytes))
        }
    }
}

extension FuzzTarget {
    /// So many that all targets together take some ten seconds without optimisation; those that set up a connection
    /// for each input have fewer.
    var mutationsInTests: Int {
        switch self {
        case .wholePeer: 60
        case .iceAgent, .dtlsDatagram, .videoAssembler, .repairDecoder: 300
        case .srtpOpen: 600
        case .sdpParse, .sdpOfferToAnswer, .audioReceiver: 1000
        default: 3000
        }
    }
}

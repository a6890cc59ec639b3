import BenchSupport
import Glibc

/// `petrel-bench packets|clean|setup|long`: see docs/performance.md.
@main
struct PetrelBench {
    static let usage = """
        petrel-bench packets [--check] [--plant-allocation]
            time and heap allocations per packet. Allocations are counted where Preload/alloc_count.c is preloaded.
            --check: fail unless the packet paths allocate nothing of ours
            --plant-allocation: one allocation per packet, to see that the check can fail
        petrel-bench clean [seconds]    latency on clean virtual links (default 20 s)
        petrel-bench setup [runs]       time to the first picture on virtual links (default 200 runs)
        petrel-bench long [minutes]     a long virtual call with real codecs (default 10 min)
        """

    static func main() {
        var arguments = Array(CommandLine.arguments.dropFirst())
        guard !arguments.isEmpty else { Progress.fail(usage) }
        let command = arguments.removeFirst()
        do {
            switch command {
            case "packets":
                let options = Set(arguments)
                let unknown = options.subtracting(["--check", "--plant-allocation"])
                guard unknown.isEmpty else { Progress.fail("unknown option \(unknown.sorted()[0])\n\(usage)") }
                let isClean = try PacketBenchmark.run(
                    checks: options.contains("--check"), plants: options.contains("--plant-allocation"))
                if !isClean { exit(1) }
            case "clean": try CleanCalls.run(seconds: number(arguments, or: 20))
            case "setup": try SetUps.run(runs: number(arguments, or: 200))
            case "long": try LongCall.run(minutes: number(arguments, or: 10))
            default: Progress.fail("unknown command \(command)\n\(usage)")
            }
        } catch {
            Progress.fail("\(command): \(error)")
        }
    }

    private static func number(_ arguments: [String], or standard: Int) -> Int {
        guard let text = arguments.first else { return standard }
        guard arguments.count == 1, let value = Int(text), (1...100_000).contains(value) else {
            Progress.fail("\(arguments.joined(separator: " ")): one whole number from 1 to 100000 expected")
        }
        return value
    }

}

/// Something a benchmark needs did not come about.
struct BenchmarkError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

import BenchSupport
import Glibc
import PetrelDevices
import PetrelScenario

/// `petrel-bench-loss`: calls over links that lose, in virtual time. See docs/performance.md.
@main
struct LossBench {
    static let usage = """
        petrel-bench-loss --film FILE.y4m --speech FILE.wav --out FILE.jsonl [OPTIONS]
            --loss 0,10,30          percent, both ways (default 0,5,10,20,30,40,50,60,70)
            --model random,burst3   how they are lost: random, burst3, burst8 (default all)
            --rtt 40,100            round trip in ms (default 40,100,200)
            --seconds 120           length of each call
            --seeds 1-3             runs of each cell
            --height 720            the clip is scaled to this height
            --rate 12000            capacity of the link in kbit/s, 0: unlimited
            --queue 100             the queue before it, in ms
            --start 6000            the estimate each side begins with, in kbit/s (default: as for any call), and the
            --most 10000            most it may come to: to see repair apart from the estimate
            --jobs 2                calls at a time
            --revision TEXT         what the results are of; those of another revision are not taken over
            --log FOLDER            a line per frame, block of sound and datagram, in files in FOLDER
        """

    static func main() async {
        do {
            let plan = try parse(Array(CommandLine.arguments.dropFirst()))
            try await run(plan)
        } catch {
            Progress.fail("\(error)")
        }
    }

    static func parse(_ arguments: [String]) throws -> LossPlan {
        var plan = LossPlan()
        var rest = arguments[...]
        func numbers(_ text: String, _ range: ClosedRange<Int>) throws -> [Int] {
            try text.split(separator: ",").map { word in
                guard let number = Int(word), range.contains(number) else {
                    throw LossError("\(word): a whole number from \(range.lowerBound) to \(range.upperBound) expected")
                }
                return number
            }
        }
        func number(_ text: String, _ range: ClosedRange<Int>) throws -> Int {
            guard let first = try numbers(text, range).first else { throw LossError("a number is missing") }
            return first
        }
        while let option = rest.popFirst() {
            guard let value = rest.popFirst() else { throw LossError("\(option) needs a value\n\(usage)") }
            switch option {
            case "--loss": plan.losses = try numbers(value, 0...99)
            case "--rtt": plan.roundTrips = try numbers(value, 0...2000)
            case "--model":
                plan.models = try value.split(separator: ",").map { word in
                    guard let model = LossModel(rawValue: String(word)) else {
                        throw LossError("\(word): random, burst3 or burst8 expected")
                    }
                    return model
                }
            case "--seconds": plan.seconds = try number(value, 5...3600)
            case "--seeds":
                let ends = try value.split(separator: "-").map { try number(String($0), 1...100_000) }
                guard let first = ends.first, let last = ends.last, first <= last, ends.count <= 2 else {
                    throw LossError("--seeds \(value): for example 1-3 or 7")
                }
                plan.seeds = first...last
            case "--height": plan.height = try number(value, 90...2160)
            case "--rate": plan.kilobits = try number(value, 0...1_000_000)
            case "--queue": plan.queue = try number(value, 1...10_000)
            case "--start": plan.start = try number(value, 100...1_000_000)
            case "--most": plan.most = try number(value, 100...1_000_000)
            case "--jobs": plan.jobs = try number(value, 1...64)
            case "--revision": plan.revision = value.filter { $0 != "\"" && $0 != "," }
            case "--film": plan.filmPath = value
            case "--speech": plan.speechPath = value
            case "--out": plan.outputPath = value
            case "--log": plan.logFolder = value
            default: throw LossError("unknown option \(option)\n\(usage)")
            }
        }
        guard !plan.filmPath.isEmpty, !plan.outputPath.isEmpty, !plan.losses.isEmpty, !plan.models.isEmpty,
            !plan.roundTrips.isEmpty
        else { throw LossError(usage) }
        return plan
    }

    static func media(_ plan: LossPlan) throws -> LossMedia {
        let height = plan.height
        let film = try MappedFile.with(plan.filmPath) { bytes -> VirtualFilm? in
            let width = (height * 16 / 9 + 1) / 2 * 2
            return VirtualFilm(y4m: bytes, framesPerSecond: 30, size: height == 720 ? nil : (width, height))
        }
        guard let film else { throw LossError("\(plan.filmPath) is no film of 8 bits in 4:2:0 (Y4M)") }
        guard film.height == height else {
            throw LossError("\(plan.filmPath) is \(film.height) rows high, \(height) are wanted")
        }
        guard !plan.speechPath.isEmpty else { return LossMedia(film: film, speech: nil) }
        let file = try WAVFile(path: plan.speechPath)
        guard file.sampleRate == 48_000, file.channels == 1 else {
            throw LossError("\(plan.speechPath) is not mono at 48 kHz")
        }
        var samples = [Int16](repeating: 0, count: file.count)
        _ = samples.withUnsafeMutableBufferPointer { file.read(into: $0, from: 0) }
        return LossMedia(film: film, speech: VirtualSpeech(samples: samples))
    }

    static func run(_ plan: LossPlan) async throws {
        if let folder = plan.logFolder, mkdir(folder, 0o755) != 0, errno != EEXIST {
            throw LossError("\(folder) cannot be made: \(ResultFile.reason)")
        }
        let results = try ResultFile(path: plan.outputPath)
        var wanted: [(cell: LossCell, seed: Int)] = []
        // Seed by seed, so that a run that is broken off has seen every cell first.
        for seed in plan.seeds { for cell in plan.cells { wanted.append((cell, seed)) } }
        let missing = wanted.filter { plan.logFolder != nil || !results.has(plan.key($0.cell, seed: $0.seed)) }
        Progress.line(
            "\(wanted.count) runs of \(plan.seconds) s, \(wanted.count - missing.count) of them done before, \(plan.jobs) at a time"
        )
        guard !missing.isEmpty else { return }
        let media = try media(plan)
        let board = Board(total: missing.count, seconds: plan.seconds)
        try await withThrowingTaskGroup(of: Void.self) { group in
            var next = 0
            func add() {
                guard next < missing.count else { return }
                let (cell, seed) = missing[next]
                next += 1
                group.addTask {
                    let run = LossRun(cell: cell, seed: seed, plan: plan, media: media)
                    let name = "\(cell.name) seed \(seed)"
                    let line = try run.run { board.at($0, of: name) }
                    if !results.has(plan.key(cell, seed: seed)) {
                        try results.append(line, key: plan.key(cell, seed: seed))
                    }
                    board.done(name, name)
                }
            }
            for _ in 0..<plan.jobs { add() }
            while try await group.next() != nil { add() }
        }
    }
}

/// Adds up what codecs and the making of test media take in a rehearsed call, on a clock of the caller's. It changes
/// nothing in the call.
public final class VirtualCallMeter {
    /// What is measured apart; what remains of a call's time is transport, playout and the emulated link.
    public enum Part: String, CaseIterable, Sendable {
        case videoEncoder = "VP8 encoder"
        case videoDecoder = "VP8 decoder"
        case audioEncoder = "Opus encoder"
        /// The audio buffer's own work is in here too: it decodes where it is asked for sound.
        case audioDecoder = "Opus decoder with audio buffer"
        case testMedia = "test pictures and sounds"

        /// Whether this is a codec at work.
        public var isCodec: Bool { self != .testMedia }
    }

    private let stopwatch: () -> Int64
    private var totals = [Int64](repeating: 0, count: Part.allCases.count)

    /// - Parameter clock: nanoseconds since any moment.
    public init(clock: @escaping () -> Int64) { stopwatch = clock }

    /// What `part` has taken so far, in nanoseconds.
    public func spent(_ part: Part) -> Int64 { totals[Part.allCases.firstIndex(of: part) ?? 0] }

    func add<Result, Failure: Error>(_ part: Part, _ work: () throws(Failure) -> Result) throws(Failure) -> Result {
        let start = stopwatch()
        defer { totals[Part.allCases.firstIndex(of: part) ?? 0] += stopwatch() - start }
        return try work()
    }
}

extension VirtualEndpoint {
    /// Does `work`, and counts what it takes where somebody wants to know.
    func metered<Result, Failure: Error>(
        _ part: VirtualCallMeter.Part, _ work: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        guard let meter else { return try work() }
        return try meter.add(part, work)
    }
}

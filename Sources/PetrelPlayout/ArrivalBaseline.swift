/// The fastest arrival of the last few seconds: the least of (arrival time - media time) over a sliding window.
///
/// Every lateness in this room is measured against it. The window makes it follow clock drift and route changes;
/// it is kept as minima of eight equal parts of the window, so that an update costs a handful of comparisons and
/// no memory. The window moves with arrivals only: a silent stream keeps its last baseline.
struct ArrivalBaseline: Sendable {
    private static let parts = 8
    private var minima = InlineArray<8, Int64>(repeating: .max)
    private var part: Int64 = .min
    private let partLength: Int64
    /// The least offset in the window, in the unit of the caller; nil before the first arrival.
    private(set) var value: Int64?

    /// - Parameter window: the window's length in the unit of the arrival times given to ``update(offset:at:)``.
    init(window: Int64) { partLength = max(1, window / Int64(Self.parts)) }

    /// Takes one arrival into account.
    ///
    /// - Parameters:
    ///   - offset: arrival time minus media time.
    ///   - time: the arrival time; a time before the newest one counts for the newest part.
    mutating func update(offset: Int64, at time: Int64) {
        let current = time / partLength
        if part == .min {
            part = current
        } else if current > part {
            let steps = min(Int64(Self.parts), current &- part)
            var step: Int64 = 0
            while step < steps {
                minima[slot(current &- step)] = .max
                step += 1
            }
            part = current
        }
        let index = slot(part)
        minima[index] = min(minima[index], offset)
        var least = minima[0]
        for index in 1..<Self.parts { least = min(least, minima[index]) }
        value = least
    }

    mutating func reset() {
        minima = InlineArray(repeating: .max)
        part = .min
        value = nil
    }

    private func slot(_ part: Int64) -> Int { Int(((part % 8) + 8) % 8) }
}

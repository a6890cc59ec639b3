/// The sine from a table made with additions and multiplications alone: the same on every machine, which the sine
/// of the system's mathematics library need not be.
enum SineTable {
    static let size = 4096
    private static let table: [Float] = (0...size).map { Float(series(Double($0) / Double(size))) }

    /// The sine of `turns` full turns; whole turns are left out first.
    static func sine(turns: Double) -> Float {
        let place = (turns - turns.rounded(.down)) * Double(size)
        let index = min(size - 1, Int(place))
        let part = Float(place - Double(index))
        return table.withUnsafeBufferPointer { $0[index] + ($0[index + 1] - $0[index]) * part }
    }

    /// The Taylor series of the sine, folded into the quarter where it converges to full precision in ten terms.
    private static func series(_ turns: Double) -> Double {
        let folded = turns <= 0.25 ? turns : turns <= 0.75 ? 0.5 - turns : turns - 1
        let angle = folded * 2 * Double.pi
        var term = angle
        var sum = angle
        for n in 1...10 {
            term *= -angle * angle / Double(2 * n * (2 * n + 1))
            sum += term
        }
        return sum
    }
}

public import PetrelCore

/// Columns of the printed tables.
public enum Text {
    public static func left(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(1, width - text.count))
    }

    public static func right(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(1, width - text.count)) + text
    }

    public static func number(_ value: Double, _ digits: Int) -> String {
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let scaled = Int((value.magnitude * scale).rounded())
        let sign = value < 0 && scaled > 0 ? "-" : ""
        guard digits > 0 else { return sign + String(scaled) }
        let fraction = String(scaled % Int(scale))
        return sign + String(scaled / Int(scale)) + "."
            + String(repeating: "0", count: digits - fraction.count) + fraction
    }

    public static func milliseconds(_ value: TimeDelta?) -> String {
        value.map { number($0.milliseconds, 1) } ?? "none"
    }

    /// One figure against its limit.
    public static func verdict(_ value: TimeDelta?, atMost limit: Double) -> String {
        guard let value else { return "MISS (nothing came)" }
        return (value.milliseconds <= limit ? "PASS" : "MISS") + " (<= \(number(limit, 0)))"
    }
}

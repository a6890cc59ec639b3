/// What one path cost, all runs together.
public struct Tally: Sendable {
    public var packets: Int
    public var nanoseconds: Int64 = 0
    public var own: UInt64
    public var libraries: UInt64

    public init(packets: Int = 0, own: UInt64 = 0, libraries: UInt64 = 0) {
        (self.packets, self.own, self.libraries) = (packets, own, libraries)
    }

    public var nanosecondsPerPacket: Double { Double(nanoseconds) / Double(max(1, packets)) }
    public var ownPerPacket: Double { Double(own) / Double(max(1, packets)) }
    public var librariesPerPacket: Double { Double(libraries) / Double(max(1, packets)) }
}

/// One line of a table of costs.
public struct Row: Sendable {
    public var name: String
    public var cipher: String?
    /// Nanoseconds per packet of each run.
    public var times: [Double] = []
    public var counted = Tally()

    public init(name: String, cipher: String? = nil) { (self.name, self.cipher) = (name, cipher) }

    /// Prints a table.
    public static func report(_ rows: [Row], conditions: String, isCounted: Bool) {
        print(conditions)
        if !isCounted { print("Allocations are not counted: nothing is preloaded (make bench-packets does).") }
        print(
            Text.left("path", 42) + Text.left("cipher", 20) + Text.right("ns/packet", 10) + Text.right("least", 8)
                + Text.right("ours/packet", 13) + Text.right("libraries/packet", 18) + Text.right("packets", 9))
        for row in rows {
            let isCounted = row.counted.packets > 0
            print(
                Text.left(row.name, 42) + Text.left(row.cipher ?? "-", 20)
                    + Text.right(median(row.times).map { String(Int($0.rounded())) } ?? "-", 10)
                    + Text.right(row.times.min().map { String(Int($0.rounded())) } ?? "-", 8)
                    + Text.right(isCounted ? Text.number(row.counted.ownPerPacket, 4) : "-", 13)
                    + Text.right(isCounted ? Text.number(row.counted.librariesPerPacket, 2) : "-", 18)
                    + Text.right(isCounted ? String(row.counted.packets) : "-", 9))
        }
    }

    private static func median(_ values: [Double]) -> Double? {
        values.isEmpty ? nil : values.sorted()[values.count / 2]
    }
}

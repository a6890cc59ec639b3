internal import PetrelCore

extension LinkDescription {
    /// Reads the text form. An empty text is a perfect link.
    public init(parsing text: String) throws(LinkDescriptionError) {
        var parser = LinkParser(bytes: Array(text.utf8.prefix(Self.maximumTextLength + 1)))
        self = try parser.parse()
    }
}

/// Reads the text form of a ``LinkDescription``, byte by byte.
private struct LinkParser {
    let bytes: [UInt8]
    var position = 0
    var link = LinkDescription()

    init(bytes: [UInt8]) { self.bytes = bytes }

    mutating func parse() throws(LinkDescriptionError) -> LinkDescription {
        guard bytes.count <= LinkDescription.maximumTextLength else {
            throw error(
                .tooMuch, LinkDescription.maximumTextLength..<bytes.count,
                "a text has at most \(LinkDescription.maximumTextLength) characters")
        }
        var current = LinkConditions()
        try section(&current, isChange: false)
        link.conditions = current
        var latest: Int64 = -1
        while position < bytes.count {
            position += 1  // the semicolon
            skipSpaces()
            // A semicolon at the very end is forgiven.
            if position == bytes.count { break }
            let start = position
            let time = try changeTime()
            guard time > latest else {
                throw error(.changeOutOfOrder, start..<position, "changes are given in the order of their times")
            }
            latest = time
            guard link.changes.count < LinkDescription.maximumChanges else {
                throw error(
                    .tooMuch, start..<position, "there are at most \(LinkDescription.maximumChanges) changes")
            }
            try section(&current, isChange: true)
            link.changes.append(.init(time: TimeDelta(nanoseconds: time * 1000), conditions: current))
        }
        return link.normalized
    }

    /// `@SECONDS:`, answered in microseconds.
    private mutating func changeTime() throws(LinkDescriptionError) -> Int64 {
        let allowed = "a change is @SECONDS:settings, such as @10:rate=700, with at most 1000000 seconds"
        let start = position
        guard bytes[position] == UInt8(ascii: "@") else {
            throw error(.malformedChange, start..<end(of: start, at: [",", ";"]), allowed)
        }
        position += 1
        let numberEnd = end(of: position, at: [":", ",", ";"])
        guard let time = number(position..<numberEnd), LinkKey.outage.range.contains(time),
            numberEnd < bytes.count, bytes[numberEnd] == UInt8(ascii: ":")
        else { throw error(.malformedChange, start..<numberEnd, allowed) }
        position = numberEnd + 1
        return time
    }

    /// Settings up to a semicolon or the end.
    private mutating func section(
        _ conditions: inout LinkConditions, isChange: Bool
    ) throws(LinkDescriptionError) {
        var seen: Set<LinkKey> = []
        var burstPlace: Range<Int>?
        skipSpaces()
        if position == bytes.count || bytes[position] == UInt8(ascii: ";") {
            guard !isChange else {
                throw error(.missingValue, position..<position, "a change has settings: \(LinkKey.list)")
            }
            return
        }
        while true {
            let start = position
            let stop = end(of: start, at: [",", ";"])
            let place = trimmed(start..<stop)
            let (key, value) = try setting(place)
            guard !isChange || key != .outage else {
                throw error(.notInChange, place, "an outage is given before the first ';'")
            }
            if key == .outage {
                try outage(value)
            } else {
                // burst and burstms are one thing said in two ways.
                guard seen.insert(key == .burstms ? .burst : key).inserted else {
                    throw error(.repeated, place, "each setting is given once between semicolons")
                }
                guard let number = number(value) else { throw error(.malformedNumber, value, key.allowed) }
                guard key.allows(number) else { throw error(.outOfRange, place, key.allowed) }
                conditions.set(key, to: number)
                if key == .ge || key == .burst { burstPlace = place }
            }
            position = stop
            guard position < bytes.count, bytes[position] == UInt8(ascii: ",") else { break }
            position += 1
        }
        if let burstPlace, case .packets(let packets) = conditions.burst,
            packets < LinkConditions.shortestBurst(atLoss: conditions.burstLoss)
        {
            throw error(.outOfRange, burstPlace, LinkKey.burst.allowed)
        }
    }

    /// One `key=value`, answered as key and place of the value.
    private func setting(_ place: Range<Int>) throws(LinkDescriptionError) -> (key: LinkKey, value: Range<Int>) {
        let equals = bytes[place].firstIndex(of: UInt8(ascii: "=")) ?? place.upperBound
        let name = trimmed(place.lowerBound..<equals)
        guard let key = LinkKey(rawValue: String(decoding: bytes[name], as: UTF8.self)) else {
            throw error(.unknownSetting, name, "settings are \(LinkKey.list)")
        }
        let value = equals < place.upperBound ? trimmed((equals + 1)..<place.upperBound) : equals..<equals
        guard !value.isEmpty else { throw error(.missingValue, place, key.allowed) }
        return (key, value)
    }

    private mutating func outage(_ place: Range<Int>) throws(LinkDescriptionError) {
        guard let plus = bytes[place].firstIndex(of: UInt8(ascii: "+")),
            let start = number(place.lowerBound..<plus), let duration = number((plus + 1)..<place.upperBound)
        else { throw error(.malformedNumber, place, LinkKey.outage.allowed) }
        let range = LinkKey.outage.range
        guard range.contains(start), range.contains(duration), duration > 0 else {
            throw error(.outOfRange, place, LinkKey.outage.allowed)
        }
        guard link.outages.count < LinkDescription.maximumOutages else {
            throw error(.tooMuch, place, "there are at most \(LinkDescription.maximumOutages) outages")
        }
        link.outages.append(
            .init(start: TimeDelta(nanoseconds: start * 1000), duration: TimeDelta(nanoseconds: duration * 1000)))
    }

    /// A decimal number with up to nine digits before and six after the point, in millionths.
    private func number(_ place: Range<Int>) -> Int64? {
        var value: Int64 = 0
        var whole = 0
        var decimals: Int?
        for byte in bytes[trimmed(place)] {
            if byte == UInt8(ascii: "."), decimals == nil, whole > 0 {
                decimals = 0
            } else if byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") {
                value = value * 10 + Int64(byte - UInt8(ascii: "0"))
                if let count = decimals { decimals = count + 1 } else { whole += 1 }
                guard whole <= 9, decimals ?? 0 <= 6 else { return nil }
            } else {
                return nil
            }
        }
        guard whole > 0, decimals != 0 else { return nil }
        for _ in (decimals ?? 0)..<6 { value *= 10 }
        return value
    }

    /// The first place at or after `start` with one of these characters, or the end.
    private func end(of start: Int, at stops: [Unicode.Scalar]) -> Int {
        bytes[start...].firstIndex { byte in stops.contains { $0.value == UInt32(byte) } } ?? bytes.count
    }

    private func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

    private mutating func skipSpaces() {
        while position < bytes.count, isSpace(bytes[position]) { position += 1 }
    }

    private func trimmed(_ place: Range<Int>) -> Range<Int> {
        var (lower, upper) = (place.lowerBound, place.upperBound)
        while lower < upper, isSpace(bytes[lower]) { lower += 1 }
        while lower < upper, isSpace(bytes[upper - 1]) { upper -= 1 }
        return lower..<upper
    }

    private func error(
        _ reason: LinkDescriptionError.Reason, _ place: Range<Int>, _ allowed: String
    ) -> LinkDescriptionError {
        LinkDescriptionError(
            reason: reason, column: String(decoding: bytes[..<place.lowerBound], as: UTF8.self).count + 1,
            found: String(String(decoding: bytes[place], as: UTF8.self).prefix(32)), allowed: allowed)
    }
}

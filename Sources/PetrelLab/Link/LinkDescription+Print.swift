internal import PetrelCore

extension LinkDescription: CustomStringConvertible {
    /// The canonical text. A perfect link is `delay=0`.
    public var description: String {
        let link = normalized
        var settings = link.conditions.settings(changedFrom: LinkConditions())
        settings += link.outages.map {
            "outage=" + decimal($0.start.nanoseconds / 1000) + "+" + decimal($0.duration.nanoseconds / 1000)
        }
        var text = settings.isEmpty ? "delay=0" : settings.joined(separator: ",")
        var before = link.conditions
        for change in link.changes {
            let settings = change.conditions.settings(changedFrom: before)
            text += ";@" + decimal(change.time.nanoseconds / 1000) + ":" + settings.joined(separator: ",")
            before = change.conditions
        }
        return text
    }
}

extension LinkConditions {
    /// The settings that make these conditions of `earlier` ones, in canonical order.
    func settings(changedFrom earlier: LinkConditions) -> [String] {
        LinkKey.allCases.compactMap { key in
            guard let value = value(of: key), value != earlier.value(of: key) else { return nil }
            return key.rawValue + "=" + decimal(value)
        }
    }
}

/// A number of millionths as text, without superfluous zeros.
private func decimal(_ millionths: Int64) -> String {
    let (whole, rest) = millionths.quotientAndRemainder(dividingBy: 1_000_000)
    guard rest != 0 else { return String(whole) }
    var digits = String(rest)
    digits = String(repeating: "0", count: 6 - digits.count) + digits
    while digits.hasSuffix("0") { digits.removeLast() }
    return String(whole) + "." + digits
}

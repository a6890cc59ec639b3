/// A JSON value whose members keep their order, and whose unknown numbers are written as `null`.
///
/// A writer of our own, because the report is a contract: the order of the fields stays, unknown is `null` and not
/// left out, and numbers have no more digits than they deserve.
public indirect enum JSONText: Equatable, Sendable {
    case null
    case bool(Bool)
    case integer(Int)
    /// A number with at most this many digits behind the point; not-a-number and infinity become `null`.
    case decimal(Double, digits: Int)
    case string(String)
    case array([JSONText])
    case object([(String, JSONText)])

    /// An integer, or `null`.
    public static func optional(_ value: Int?) -> JSONText { value.map { .integer($0) } ?? .null }
    /// A number with at most `digits` digits behind the point, or `null`.
    public static func optional(_ value: Double?, digits: Int = 2) -> JSONText {
        value.map { .decimal($0, digits: digits) } ?? .null
    }

    public static func == (left: JSONText, right: JSONText) -> Bool {
        left.text(pretty: false) == right.text(pretty: false)
    }

    /// The value as text: on one line, or with one member per line. Objects that hold only plain values stay on one
    /// line either way.
    public func text(pretty: Bool) -> String {
        var out = ""
        write(into: &out, pretty: pretty, indent: 0)
        return out
    }

    private var isFlat: Bool {
        switch self {
        case .array(let values): values.allSatisfy(\.isPlain)
        case .object(let members): members.allSatisfy { $0.1.isPlain } && members.count <= 4
        default: true
        }
    }

    private var isPlain: Bool {
        switch self {
        case .array, .object: false
        default: true
        }
    }

    private func write(into out: inout String, pretty: Bool, indent: Int) {
        let multiline = pretty && !isFlat
        func newline(_ depth: Int) {
            if multiline { out += "\n" + String(repeating: "  ", count: depth) }
        }
        switch self {
        case .null: out += "null"
        case .bool(let value): out += value ? "true" : "false"
        case .integer(let value): out += String(value)
        case .decimal(let value, let digits): out += Self.number(value, digits: digits)
        case .string(let value): Self.write(string: value, into: &out)
        case .array(let values):
            out += "["
            for (index, value) in values.enumerated() {
                if index > 0 { out += multiline ? "," : ", " }
                newline(indent + 1)
                value.write(into: &out, pretty: pretty, indent: indent + 1)
            }
            newline(indent)
            out += "]"
        case .object(let members):
            out += "{"
            for (index, member) in members.enumerated() {
                if index > 0 { out += multiline ? "," : ", " }
                newline(indent + 1)
                Self.write(string: member.0, into: &out)
                out += ": "
                member.1.write(into: &out, pretty: pretty, indent: indent + 1)
            }
            newline(indent)
            out += "}"
        }
    }

    private static func number(_ value: Double, digits: Int) -> String {
        guard value.isFinite, value.magnitude < 1e15 else { return "null" }
        var text = fixed(value, digits: digits)
        if text.contains(".") {
            while text.hasSuffix("0") { text.removeLast() }
            if text.hasSuffix(".") { text.removeLast() }
        }
        return text
    }

    private static func write(string: String, into out: inout String) {
        out += "\""
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\r": out += "\\r"
            case "\t": out += "\\t"
            case _ where scalar.value < 0x20:
                let hex = String(scalar.value, radix: 16)
                out += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: out.unicodeScalars.append(scalar)
            }
        }
        out += "\""
    }
}

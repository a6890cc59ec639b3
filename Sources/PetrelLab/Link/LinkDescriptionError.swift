/// Why a text is not a ``LinkDescription``: what is wrong, where, and what is allowed there.
public struct LinkDescriptionError: Error, Hashable, Sendable {
    /// What can be wrong with a text.
    public enum Reason: Hashable, Sendable {
        /// A word that is no setting.
        case unknownSetting
        /// A setting without `=` and a value.
        case missingValue
        /// A value that is no decimal number (or no START+DURATION).
        case malformedNumber
        /// A number that this setting does not allow.
        case outOfRange
        /// A setting given twice (`burst` and `burstms` count as one).
        case repeated
        /// A setting that cannot change with time.
        case notInChange
        /// A section after `;` that does not begin with `@SECONDS:`.
        case malformedChange
        /// A change that is not later than the one before.
        case changeOutOfOrder
        /// A text, or a number of outages or changes, above its limit.
        case tooMuch
    }

    /// What is wrong with the text.
    public let reason: Reason
    /// The character at which the trouble begins; the first is 1.
    public let column: Int
    /// The text in question, at most 32 characters of it.
    public let found: String
    /// What is allowed in its place.
    public let allowed: String
}

extension LinkDescriptionError: CustomStringConvertible {
    public var description: String {
        let what =
            switch reason {
            case .unknownSetting: "unknown setting '\(found)'"
            case .missingValue: "no value for '\(found)'"
            case .malformedNumber: "'\(found)' is not a number"
            case .outOfRange: "'\(found)' is out of range"
            case .repeated: "'\(found)' is given twice"
            case .notInChange: "'\(found)' cannot be changed by '@'"
            case .malformedChange: "'\(found)' is not a change"
            case .changeOutOfOrder: "'\(found)' is not later than the change before"
            case .tooMuch: "too much"
            }
        return "column \(column): \(what); \(allowed)"
    }
}

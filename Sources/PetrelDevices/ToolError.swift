/// A mistake or a missing thing that the person at the keyboard can put right, in one sentence that says what and where.
///
/// The programs print `message` on standard error and end with an exit code that is not 0.
public struct ToolError: Error, CustomStringConvertible, Equatable, Sendable {
    /// The sentence, without a full stop's worth of jargon and without a line break.
    public let message: String

    public init(_ message: String) {
        self.message = message.split(whereSeparator: \.isNewline).joined(separator: " ")
    }

    public var description: String { message }
}

/// Why a session description was not read, printed or applied.
///
/// The text of ``description`` is fit for a person and for a log: whatever came from the other side is cut short and
/// stripped of control characters.
public struct SDPError: Error, Hashable, Sendable {
    /// What can be wrong with a description, or with what was asked.
    public enum Reason: String, CaseIterable, Hashable, Sendable {
        // Form (RFC 8866)
        case tooLong, lineTooLong, tooMany, notUTF8, controlCharacter, missingLine, unexpectedLine, badLine, badNumber
        case badAttribute
        // Transport (RFC 8839, 8122, 8842, 8858)
        case badICECredentials, missingICECredentials, halfRestart, iceLiteChanged, iceOptionsChanged
        case freshCredentialsNeeded
        case noFingerprint, weakFingerprint, badFingerprint, fingerprintConflict, badSetup, setupConflict
        case multiplexingRequired, bundleRequired
        // Sections (RFC 3264, 9143, 8285)
        case duplicateMID, badMID, unknownMID, midInTwoGroups, sectionCount, sectionMismatch
        case payloadTypeReused, extensionIDReused, noCommonCodec, notOffered
        // Order of offers and answers (RFC 9429)
        case wrongState, glare, notOurDescription, unknownTransceiver
        // What the application gave
        case badArgument
    }

    /// What is wrong.
    public let reason: Reason
    /// The line of the text that was at fault, counted from 1; nil where the fault is not in one line.
    public let line: Int?
    /// What exactly was wrong, in a few words.
    public let detail: String

    /// How many characters of ``detail`` are kept: enough to recognise a line, too little to flood a log.
    public static let maximumDetail = 120

    /// Creates an error.
    public init(_ reason: Reason, line: Int? = nil, _ detail: String) {
        self.reason = reason
        self.line = line
        self.detail = Self.printable(detail)
    }

    /// The text with every character outside printable ASCII replaced, cut to ``maximumDetail``.
    static func printable(_ text: String) -> String {
        var bytes: [UInt8] = []
        for byte in text.utf8.prefix(maximumDetail) { bytes.append(byte >= 0x20 && byte < 0x7F ? byte : 0x3F) }
        return String(decoding: bytes, as: UTF8.self)
    }

    func at(line: Int) -> SDPError { self.line == nil ? SDPError(reason, line: line, detail) : self }
}

extension SDPError: CustomStringConvertible {
    public var description: String {
        if let line { return "session description, line \(line): \(detail) (\(reason.rawValue))" }
        return "session description: \(detail) (\(reason.rawValue))"
    }
}

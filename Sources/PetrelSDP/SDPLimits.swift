/// How much of a session description is read before it is refused.
///
/// The defaults are several times what browsers write (a Chrome offer of two sections has 6 kB and 200 lines). Memory
/// and time grow in proportion to ``bytes``; the other limits keep one kind of line from taking all of it.
public struct SDPLimits: Hashable, Sendable {
    /// Octets of the whole text.
    public var bytes = 256 * 1024
    /// Octets of one line without its end.
    public var lineBytes = 8 * 1024
    /// Lines of the whole text.
    public var lines = 16 * 1024
    /// Media sections (m= lines). A conference of 100 tracks needs 100.
    public var sections = 256
    /// Attributes of one media section, or of the session.
    public var attributes = 2048
    /// Candidates of one media section; ICE itself checks at most 100 pairs (RFC 8445 section 6.1.2.5).
    public var candidates = 128
    /// Octets of one candidate (RFC 8839 section 5.1: all parts are short).
    public var candidateBytes = 512
    /// Synchronisation sources and groups of them in one media section.
    public var sources = 256
    /// Groups (a=group) of the session.
    public var groups = 16
    /// Octets of a media identification tag. RFC 5888 sets no limit; browsers write 1 to 16.
    public static let midBytes = 64

    public init() {}
    /// The limits in use.
    public static let standard = SDPLimits()
}

/// Which side of the handshake an endpoint is: the client speaks first (`a=setup:active`, RFC 5763 section 5).
public enum DTLSRole: Hashable, Sendable {
    case client
    case server
}

import Testing

@testable import PetrelSignaling

@Suite struct LinkHeaderTests {
    /// The example of RFC 9725 section 4.6, joined as HTTP joins fields.
    @Test func serversOfTheStandard() {
        let field = """
            <stun:stun.example.net>; rel="ice-server", <turn:turn.example.net?transport=udp>; rel="ice-server"; \
            username="user"; credential="my,Pass;<word>"; credential-type="password", </style.css>; rel=stylesheet
            """
        #expect(
            LinkHeader.iceServers(field) == [
                ICEServer(url: "stun:stun.example.net"),
                ICEServer(url: "turn:turn.example.net?transport=udp", username: "user", credential: "my,Pass;<word>"),
            ])
    }

    @Test(arguments: [
        "", ",", "<", "<stun:a", "stun:a; rel=ice-server", "<stun:a>; rel=\"ice-server", "<stun:a>; rel=\"x\\",
        "<stun:a>;;;=", "<stun:a> rel=ice-server", ";rel=ice-server",
    ])
    func malformedFieldsNameNothing(_ field: String) { #expect(LinkHeader.iceServers(field).isEmpty, "\(field)") }

    @Test func escapesCaseAndUnquotedValues() {
        let servers = LinkHeader.iceServers(
            #"<turn:a> ; REL = Ice-Server ;username="a\"b\\c" ; x , <stun:b>;rel="a ICE-server""#)
        #expect(servers == [ICEServer(url: "turn:a", username: #"a"b\c"#), ICEServer(url: "stun:b")])
    }

    @Test func manyAreCut() {
        let field = (0..<1000).map { "<stun:h\($0)>; rel=ice-server" }.joined(separator: ", ")
        #expect(LinkHeader.iceServers(field).count == LinkHeader.maximumLinks)
    }

    @Test(arguments: [
        ("stun:a.example", "a.example", 3478), ("STUN:192.0.2.1:99", "192.0.2.1", 99),
        ("stun:[2001:db8::1]", "2001:db8::1", 3478),
        ("stun:[2001:db8::1]:5", "2001:db8::1", 5), ("stun:h?transport=udp", "h", 3478),
    ])
    func stunAddresses(_ url: String, _ host: String, _ port: Int) {
        let stun = ICEServer(url: url).stun
        #expect(stun?.host == host)
        #expect(stun.map { Int($0.port) } == port)
    }

    @Test(arguments: [
        "turn:a", "stuns:a", "stun:", "stun:a:0", "stun:a:99999", "stun:a:x", "stun:[::1", "stun:[::1]x", "stun:a b",
        "stun:a\u{0}",
    ])
    func noStunAddresses(_ url: String) { #expect(ICEServer(url: url).stun == nil, "\(url)") }

    @Test(arguments: [
        ("\"1\"", true), ("W/\"x\"", true), ("\"\"", true), ("1", false), ("\"", false), ("\"a\"b\"", false),
        ("\"a b\"", false),
        ("\"\u{E9}\"", false), ("*", false),
    ])
    func entityTags(_ text: String, _ isOne: Bool) {
        let answer = HTTPAnswer(status: 201, headers: ["etag": text], body: [])
        #expect(SignalingClient.etag(answer) == (isOne ? text : nil))
    }
}

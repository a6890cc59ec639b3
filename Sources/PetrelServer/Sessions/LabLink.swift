internal import Foundation
internal import HTTPTypes
internal import Petrel
internal import PetrelCore
internal import PetrelIO
internal import PetrelLab
internal import PetrelTools

/// The bad network between the browsers and their peers, which a person may change at any time: all calls have it.
final class LabLink: Sendable {
    private struct State: Sendable {
        var forward: LinkDescription
        var backward: LinkDescription
        var relays: [Int: LiveRelay] = [:]
        var next = 0
    }

    private let state: Lock<State>

    /// Where browsers reach the relays: on the first of these addresses, or where there is none on the first of this
    /// machine that others see.
    private let face: TransportAddress
    /// The ports that a relay may have there; nil: any.
    private let ports: ClosedRange<UInt16>?
    /// The address that browsers are told in its place: that of a NAT in front of this machine.
    private let publicAddress: TransportAddress?

    init(_ configuration: ServerConfiguration, forward: LinkDescription, backward: LinkDescription) {
        ports = configuration.udpPorts
        publicAddress = configuration.call.publicAddresses.lazy.compactMap { text in
            TransportAddress(String(text.prefix { $0 != "/" }), port: 0)
        }.first
        let own = configuration.call.localAddresses.lazy.compactMap { TransportAddress($0, port: 0) }.first
        face = own ?? Self.outside ?? TransportAddress(ipv4: 0x7F00_0001, port: 0)
        state = Lock(State(forward: forward, backward: backward))
    }

    /// A relay for one call, with the network as it is now. Side a is the browser, b the peer.
    /// - Throws: `LiveRelayError`.
    func relay() throws -> (relay: LiveRelay, id: Int) {
        let (forward, backward) = state.withLock { ($0.forward, $0.backward) }
        var configuration = LiveRelay.Configuration(
            forward: forward, backward: backward, seed: UInt64.random(in: 1...UInt64.max))
        // The peer itself is behind the relay, on the loopback interface.
        configuration.faceTowardsA = face
        let relay = try bind(configuration)
        try relay.start()
        let id = state.withLock { state in
            state.next += 1
            state.relays[state.next] = relay
            // It may have been changed meanwhile.
            relay.setLink(state.forward, from: .a)
            relay.setLink(state.backward, from: .b)
            return state.next
        }
        return (relay, id)
    }

    private func bind(_ configuration: LiveRelay.Configuration) throws(LiveRelayError) -> LiveRelay {
        guard let ports else { return try LiveRelay(configuration) }
        var configuration = configuration
        for port in ports.dropLast() {
            configuration.faceTowardsA.port = port
            if let relay = try? LiveRelay(configuration) { return relay }
        }
        configuration.faceTowardsA.port = ports.upperBound
        return try LiveRelay(configuration)
    }

    /// What a browser is told of where a relay is.
    func address(of relay: LiveRelay) -> TransportAddress {
        var address = publicAddress ?? relay.face(for: .b)
        address.port = relay.face(for: .b).port
        return address
    }

    func remove(_ id: Int) {
        let relay = state.withLock { $0.relays.removeValue(forKey: id) }
        relay?.stop()
    }

    /// This machine's first IPv4 address that others see; nil where there is none.
    private static var outside: TransportAddress? { outsideAddresses.first { $0.family == .ipv4 } }

    /// Whether others than this machine's own browsers can come at all.
    static var machineHasOutside: Bool { !outsideAddresses.isEmpty }

    private static var outsideAddresses: [TransportAddress] {
        let all = (try? NetworkInterfaces.addresses()) ?? []
        return all.filter { !NetworkInterfaces.isLoopback($0) }
    }

    // MARK: As JSON

    /// Octets of a description in JSON.
    static let maximumBytes = 64 * 1024

    /// Both directions: `ab` from the browser to the peer, `ba` back.
    var json: JSONText {
        let (forward, backward) = state.withLock { ($0.forward, $0.backward) }
        return .object([("ab", Self.json(forward)), ("ba", Self.json(backward))])
    }

    private static func json(_ link: LinkDescription) -> JSONText {
        let conditions = link.normalized.conditions
        return .object([
            ("delay", .decimal(conditions.delay.seconds * 1000, digits: 3)),
            ("jitter", .decimal(conditions.jitter.seconds * 1000, digits: 3)),
            ("loss", .decimal(conditions.loss, digits: 6)),
            ("burstLoss", .decimal(conditions.burstLoss, digits: 6)),
            ("rate", .optional(conditions.rate.map { Double($0.bitsPerSecond) / 1000 }, digits: 3)),
            ("queue", .decimal(conditions.queue.seconds * 1000, digits: 3)),
            ("text", .string("\(link)")),
        ])
    }

    /// Changes the network of all calls at once. What the text does not name stays as it is.
    /// - Throws: ``Refusal`` 400 for what is no JSON object, 422 for values that are not possible; then nothing is
    ///   changed.
    func change(json text: String) throws(Refusal) {
        guard let object = (try? JSONSerialization.jsonObject(with: Data(text.utf8))) as? [String: Any] else {
            throw Refusal(.badRequest, "the body must be a JSON object")
        }
        var (forward, backward) = state.withLock { ($0.forward, $0.backward) }
        if let all = object["text"] {
            guard let all = all as? String else { throw Refusal(.badRequest, "text must be a string") }
            do throws(LinkDescriptionError) { (forward, backward) = try LabProfile.link(all) } catch {
                throw Refusal(.unprocessableContent, "\(error)")
            }
        }
        for (name, member) in object where name != "text" {
            guard let fields = member as? [String: Any] else {
                throw Refusal(.badRequest, "\(name.prefix(16)) must be an object")
            }
            switch name {
            case "ab": try Self.apply(fields, to: &forward)
            case "ba": try Self.apply(fields, to: &backward)
            default: throw Refusal(.unprocessableContent, "directions are ab and ba")
            }
        }
        let (ab, ba) = (forward, backward)
        state.withLock { state in
            (state.forward, state.backward) = (ab, ba)
            for relay in state.relays.values {
                relay.setLink(ab, from: .a)
                relay.setLink(ba, from: .b)
            }
        }
    }

    /// The words of JSON and those of the link's own language.
    private static let words = [
        ("delay", "delay"), ("jitter", "jitter"), ("loss", "loss"), ("burstLoss", "ge"), ("rate", "rate"),
        ("queue", "queue"),
    ]

    private static func apply(_ fields: [String: Any], to link: inout LinkDescription) throws(Refusal) {
        if let text = fields["text"] {
            guard let text = text as? String else { throw Refusal(.badRequest, "text must be a string") }
            link = try parse(text)
        }
        // The parser of the language knows what is possible: the fields are written in it.
        for (name, value) in fields where name != "text" {
            guard let word = words.first(where: { $0.0 == name })?.1 else {
                throw Refusal(
                    .unprocessableContent,
                    "settings are \((words.map(\.0) + ["text"]).joined(separator: ", "))")
            }
            let number: Double
            switch value {
            case is NSNull: number = 0
            case let value as NSNumber: number = value.doubleValue
            default: throw Refusal(.badRequest, "\(name) must be a number")
            }
            guard number.isFinite, number >= 0, number < 1e9 else {
                throw Refusal(.unprocessableContent, "\(name) is out of range")
            }
            let one = try parse("\(word)=\(JSONText.decimal(number, digits: 6).text(pretty: false))").conditions
            // A hand on a slider ends what a script would have done later.
            link.changes = []
            switch word {
            case "delay": link.conditions.delay = one.delay
            case "jitter": link.conditions.jitter = one.jitter
            case "loss": link.conditions.loss = one.loss
            case "ge": link.conditions.burstLoss = one.burstLoss
            case "rate": link.conditions.rate = one.rate
            default: link.conditions.queue = one.queue
            }
        }
        link = link.normalized
    }

    private static func parse(_ text: String) throws(Refusal) -> LinkDescription {
        do throws(LinkDescriptionError) { return try LinkDescription(parsing: text) } catch {
            throw Refusal(.unprocessableContent, "\(error)")
        }
    }
}

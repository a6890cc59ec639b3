internal import HTTPTypes
internal import PetrelIO

/// The streams by name: `film`, which is always there, and those that are published now.
final class StreamDirectory: Sendable {
    /// The name of the server's own film and speech.
    static let film = "film"

    private let film: MediaStream
    private let published = Lock([String: MediaStream]())
    private let limit: Int

    init(film: MediaStream, limit: Int) {
        self.film = film
        self.limit = limit
    }

    /// Names are short and of letters, digits, dots, dashes and underscores, so that none means something in a path.
    static func isName(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count) && !text.hasPrefix(".")
            && text.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F: true
                default: false
                }
            }
    }

    func stream(_ name: String) -> MediaStream? {
        name == Self.film ? film : published.withLock { $0[name] }
    }

    /// - Throws: ``Refusal`` 409 where the name is taken, 503 where there are too many.
    func publish(_ name: String) throws(Refusal) -> MediaStream {
        let stream = MediaStream(name: name)
        let refusal: Refusal? = published.withLock { published in
            if name == Self.film || published[name] != nil {
                return Refusal(.conflict, "a stream of the name \(name) is there already")
            }
            guard published.count < limit else { return .busy("\(limit) streams are published already") }
            published[name] = stream
            return nil
        }
        if let refusal { throw refusal }
        return stream
    }

    func remove(_ stream: MediaStream) {
        published.withLock { if $0[stream.name] === stream { $0[stream.name] = nil } }
    }

    /// All, in the order of their names, the film first.
    var all: [MediaStream] { [film] + published.withLock { $0.values.sorted { $0.name < $1.name } } }
}

internal import HTTPTypes
internal import Hummingbird
internal import HummingbirdCore
internal import Logging
internal import Petrel
internal import PetrelSDP
internal import PetrelTools

/// Which address means what. docs/server.md has the table.
///
/// Not the framework's router: what an address takes has to be told with 405 and OPTIONS, and ids must not be guessed by
/// another spelling of a path.
struct Endpoint: HTTPResponder {
    typealias Context = BasicRequestContext

    let configuration: ServerConfiguration
    let tokens: BearerTokens
    let registry: SessionRegistry
    let streams: StreamDirectory
    let link: LabLink?

    func respond(to request: Request, context: Context) async throws -> Response {
        do throws(Refusal) { return try await answer(request).response } catch { return error.answer.response }
    }

    /// One address, and what can be done there.
    private enum Place {
        case page
        case status
        case link
        /// A POST makes a resource: the collection of resources, and what is made.
        case endpoint(collection: String, Kind)
        case resource(collection: String, id: String, isCall: Bool)
        case statistics(collection: String, id: String)
    }

    private enum Kind {
        case call
        case publish(String)
        case play(String)
    }

    /// - Throws: ``Refusal`` 404 for what is no address of this server.
    private func place(_ path: String) throws(Refusal) -> Place {
        if path == "/" { return .page }
        // Empty and encoded parts are addresses of nothing.
        let parts = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard path.hasPrefix("/"), !parts.contains("") else { throw .nothingHere }
        switch (parts[0], parts.count) {
        case ("status", 1): return .status
        case ("link", 1) where link != nil: return .link
        case ("call", 1): return .endpoint(collection: "/call/", .call)
        case ("call", 2): return .resource(collection: "/call/", id: parts[1], isCall: true)
        case ("call", 3) where parts[2] == "statistics": return .statistics(collection: "/call/", id: parts[1])
        case ("whip", 2...4), ("whep", 2...4):
            guard StreamDirectory.isName(parts[1]) else { throw .nothingHere }
            let collection = "/\(parts[0])/\(parts[1])/"
            if parts.count == 2 {
                return .endpoint(
                    collection: collection, parts[0] == "whip" ? .publish(parts[1]) : .play(parts[1]))
            }
            if parts.count == 3 { return .resource(collection: collection, id: parts[2], isCall: false) }
            if parts[3] == "statistics" { return .statistics(collection: collection, id: parts[2]) }
            throw .nothingHere
        default: throw .nothingHere
        }
    }

    private func answer(_ request: Request) async throws(Refusal) -> Answer {
        let place = try place(request.uri.path)
        let methods = methods(place)
        if request.method == .options { return options(place, methods) }
        guard methods.contains(request.method) else { throw .method(allowed: methods) }
        if case .page = place { return Page.answer }
        let holder = try tokens.holder(of: request.headers)
        switch place {
        case .page: return Page.answer
        case .status: return await status()
        case .link: return try await link(request)
        case .endpoint(let collection, let kind):
            return try await create(request, collection: collection, kind, holder)
        case .resource(let collection, let id, _):
            let session = try await session(id, collection, holder)
            switch request.method {
            case .delete: return await delete(session)
            case .patch: return try await patch(request, session)
            default: return try await renegotiate(request, session)
            }
        case .statistics(let collection, let id):
            return try await statistics(try await session(id, collection, holder))
        }
    }

    private func methods(_ place: Place) -> [HTTPRequest.Method] {
        switch place {
        case .page, .status, .statistics: [.get, .head]
        case .link: [.get, .head, .put]
        case .endpoint: [.post]
        case .resource(_, _, let isCall): isCall ? [.post, .patch, .delete] : [.patch, .delete]
        }
    }

    /// What a page of another origin asks before it calls (CORS), and what a client learns of an address (RFC 9725
    /// section 4.2). No token is asked for: browsers send none with it.
    private func options(_ place: Place, _ methods: [HTTPRequest.Method]) -> Answer {
        var answer = Answer(.noContent)
        let list = (methods + [.options]).map(\.rawValue).joined(separator: ", ")
        answer.headers[.allow] = list
        answer.headers[.allowMethods] = list
        answer.headers[.allowHeaders] = "Authorization, Content-Type, If-Match, Accept"
        answer.headers[.maxAge] = "86400"
        switch place {
        case .endpoint: answer.headers[.acceptPost] = BodyType.sdp
        case .resource(_, _, let isCall):
            answer.headers[.acceptPatch] = TrickleFragment.mediaType
            if isCall { answer.headers[.acceptPost] = BodyType.sdp }
        case .page, .status, .link, .statistics: break
        }
        return answer
    }

    private func session(
        _ id: String, _ collection: String, _ holder: BearerTokens.Holder
    ) async throws(Refusal) -> Session {
        guard let session = await registry.session(id, in: collection) else { throw .nothingHere }
        try BearerTokens.check(holder, owns: session.owner)
        return session
    }

    // MARK: What makes a peer

    private func create(
        _ request: Request, collection: String, _ kind: Kind, _ holder: BearerTokens.Holder
    ) async throws(Refusal) -> Answer {
        try Body.check(request.headers, is: BodyType.sdp, accept: .acceptPost)
        try Body.check(request.headers, takes: BodyType.sdp)
        let offer = try await offer(request)
        let media: Session.Media
        switch kind {
        case .call: media = try callMedia(request)
        case .play(let name):
            guard let stream = streams.stream(name) else {
                throw Refusal(.notFound, "nobody publishes \(name) now", [.retryAfter: "5"])
            }
            guard offer.media.contains(where: { offer.effectiveDirection(of: $0).receives }) else {
                throw Refusal(.unprocessableContent, "the offer receives nothing")
            }
            media = .plays(stream)
        case .publish(let name):
            guard offer.media.contains(where: { offer.effectiveDirection(of: $0).sends }) else {
                throw Refusal(.unprocessableContent, "the offer sends nothing")
            }
            media = .publishes(try streams.publish(name))
        }
        do throws(Refusal) {
            let (session, text) = try await registry.open(
                collection: collection, owner: holder, media: media, offer: offer)
            var answer = Answer(.created, type: BodyType.sdp, text: text)
            answer.headers[.location] = session.path
            answer.headers[.eTag] = await session.entityTag
            answer.headers[.acceptPatch] = TrickleFragment.mediaType
            for server in configuration.iceServers {
                answer.headers.append(HTTPField(name: .link, value: server.header))
            }
            return answer
        } catch {
            if case .publishes(let stream) = media { streams.remove(stream) }
            throw error
        }
    }

    private func callMedia(_ request: Request) throws(Refusal) -> Session.Media {
        switch request.uri.queryParameters["media"] {
        case nil, "film":
            guard let film = streams.stream(StreamDirectory.film) else { throw .nothingHere }
            return .plays(film)
        case "echo": return .echoes
        default: throw Refusal(.badRequest, "media is film or echo")
        }
    }

    /// - Throws: ``Refusal`` 400 for what is no session description, 422 for one without a section.
    private func offer(_ request: Request) async throws(Refusal) -> SessionDescription {
        let text = try await Body.text(
            of: request, limit: SDPLimits.standard.bytes)
        let offer: SessionDescription
        do throws(SDPError) { offer = try SessionDescription(parsing: text) } catch {
            throw Refusal(.badRequest, "\(error)")
        }
        guard !offer.media.isEmpty else { throw Refusal(.unprocessableContent, "the offer has no media section") }
        return offer
    }

    // MARK: What is done with one

    private func renegotiate(_ request: Request, _ session: Session) async throws(Refusal) -> Answer {
        try Body.check(request.headers, is: BodyType.sdp, accept: .acceptPost)
        try Body.check(request.headers, takes: BodyType.sdp)
        let offer = try await offer(request)
        do {
            var answer = Answer(.ok, type: BodyType.sdp, text: try await session.renegotiate(offer))
            answer.headers[.eTag] = await session.entityTag
            return answer
        } catch { throw Refusal(error) }
    }

    private func patch(_ request: Request, _ session: Session) async throws(Refusal) -> Answer {
        try Body.check(request.headers, is: TrickleFragment.mediaType, accept: .acceptPatch)
        guard let condition = request.headers[.ifMatch] else {
            throw Refusal(.preconditionRequired, "If-Match must name the ICE session: the ETag that came last, or *")
        }
        let text = try await Body.text(
            of: request, limit: TrickleFragment.maximumBytes)
        let fragment: TrickleFragment
        do throws(SDPError) { fragment = try TrickleFragment(parsing: text) } catch {
            throw Refusal(.badRequest, "\(error)")
        }
        do {
            switch try await session.patch(fragment, ifMatch: condition) {
            case .taken: return Answer(.noContent)
            case .restarted(let ours, let entityTag):
                var answer = Answer(.ok, type: TrickleFragment.mediaType, text: try ours.text())
                answer.headers[.eTag] = entityTag
                return answer
            }
        } catch { throw Refusal(error) }
    }

    private func delete(_ session: Session) async -> Answer {
        await registry.end(session, reason: "its client ended it")
        return Answer(.ok)
    }

    // MARK: What can be read

    private func statistics(_ session: Session) async throws(Refusal) -> Answer {
        do {
            let statistics = try await session.statistics()
            return Answer(
                json: .object([
                    ("state", .string(session.call.callState.rawValue)),
                    ("timestamp", .decimal(Double(statistics.unixNanoseconds) / 1e6, digits: 3)),
                    ("statistics", .array(W3CStatistics.dictionaries(statistics))),
                ]))
        } catch { throw Refusal(error) }
    }

    private func status() async -> Answer {
        let streams = streams.all.map { stream in
            JSONText.object([("name", .string(stream.name)), ("viewers", .integer(stream.viewerCount))])
        }
        return Answer(
            json: .object([
                ("version", .string(MediaServer.version)), ("peers", .integer(await registry.count)),
                ("maximumPeers", .integer(configuration.maximumPeers)), ("streams", .array(streams)),
                ("link", .bool(link != nil)),
            ]))
    }

    private func link(_ request: Request) async throws(Refusal) -> Answer {
        guard let link else { throw .nothingHere }
        if request.method == .put {
            try Body.check(request.headers, is: BodyType.json, accept: .accept)
            try link.change(
                json: try await Body.text(
                    of: request, limit: LabLink.maximumBytes))
        }
        return Answer(json: link.json)
    }
}

internal import HTTPTypes
internal import Hummingbird
internal import PetrelTools

extension HTTPField.Name {
    /// Names that the HTTP library has no constant for. `HTTPField.Name` answers nil for what is no token only.
    private static func known(_ text: String) -> HTTPField.Name { HTTPField.Name(text) ?? .server }

    static let acceptPost = known("Accept-Post")
    static let acceptPatch = known("Accept-Patch")
    static let link = known("Link")
    static let allowOrigin = known("Access-Control-Allow-Origin")
    static let allowMethods = known("Access-Control-Allow-Methods")
    static let allowHeaders = known("Access-Control-Allow-Headers")
    static let exposeHeaders = known("Access-Control-Expose-Headers")
    static let maxAge = known("Access-Control-Max-Age")
}

/// The types of bodies that this server knows.
enum BodyType {
    static let sdp = "application/sdp"
    static let json = "application/json"
    static let text = "text/plain; charset=utf-8"
    static let html = "text/html; charset=utf-8"
}

/// What a request is answered with.
struct Answer {
    var status: HTTPResponse.Status
    var headers = HTTPFields()
    var body: [UInt8] = []

    init(_ status: HTTPResponse.Status) { self.status = status }

    init(_ status: HTTPResponse.Status, type: String, body: [UInt8]) {
        self.status = status
        self.body = body
        headers[.contentType] = type
        // What a call is, and how it is, holds for the moment only.
        headers[.cacheControl] = "no-store"
    }

    init(_ status: HTTPResponse.Status, type: String, text: String) {
        self.init(status, type: type, body: Array(text.utf8))
    }

    init(json: JSONText) { self.init(.ok, type: BodyType.json, text: json.text(pretty: false) + "\n") }

    var response: Response {
        var headers = headers
        // Pages of other origins may call, and read what a client of WHIP has to read.
        headers[.allowOrigin] = "*"
        headers[.exposeHeaders] =
            "Location, ETag, Link, Accept-Patch, Accept-Post, Allow, Retry-After, WWW-Authenticate"
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: body)))
    }
}

/// A request that is not done, and the sentence that says why.
struct Refusal: Error {
    var status: HTTPResponse.Status
    var sentence: String
    var headers = HTTPFields()

    init(_ status: HTTPResponse.Status, _ sentence: String, _ headers: HTTPFields = HTTPFields()) {
        self.status = status
        self.sentence = sentence
        self.headers = headers
    }

    var answer: Answer {
        var answer = Answer(status, type: BodyType.text, text: sentence + "\n")
        for field in headers { answer.headers.append(field) }
        return answer
    }

    static let nothingHere = Refusal(.notFound, "there is nothing at this address")

    static func method(allowed: [HTTPRequest.Method]) -> Refusal {
        let list = (allowed + [.options]).map(\.rawValue).joined(separator: ", ")
        return Refusal(.methodNotAllowed, "this address takes \(list)", [.allow: list])
    }

    /// Come again later.
    static func busy(_ sentence: String, seconds: Int = 5) -> Refusal {
        Refusal(.serviceUnavailable, sentence, [.retryAfter: "\(seconds)"])
    }
}

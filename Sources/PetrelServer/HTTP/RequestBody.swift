internal import HTTPTypes
internal import Hummingbird
internal import NIOCore

/// What came with a request, read within the limits.
enum Body {
    /// The type without its parameters, in small letters.
    static func type(of headers: HTTPFields) -> String {
        let field = headers[.contentType] ?? ""
        return String(field.prefix { $0 != ";" }).trimmingSpaces.lowercased()
    }

    /// - Throws: ``Refusal`` 415 where the type is another one.
    static func check(_ headers: HTTPFields, is type: String, accept: HTTPField.Name) throws(Refusal) {
        guard Self.type(of: headers) == type else {
            throw Refusal(.unsupportedMediaType, "the body must be of type \(type)", [accept: type])
        }
    }

    /// - Throws: ``Refusal`` 406 where the client wants none of what it would get.
    static func check(_ headers: HTTPFields, takes type: String) throws(Refusal) {
        let fields = headers[values: .accept]
        guard !fields.isEmpty else { return }
        let family = type.prefix { $0 != "/" } + "/*"
        for range in fields.flatMap({ $0.split(separator: ",") }) {
            let parts = range.split(separator: ";").map { String($0).trimmingSpaces.lowercased() }
            guard let name = parts.first, name == type || name == family || name == "*/*" else { continue }
            if !parts.dropFirst().contains(where: { ["q=0", "q=0.0", "q=0.00", "q=0.000"].contains($0) }) { return }
        }
        throw Refusal(.notAcceptable, "the answer is of type \(type)")
    }

    /// The whole body as text.
    /// - Throws: ``Refusal``: 413 above `limit` octets, 408 where it does not come in time (``RequestWatch``), 400 where
    ///   it is no UTF-8 or breaks off.
    static func text(of request: Request, limit: Int) async throws(Refusal) -> String {
        if let announced = request.headers[.contentLength].flatMap({ Int($0) }), announced > limit {
            throw Refusal(.contentTooLarge, "the body has \(announced) octets, at most \(limit) are read")
        }
        let bytes: ByteBuffer
        do { bytes = try await request.body.collect(upTo: limit) } catch is NIOTooManyBytesError {
            throw Refusal(.contentTooLarge, "at most \(limit) octets of a body are read")
        } catch is RequestTooSlow {
            throw Refusal(.requestTimeout, "the body did not come in time")
        } catch { throw Refusal(.badRequest, "the body broke off") }
        guard let text = String(validating: bytes.readableBytesView, as: UTF8.self) else {
            throw Refusal(.badRequest, "the body is not UTF-8")
        }
        return text
    }
}

extension String {
    /// Without spaces and tabs at either end.
    var trimmingSpaces: String {
        var slice = self[...]
        while let first = slice.first, first == " " || first == "\t" { slice = slice.dropFirst() }
        while let last = slice.last, last == " " || last == "\t" { slice = slice.dropLast() }
        return String(slice)
    }
}

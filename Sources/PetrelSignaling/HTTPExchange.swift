internal import Dispatch
internal import Foundation
internal import PetrelIO

#if canImport(FoundationNetworking)
    internal import FoundationNetworking
#endif

/// A request, and what came back.
struct HTTPRequest: Sendable {
    var method: String
    var url: URL
    var headers: [String: String]
    var body: String?
}

/// The answer to a request. Header names are in lower case; several of one name are joined by commas (RFC 9110
/// section 5.3).
struct HTTPAnswer: Sendable {
    var status: Int
    var headers: [String: String]
    var body: [UInt8]

    /// The media type without its parameters, in lower case; empty where there is none.
    var mediaType: String {
        let value = headers["content-type"] ?? ""
        return value.prefix { $0 != ";" && $0 != "," }.lowercased().filter { !$0.isWhitespace }
    }

    /// The body as text; nil where it is not UTF-8.
    var text: String? { String(validating: body, as: UTF8.self) }
}

/// Why there is no answer.
enum HTTPFailure: Error {
    case noHost, refused, broken(String), untrusted(String), timedOut, tooLarge, malformed(String), cancelled
}

/// One request and its answer by URLSession: no redirect is followed, nothing is kept (cookies, credentials, cache), and
/// size and time have bounds, whatever the server does.
///
/// A session of its own serves each request: a stream makes a handful of them.
final class HTTPExchange: NSObject, URLSessionDataDelegate, @unchecked Sendable {
    // @unchecked: NSObject is not Sendable; all that changes lies behind the lock.
    private struct State {
        var continuation: CheckedContinuation<Result<HTTPAnswer, HTTPFailure>, Never>?
        var outcome: Result<HTTPAnswer, HTTPFailure>?
        var body: [UInt8] = []
    }

    private let state = Lock(State())
    private let maximumBody: Int

    private init(maximumBody: Int) { self.maximumBody = maximumBody }

    /// Sends a request.
    /// - Parameters:
    ///   - seconds: until the whole answer must have come.
    ///   - maximumBody: octets of the answer after its headers. Headers are limited by libcurl, to 300 KiB.
    static func send(
        _ request: HTTPRequest, seconds: Double, maximumBody: Int
    ) async throws(HTTPFailure) -> HTTPAnswer {
        let exchange = HTTPExchange(maximumBody: maximumBody)
        let configuration = URLSessionConfiguration.ephemeral
        configuration.httpCookieStorage = nil
        configuration.httpShouldSetCookies = false
        configuration.urlCache = nil
        configuration.urlCredentialStorage = nil
        // The deadline below is the bound; this one only ends what it has given up.
        configuration.timeoutIntervalForRequest = seconds + 1
        let session = URLSession(configuration: configuration, delegate: exchange, delegateQueue: nil)
        // It waits for the session's queue, which a server can keep busy (Foundation's time for headers grows with the
        // square of their number): nobody waits for that here.
        defer { DispatchQueue.global().async { session.invalidateAndCancel() } }
        var wanted = URLRequest(url: request.url, cachePolicy: .reloadIgnoringLocalCacheData)
        wanted.timeoutInterval = seconds + 1
        wanted.httpMethod = request.method
        wanted.httpBody = request.body.map { Data($0.utf8) }
        for (name, value) in request.headers { wanted.setValue(value, forHTTPHeaderField: name) }
        let task = session.dataTask(with: wanted)
        let deadline = Task {
            try await Task.sleep(for: .seconds(seconds))
            exchange.finish(.failure(.timedOut))
        }
        defer { deadline.cancel() }
        let outcome = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                exchange.begin(continuation)
                task.resume()
            }
        } onCancel: {
            exchange.finish(.failure(.cancelled))
        }
        return try outcome.get()
    }

    private func begin(_ continuation: CheckedContinuation<Result<HTTPAnswer, HTTPFailure>, Never>) {
        let outcome = state.withLock { state in
            if state.outcome == nil { state.continuation = continuation }
            return state.outcome
        }
        if let outcome { continuation.resume(returning: outcome) }
    }

    private func finish(_ outcome: Result<HTTPAnswer, HTTPFailure>) {
        let waiter = state.withLock { state in
            guard state.outcome == nil else {
                return nil as CheckedContinuation<Result<HTTPAnswer, HTTPFailure>, Never>?
            }
            state.outcome = outcome
            defer { state.continuation = nil }
            return state.continuation
        }
        waiter?.resume(returning: outcome)
    }

    // MARK: What URLSession tells

    func urlSession(
        _ session: URLSession, task: URLSessionTask, willPerformHTTPRedirection response: HTTPURLResponse,
        newRequest request: URLRequest, completionHandler: @escaping (URLRequest?) -> Void
    ) {
        // Redirects are followed elsewhere, where tokens are known: here the 3xx is the answer.
        completionHandler(nil)
    }

    func urlSession(
        _ session: URLSession, task: URLSessionTask, didReceive challenge: URLAuthenticationChallenge,
        completionHandler: @escaping (URLSession.AuthChallengeDisposition, URLCredential?) -> Void
    ) {
        let method = challenge.protectionSpace.authenticationMethod
        if [NSURLAuthenticationMethodHTTPBasic, NSURLAuthenticationMethodHTTPDigest].contains(method) {
            // Only bearer tokens are ours: the 401 is the answer.
            if let response = challenge.failureResponse ?? task.response { answer(response) }
            completionHandler(.cancelAuthenticationChallenge, nil)
        } else {
            completionHandler(.performDefaultHandling, nil)
        }
    }

    func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
        let isTooLarge = state.withLock { state in
            guard state.body.count + data.count <= maximumBody else { return true }
            if state.outcome == nil { state.body.append(contentsOf: data) }
            return false
        }
        if isTooLarge { finish(.failure(.tooLarge)) }
    }

    func urlSession(_ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?) {
        if let error {
            finish(.failure(Self.failure(error as NSError)))
        } else if let response = task.response {
            answer(response)
        } else {
            finish(.failure(.malformed("an answer without a status")))
        }
    }

    private func answer(_ response: URLResponse) {
        guard let response = response as? HTTPURLResponse, (200...599).contains(response.statusCode) else {
            finish(.failure(.malformed("an answer with no status of HTTP")))
            return
        }
        var headers: [String: String] = [:]
        for (name, value) in response.allHeaderFields {
            guard let name = name as? String, let value = value as? String else { continue }
            headers[name.lowercased()] = value
        }
        let body = state.withLock { $0.body }
        finish(.success(HTTPAnswer(status: response.statusCode, headers: headers, body: body)))
    }

    /// libcurl's reasons reach us as codes where Foundation has one, and as their text otherwise.
    private static func failure(_ error: NSError) -> HTTPFailure {
        let text = SignalingError.printable(error.localizedDescription, maximum: 160)
        let lower = text.lowercased()
        if lower.contains("ssl") || lower.contains("certificate") || lower.contains("tls") { return .untrusted(text) }
        switch error.code {
        case NSURLErrorCannotFindHost, NSURLErrorDNSLookupFailed: return .noHost
        case NSURLErrorCannotConnectToHost: return .refused
        case NSURLErrorTimedOut: return .timedOut
        case NSURLErrorCancelled: return .cancelled
        case NSURLErrorNetworkConnectionLost, NSURLErrorNotConnectedToInternet: return .broken(text)
        case NSURLErrorBadServerResponse where lower.contains("empty reply"):
            return .broken("it closed the connection without an answer")
        default: return .malformed(text)
        }
    }
}

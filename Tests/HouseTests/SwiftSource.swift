/// A Swift file as words, numbers, strings and marks, with comments apart: enough of the language for the house's rules.
///
/// Comments and the insides of strings never look like code; code interpolated into a string does.
struct SwiftSource {
    enum Kind { case word, number, string, mark }

    struct Token {
        let kind: Kind
        let text: String
        let line: Int
        /// Whether white space, a comment or the file's start stands before it.
        let spaceBefore: Bool
    }

    struct Comment {
        let line: Int
        let endLine: Int
        let text: String
        let isDocumentation: Bool
    }

    let path: String
    private(set) var tokens: [Token] = []
    private(set) var comments: [Comment] = []
    private(set) var lineCount = 0

    /// The folder below Sources.
    var room: String {
        let parts = path.split(separator: "/")
        return parts.count > 2 && parts[0] == "Sources" ? String(parts[1]) : ""
    }

    init(path: String, text: String) {
        self.path = path
        var scanner = Scanner(bytes: Array(text.utf8))
        scanner.run(untilParenthesis: false)
        tokens = scanner.tokens
        comments = scanner.comments
        lineCount = scanner.line - (text.hasSuffix("\n") || text.isEmpty ? 1 : 0)
    }

    /// The token at an index, an empty mark beyond either end.
    func token(_ index: Int) -> Token {
        tokens.indices.contains(index) ? tokens[index] : Token(kind: .mark, text: "", line: 0, spaceBefore: true)
    }

    /// The index after the bracket that closes the one at `index`.
    func afterGroup(_ index: Int) -> Int {
        let pairs = ["(": ")", "[": "]", "{": "}"]
        guard let close = pairs[token(index).text] else { return index + 1 }
        let open = token(index).text
        var depth = 0
        var at = index
        while at < tokens.count {
            if tokens[at].kind == .mark {
                if tokens[at].text == open { depth += 1 }
                if tokens[at].text == close { depth -= 1 }
            }
            at += 1
            if depth == 0 { break }
        }
        return at
    }

    private struct Scanner {
        let bytes: [UInt8]
        var at = 0
        var line = 1
        var space = true
        var tokens: [Token] = []
        var comments: [Comment] = []

        init(bytes: [UInt8]) { self.bytes = bytes }

        func peek(_ ahead: Int = 0) -> UInt8 { at + ahead < bytes.count ? bytes[at + ahead] : 0 }

        mutating func step() {
            if peek() == UInt8(ascii: "\n") { line += 1 }
            at += 1
        }

        static func isWord(_ byte: UInt8) -> Bool {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), 0x80...:
                true
            default: false
            }
        }

        mutating func add(_ kind: Kind, _ text: String, line: Int) {
            tokens.append(Token(kind: kind, text: text, line: line, spaceBefore: space))
            space = false
        }

        mutating func run(untilParenthesis: Bool) {
            var depth = 0
            while at < bytes.count {
                let byte = peek()
                switch byte {
                case UInt8(ascii: " "), UInt8(ascii: "\n"), UInt8(ascii: "\t"), UInt8(ascii: "\r"):
                    space = true
                    step()
                case UInt8(ascii: "/") where peek(1) == UInt8(ascii: "/"): lineComment()
                case UInt8(ascii: "/") where peek(1) == UInt8(ascii: "*"): blockComment()
                case UInt8(ascii: "\""): string(pounds: 0)
                case UInt8(ascii: "#"): pound()
                case UInt8(ascii: "`"): step()
                case UInt8(ascii: "@"): word()
                case _ where Self.isWord(byte): word()
                default:
                    if byte == UInt8(ascii: "(") { depth += 1 }
                    if byte == UInt8(ascii: ")") {
                        depth -= 1
                        if untilParenthesis, depth < 0 { return }
                    }
                    add(.mark, String(UnicodeScalar(byte)), line: line)
                    step()
                }
            }
        }

        mutating func word() {
            let start = at
            let first = peek()
            step()
            while Self.isWord(peek()) { step() }
            let text = String(decoding: bytes[start..<at], as: UTF8.self)
            let isNumber = first >= UInt8(ascii: "0") && first <= UInt8(ascii: "9")
            add(isNumber ? .number : .word, text, line: line)
        }

        mutating func pound() {
            var pounds = 0
            while peek(pounds) == UInt8(ascii: "#") { pounds += 1 }
            if peek(pounds) == UInt8(ascii: "\"") {
                at += pounds
                string(pounds: pounds)
            } else {
                word()
            }
        }

        mutating func lineComment() {
            let start = at
            while at < bytes.count, peek() != UInt8(ascii: "\n") { at += 1 }
            let text = String(decoding: bytes[start..<at], as: UTF8.self)
            let documents = text.hasPrefix("///") && !text.hasPrefix("////")
            comments.append(Comment(line: line, endLine: line, text: text, isDocumentation: documents))
            space = true
        }

        mutating func blockComment() {
            let start = at
            let firstLine = line
            var depth = 0
            repeat {
                if peek() == UInt8(ascii: "/"), peek(1) == UInt8(ascii: "*") {
                    depth += 1
                    at += 2
                } else if peek() == UInt8(ascii: "*"), peek(1) == UInt8(ascii: "/") {
                    depth -= 1
                    at += 2
                } else {
                    step()
                }
            } while depth > 0 && at < bytes.count
            let text = String(decoding: bytes[start..<min(at, bytes.count)], as: UTF8.self)
            comments.append(
                Comment(line: firstLine, endLine: line, text: text, isDocumentation: text.hasPrefix("/**")))
            space = true
        }

        mutating func string(pounds: Int) {
            let firstLine = line
            let spaceBefore = space
            let quote = UInt8(ascii: "\"")
            let isLong = peek(1) == quote && peek(2) == quote
            let quotes = isLong ? 3 : 1
            at += quotes
            var content: [UInt8] = []
            var inner: [Token] = []
            while at < bytes.count {
                if closes(quotes: quotes, pounds: pounds) {
                    at += quotes + pounds
                    break
                }
                if peek() == UInt8(ascii: "\\"), escapes(pounds) {
                    at += 1 + pounds
                    if peek() == UInt8(ascii: "(") {
                        at += 1
                        let outer = tokens
                        tokens = []
                        space = true
                        run(untilParenthesis: true)
                        inner += tokens
                        tokens = outer
                    } else {
                        content.append(peek())
                    }
                    step()
                } else {
                    content.append(peek())
                    step()
                }
            }
            space = spaceBefore
            add(.string, String(decoding: content, as: UTF8.self), line: firstLine)
            tokens += inner
        }

        func closes(quotes: Int, pounds: Int) -> Bool {
            for index in 0..<quotes where peek(index) != UInt8(ascii: "\"") { return false }
            for index in 0..<pounds where peek(quotes + index) != UInt8(ascii: "#") { return false }
            return true
        }

        func escapes(_ pounds: Int) -> Bool {
            for index in 0..<pounds where peek(1 + index) != UInt8(ascii: "#") { return false }
            return true
        }
    }
}

import PetrelWire
import Testing

@Suite("Short token")
struct ShortTokenTests {
    @Test("every length keeps its text")
    func lengths() throws {
        for length in 1...16 {
            let text = String("abcdefghijklmnop".prefix(length))
            let token = try #require(ShortToken(text))
            #expect(token.count == length)
            #expect(token.description == text)
            #expect(token.bytes == Array(text.utf8))
            #expect(token == text)
            #expect(token == Array(text.utf8))
            #expect(!(token == text + "x"))
            #expect(!(token == String(text.dropLast())))
            #expect(!(token == Array(text.utf8) + [0]))
            #expect(!(token == text + "\0"))
        }
    }

    @Test("what is no token is none")
    func refused() {
        for text in ["", "abcdefghijklmnopq", "a b", "a\0", "\r\n", "a\"b", "a,b", "a;b", "ä", "a/b", "\u{7F}"] {
            #expect(ShortToken(text) == nil, "\(text.debugDescription)")
        }
        #expect(ShortToken([0xFF, 0xFE]) == nil)
    }
}

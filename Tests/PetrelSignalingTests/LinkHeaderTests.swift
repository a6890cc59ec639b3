import Testing

@testable import PetrelSignaling

@Suite struct LinkHeaderTests {
    @Test func empty() { #expect(LinkHeader.iceServers("").isEmpty) }
}

import Foundation
import PetrelSecurity
import Testing

/// A program may end while a call is still running on a thread of its own.
@Suite("The end of a process")
struct ExitTests {
    @Test("A process that ends while other threads use keys ends in good order")
    func busyThreads() async {
        // By default OpenSSL frees all it has in an exit handler, under the feet of whoever uses it: a key made, or a
        // handshake continued, in that moment reads freed tables. One time in forty it crashed `petrel publish`.
        for _ in 0..<5 {
            await #expect(processExitsWith: .exitCode(7)) {
                _ = try Certificate.make(unixTime: 1_700_000_000)
                for _ in 0..<4 {
                    Thread.detachNewThread {
                        while true {
                            _ = try? Certificate.make(unixTime: 1_700_000_000).fingerprint(.sha384)
                        }
                    }
                }
                try await Task.sleep(for: .milliseconds(50))
                exit(7)
            }
        }
    }
}

import Foundation
import PetrelCodecs
import Testing

@Suite("VP8 test vectors", .serialized)
struct VP8VectorTests {
    @Test("Every shown picture has the digest that the vectors say")
    func digests() throws {
        guard let folder = try Vectors.find("vp8-test-vectors") else { return }
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".ivf") }
        #expect(names.count >= 12)
        for name in names.sorted() {
            let file = try #require(IVFFile(try Vectors.bytes(folder.appendingPathComponent(name))))
            let lines = try String(
                contentsOf: folder.appendingPathComponent(name + ".md5"), encoding: .utf8
            ).split(separator: "\n")
            let decoder = try VP8Decoder()
            var pool = I420BufferPool()
            var digests: [String] = []
            for frame in file.frames {
                guard try frame.withUnsafeBytes({ bytes throws(CodecError) in try decoder.decode(bytes) }) else {
                    continue
                }
                let picture = try #require(decoder.copy(from: &pool))
                var bytes: [UInt8] = []
                picture.append(to: &bytes)
                #expect(bytes.count == picture.byteCount)
                digests.append(MD5.hex(bytes))
            }
            #expect(digests == lines.map { String($0.prefix(32)) }, "\(name)")
            print("\(name): \(digests.count) pictures of \(file.frames.count) frames")
        }
    }

    @Test("MD5 of RFC 1321 appendix A.5")
    func md5() {
        #expect(MD5.hex([]) == "d41d8cd98f00b204e9800998ecf8427e")
        #expect(MD5.hex(Array("message digest".utf8)) == "f96b697d7cb7938d525a2f31aaf161d0")
        #expect(
            MD5.hex(Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8))
                == "d174ab98d277d9f5a5611c2c9f419d9f")
    }
}

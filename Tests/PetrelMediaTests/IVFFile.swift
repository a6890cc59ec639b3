/// The frames of an IVF file: a header of 32 bytes, then for each frame its length, its time and its bytes.
struct IVFFile {
    var frames: [[UInt8]] = []

    init?(_ bytes: [UInt8]) {
        guard bytes.count >= 32, bytes.starts(with: Array("DKIF".utf8)) else { return nil }
        var offset = Int(bytes[6]) | Int(bytes[7]) << 8
        while offset + 12 <= bytes.count {
            let length = (0..<4).reduce(0) { $0 | Int(bytes[offset + $1]) << (8 * $1) }
            guard offset + 12 + length <= bytes.count else { return nil }
            frames.append(Array(bytes[(offset + 12)..<(offset + 12 + length)]))
            offset += 12 + length
        }
    }
}

import PetrelCore

/// Reads decisions from an input; beyond its end everything is zero.
struct ByteCursor {
    private let bytes: UnsafeRawBufferPointer
    private(set) var position = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    var isEmpty: Bool { position >= bytes.count }

    mutating func byte() -> UInt8 {
        guard position < bytes.count else { return 0 }
        defer { position += 1 }
        return bytes[position]
    }

    mutating func word() -> UInt16 { UInt16(byte()) << 8 | UInt16(byte()) }
    mutating func long() -> UInt32 { UInt32(word()) << 16 | UInt32(word()) }
    mutating func quad() -> UInt64 { UInt64(long()) << 32 | UInt64(long()) }
    mutating func flag() -> Bool { byte() & 1 == 1 }

    /// The next octets: as many as the octet before them says; values from 224 on make a length of 13 bits with the
    /// octet that follows.
    mutating func chunk() -> UnsafeRawBufferPointer {
        let head = Int(byte())
        return take(head < 224 ? head : (head & 31) << 8 | Int(byte()))
    }

    mutating func take(_ count: Int) -> UnsafeRawBufferPointer {
        let count = min(max(0, count), bytes.count - position)
        defer { position += count }
        return UnsafeRawBufferPointer(rebasing: bytes[position..<(position + count)])
    }

    mutating func rest() -> UnsafeRawBufferPointer { take(bytes.count - position) }

    /// A time step: short ones in fine steps, long ones up to 65 s.
    mutating func step() -> TimeDelta {
        let code = byte()
        let value = Int(code & 0x3F)
        switch code >> 6 {
        case 0: return .microseconds(value * 250)
        case 1: return .milliseconds(value)
        case 2: return .milliseconds(value * 20)
        default: return .seconds(value)
        }
    }
}

/// Builds what a ``ByteCursor`` reads.
struct InputWriter {
    var bytes: [UInt8] = []

    mutating func byte(_ value: UInt8) { bytes.append(value) }

    mutating func chunk(_ content: [UInt8]) {
        let content = content.prefix(0x1FFF)
        if content.count < 224 {
            bytes.append(UInt8(content.count))
        } else {
            bytes.append(224 | UInt8(content.count >> 8))
            bytes.append(UInt8(content.count & 0xFF))
        }
        bytes += content
    }
}

/// Lends a copy of `bytes` that may be written to, with `room` more octets behind it, aligned as a datagram slot is.
func withCopy<Result>(
    of bytes: UnsafeRawBufferPointer, room: Int = 0, _ body: (UnsafeMutableRawBufferPointer) -> Result
) -> Result {
    // Not one octet more than asked for, so that the address sanitizer sees every step beyond it.
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, bytes.count + room), alignment: 16)
    defer { copy.deallocate() }
    copy.initializeMemory(as: UInt8.self, repeating: 0)
    copy.copyMemory(from: bytes)
    return body(UnsafeMutableRawBufferPointer(rebasing: copy[..<(bytes.count + room)]))
}

/// What must be there for a target to run at all.
func made<Value>(_ make: () throws -> Value) -> Value {
    do { return try make() } catch { fatalError("a fixture could not be made: \(error)") }
}

func text(_ bytes: UnsafeRawBufferPointer) -> String { String(decoding: bytes, as: UTF8.self) }

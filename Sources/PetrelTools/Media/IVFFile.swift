internal import Foundation
public import PetrelDevices

/// Writes VP8 frames into an IVF file: what a receiver gave its decoder, frame by frame, not encoded again.
///
/// The file is whole after every frame but for the count in its head, which ``close()`` sets.
public final class IVFWriter {
    /// Time stamps count milliseconds.
    public static let ticksPerSecond = 1000

    private let handle: FileHandle
    private let path: String
    /// The frames written so far; the next one's position.
    public private(set) var count = 0

    public init(path: String, width: Int, height: Int) throws(ToolError) {
        guard FileManager.default.createFile(atPath: path, contents: nil),
            let handle = FileHandle(forWritingAtPath: path)
        else { throw ToolError("The file \(path) cannot be written") }
        self.handle = handle
        self.path = path
        var head = Data("DKIF".utf8)
        head.putLittleEndian(0, 2)
        head.putLittleEndian(32, 2)
        head.append(contentsOf: Array("VP80".utf8))
        head.putLittleEndian(width, 2)
        head.putLittleEndian(height, 2)
        head.putLittleEndian(Self.ticksPerSecond, 4)
        head.putLittleEndian(1, 4)
        head.putLittleEndian(0, 8)
        try put(head)
    }

    /// Appends a frame; answers its position in the file, counted from 0.
    @discardableResult
    public func write(_ frame: UnsafeRawBufferPointer, milliseconds: Int) throws(ToolError) -> Int {
        var block = Data(capacity: 12 + frame.count)
        block.putLittleEndian(frame.count, 4)
        block.putLittleEndian(milliseconds, 8)
        block.append(contentsOf: frame)
        try put(block)
        count += 1
        return count - 1
    }

    public func close() {
        try? handle.seek(toOffset: 24)
        var number = Data()
        number.putLittleEndian(count, 4)
        try? handle.write(contentsOf: number)
        try? handle.close()
    }

    private func put(_ data: Data) throws(ToolError) {
        do {
            try handle.write(contentsOf: data)
        } catch { throw ToolError("The file \(path) cannot be written: \(readable(error))") }
    }
}

/// Reads the frames of an IVF file one after the other.
public struct IVFReader: Sequence, IteratorProtocol {
    public struct Frame: Equatable, Sendable {
        public var milliseconds: Double
        public var bytes: [UInt8]
    }

    public let width: Int
    public let height: Int
    private let data: Data
    private let millisecondsPerTick: Double
    private var offset: Int

    public init(path: String) throws(ToolError) {
        do {
            data = try Data(contentsOf: URL(fileURLWithPath: path), options: .alwaysMapped)
        } catch { throw ToolError("\(path) cannot be read: \(readable(error))") }
        guard data.count >= 32, data.prefix(4) == Data("DKIF".utf8) else { throw ToolError("\(path) is no IVF file") }
        width = data.littleEndian(12, 2)
        height = data.littleEndian(14, 2)
        let rate = data.littleEndian(16, 4)
        millisecondsPerTick = rate > 0 ? 1000 * Double(data.littleEndian(20, 4)) / Double(rate) : 0
        offset = Swift.max(32, data.littleEndian(6, 2))
    }

    public mutating func next() -> Frame? {
        guard offset + 12 <= data.count else { return nil }
        let size = data.littleEndian(offset, 4)
        let time = data.littleEndian(offset + 4, 8)
        // A frame cut short is that of a writer that was ended: the file stops before it.
        guard size <= data.count - offset - 12 else { return nil }
        let start = data.startIndex + offset + 12
        offset += 12 + size
        return Frame(milliseconds: Double(time) * millisecondsPerTick, bytes: [UInt8](data[start..<(start + size)]))
    }
}

extension Data {
    mutating func putLittleEndian(_ value: Int, _ size: Int) {
        for byte in 0..<size { append(UInt8(truncatingIfNeeded: value >> (8 * byte))) }
    }

    func littleEndian(_ offset: Int, _ size: Int) -> Int {
        (0..<size).reduce(0) { $0 | Int(self[startIndex + offset + $1]) << (8 * $1) }
    }
}

internal import Foundation

/// Lines of standard input, read by a thread of its own since reading blocks.
///
/// What a program writes faster than it is taken stays in the pipe, and a line without end is not kept: how much
/// another program can make this one hold is bounded.
final class LineInput: Sendable {
    /// Octets of a line. The largest message is a description of 256 KiB, which JSON can make twice as long; what is
    /// longer is refused, so that it costs no memory.
    static let longestLine = 1 << 20
    /// Lines read ahead.
    static let ahead = 16

    enum Line: Sendable {
        case text(String)
        /// Longer than ``longestLine``.
        case tooLong
        /// Not UTF-8.
        case noText
    }

    /// The lines, to be taken by one task that calls ``taken()`` after each.
    let lines: AsyncStream<Line>
    private let places = DispatchSemaphore(value: LineInput.ahead)

    init() {
        let (lines, continuation) = AsyncStream.makeStream(of: Line.self)
        self.lines = lines
        let places = places
        Thread.detachNewThread {
            Self.read { line in
                places.wait()
                continuation.yield(line)
            }
            continuation.finish()
        }
    }

    /// A line has been dealt with: another may be read.
    func taken() { places.signal() }

    private static func read(_ take: (Line) -> Void) {
        var line: [UInt8] = []
        var isTooLong = false
        func end() {
            if isTooLong {
                take(.tooLong)
            } else if let text = String(validating: line, as: UTF8.self) {
                take(.text(text))
            } else {
                take(.noText)
            }
            line.removeAll(keepingCapacity: true)
            isTooLong = false
        }
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            // As much as is there: FileHandle would wait for all it was asked for.
            let count = chunk.withUnsafeMutableBytes { Foundation.read(STDIN_FILENO, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            // The end, or an input that was never open.
            guard count > 0 else { break }
            var rest = chunk[..<count]
            while let newline = rest.firstIndex(of: 10) {
                keep(rest[..<newline], in: &line, &isTooLong)
                end()
                rest = rest[rest.index(after: newline)...]
            }
            keep(rest, in: &line, &isTooLong)
        }
        // The last line may lack its end.
        if isTooLong || !line.isEmpty { end() }
    }

    private static func keep(_ bytes: ArraySlice<UInt8>, in line: inout [UInt8], _ isTooLong: inout Bool) {
        if isTooLong || bytes.count > longestLine - line.count {
            isTooLong = true
            line.removeAll()
        } else {
            line.append(contentsOf: bytes)
        }
    }
}

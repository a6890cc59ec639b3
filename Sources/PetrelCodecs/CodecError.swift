internal import COpus
internal import CVPX
public import PetrelCore

/// Why a codec did not do what it was asked: the operation, the library's own code, and a text.
public struct CodecError: Error, Hashable, Sendable {
    /// What was asked of a library.
    public enum Operation: String, Hashable, Sendable {
        case createEncoder, configureEncoder, encode, createDecoder, decode
    }

    /// Why it was not done.
    public enum Reason: Hashable, Sendable {
        /// An error code of libopus (`OPUS_BAD_ARG` and its relatives, negative).
        case opus(Int32)
        /// An error code of libvpx (`vpx_codec_err_t`, positive).
        case vpx(Int32)
        /// A payload of no bytes: nothing arrived; conceal instead.
        case emptyPayload
        /// Bytes that are not what the codec's format allows.
        case malformed
        /// A count of samples that no Opus frame has, or that exceeds 120 ms (RFC 6716 section 2.1.4).
        case sampleCount(Int)
        /// The caller's memory is too small for so many samples.
        case bufferTooSmall(needed: Int)
        /// A channel count other than 1 and 2.
        case channelCount(Int)
        /// A picture of no area, or larger than the configured maximum.
        case pictureSize(width: Int, height: Int)
        /// The decoder has no picture to build on: it waits for a key frame.
        case keyFrameNeeded
        /// The frame ended before its picture did: what was decoded is not fit to be seen.
        case corruptedPicture
    }

    /// What was asked, and why it was not done.
    public let operation: Operation
    public let reason: Reason

    /// Creates an error.
    public init(_ operation: Operation, _ reason: Reason) {
        self.operation = operation
        self.reason = reason
    }

    /// The library's own error code, zero where the library was not asked.
    public var code: Int32 {
        switch reason {
        case .opus(let code), .vpx(let code): code
        default: 0
        }
    }

    /// The reason in words, the library's where it has any.
    public var text: String {
        switch reason {
        case .opus(let code): String(cString: opus_strerror(code))
        case .vpx(let code): Self.vpxText(code)
        case .emptyPayload: "no bytes"
        case .malformed: "malformed bytes"
        case .sampleCount(let count): "\(count) samples are no Opus frame"
        case .bufferTooSmall(let needed): "room for \(needed) samples is needed"
        case .channelCount(let count): "\(count) channels"
        case .pictureSize(let width, let height): "a picture of \(width)x\(height) is refused"
        case .keyFrameNeeded: "a key frame is needed first"
        case .corruptedPicture: "the frame ended before its picture"
        }
    }

    /// The name under which a peer counts this error.
    public var dropReason: DropReason {
        switch reason {
        case .emptyPayload: .payloadEmpty
        case .malformed: .payloadMalformed
        case .pictureSize: .pictureTooLarge
        default: .decoderError
        }
    }

    private static func vpxText(_ code: Int32) -> String {
        guard let text = vpx_codec_err_to_string(vpx_codec_err_t(rawValue: UInt32(bitPattern: code))) else {
            return "libvpx error \(code)"
        }
        return String(cString: text)
    }
}

extension CodecError: CustomStringConvertible {
    public var description: String { "\(operation.rawValue): \(text)" + (code == 0 ? "" : " (\(code))") }
}

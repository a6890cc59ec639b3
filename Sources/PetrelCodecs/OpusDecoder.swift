internal import COpus
internal import CPetrelCodecs

/// What ``OpusDecoder/decodeFEC(fromNext:samples:into:)`` put in place of a lost packet.
public struct OpusRepair: Hashable, Sendable {
    /// Samples per channel written.
    public let samples: Int
    /// The sound came out of the next packet; false: it was concealed.
    public let isRecovered: Bool
}

/// An Opus decoder (RFC 6716) on libopus: any Opus packet in, 48 kHz with one or two channels out. Use it from one
/// thread at a time.
public final class OpusDecoder {
    /// The step of concealment: libopus makes up whole 2.5 ms.
    static let step = 120

    /// 1 or 2.
    public let channels: Int
    private let decoder: OpaquePointer
    /// Where a last step of concealment goes of which only a part was asked for.
    private let scratch: UnsafeMutableBufferPointer<Int16>

    /// - Throws: ``CodecError`` for any channel count but 1 and 2, or where libopus refuses.
    public init(channels: Int) throws(CodecError) {
        guard channels == 1 || channels == 2 else { throw CodecError(.createDecoder, .channelCount(channels)) }
        var code: Int32 = 0
        guard let decoder = opus_decoder_create(Int32(PCM.sampleRate), Int32(channels), &code) else {
            throw CodecError(.createDecoder, .opus(code))
        }
        self.decoder = decoder
        self.channels = channels
        scratch = .allocate(capacity: Self.step * channels)
        scratch.initialize(repeating: 0)
    }

    deinit {
        opus_decoder_destroy(decoder)
        scratch.deallocate()
    }

    /// Forgets all that was decoded, as if new.
    public func reset() { _ = petrel_opus_decoder_reset(decoder) }

    /// Decodes one packet.
    /// - Parameters:
    ///   - payload: The packet as it came.
    ///   - pcm: Room for its samples; ``PCM/maximumSamples`` times ``channels`` suffices for every packet.
    /// - Returns: The samples per channel written.
    /// - Throws: ``CodecError`` where the packet is empty, malformed, longer than 120 ms, or the room too small:
    ///   conceal.
    public func decode(
        _ payload: UnsafeRawBufferPointer, into pcm: UnsafeMutableBufferPointer<Int16>
    ) throws(CodecError) -> Int {
        guard payload.count > 0 else { throw CodecError(.decode, .emptyPayload) }
        guard let samples = Self.samples(in: payload) else { throw CodecError(.decode, .malformed) }
        guard pcm.count / channels >= samples else { throw CodecError(.decode, .bufferTooSmall(needed: samples)) }
        let code = run(payload, pcm, samples, fec: false)
        guard code >= 0 else { throw CodecError(.decode, .opus(code)) }
        return Int(code)
    }

    /// Makes the sound of a lost packet from the one that followed it, before that one is decoded.
    ///
    /// Where the packet carries no copy of the lost one (``hasFEC(_:)``) or is damaged, the sound is concealed.
    /// - Parameters:
    ///   - samples: Samples per channel that are missing, at most ``PCM/maximumSamples``.
    ///   - pcm: Room for them.
    /// - Returns: As many samples as were asked for, or as there was room for.
    public func decodeFEC(
        fromNext payload: UnsafeRawBufferPointer, samples: Int, into pcm: UnsafeMutableBufferPointer<Int16>
    ) -> OpusRepair {
        let asked = count(samples, pcm)
        let whole = asked / Self.step * Self.step
        guard whole > 0, Self.hasFEC(payload) else {
            return OpusRepair(samples: conceal(samples: asked, into: pcm), isRecovered: false)
        }
        // The copy describes the end of the gap; what does not fill a step is made up before it.
        let head = conceal(samples: asked - whole, into: pcm)
        let rest = UnsafeMutableBufferPointer(rebasing: pcm[(head * channels)...])
        if run(payload, rest, whole, fec: true) == Int32(whole) {
            return OpusRepair(samples: asked, isRecovered: true)
        }
        return OpusRepair(samples: head + conceal(samples: whole, into: rest), isRecovered: false)
    }

    /// Makes up the sound of a lost packet from what came before.
    /// - Parameters:
    ///   - samples: Samples per channel that are missing, at most ``PCM/maximumSamples``.
    ///   - pcm: Room for them.
    /// - Returns: As many samples as were asked for, or as there was room for.
    @discardableResult
    public func conceal(samples: Int, into pcm: UnsafeMutableBufferPointer<Int16>) -> Int {
        let asked = count(samples, pcm)
        let whole = asked / Self.step * Self.step
        if whole > 0, run(nil, pcm, whole, fec: false) != Int32(whole) {
            UnsafeMutableBufferPointer(rebasing: pcm[..<(whole * channels)]).update(repeating: 0)
        }
        if whole < asked {
            if run(nil, scratch, Self.step, fec: false) != Int32(Self.step) { scratch.update(repeating: 0) }
            let tail = UnsafeMutableBufferPointer(rebasing: pcm[(whole * channels)..<(asked * channels)])
            _ = tail.update(fromContentsOf: scratch[..<tail.count])
        }
        return asked
    }

    /// The samples per channel at 48 kHz that a packet holds, from its first two bytes (RFC 6716 section 3.1).
    /// - Returns: nil for no bytes, no frames, or more than 120 ms.
    public static func samples(in payload: UnsafeRawBufferPointer) -> Int? {
        guard let start = payload.assumingMemoryBound(to: UInt8.self).baseAddress, payload.count > 0 else { return nil }
        let count = opus_packet_get_nb_samples(start, Int32(clamping: payload.count), Int32(PCM.sampleRate))
        guard count > 0, count <= Int32(PCM.maximumSamples) else { return nil }
        return Int(count)
    }

    /// Whether a packet carries a coarse copy of the one before it: the LBRR flag of its first SILK frame
    /// (RFC 6716 sections 4.2.3 and 4.2.4). Packets of CELT alone have none.
    public static func hasFEC(_ payload: UnsafeRawBufferPointer) -> Bool {
        guard let start = payload.assumingMemoryBound(to: UInt8.self).baseAddress, payload.count > 0 else {
            return false
        }
        let configuration = start[0] >> 3
        // 0 to 11 are SILK of 10, 20, 40 and 60 ms; 12 to 15 are hybrid of 10 and 20 ms; the rest is CELT.
        guard configuration < 16 else { return false }
        let silkFrames: UInt8 = configuration < 12 ? max(1, configuration & 3) : 1
        var first: UInt8 = 0
        guard petrel_opus_first_frame(start, Int32(clamping: payload.count), &first) > 0 else { return false }
        // One voice activity flag for each SILK frame, then the LBRR flag; the same again for the side channel.
        let middle = first >> (7 - silkFrames) & 1
        let side = start[0] & 4 == 0 ? 0 : first >> (6 - 2 * silkFrames) & 1
        return middle | side == 1
    }

    private func count(_ samples: Int, _ pcm: UnsafeMutableBufferPointer<Int16>) -> Int {
        max(0, min(samples, PCM.maximumSamples, pcm.count / channels))
    }

    private func run(
        _ payload: UnsafeRawBufferPointer?, _ pcm: UnsafeMutableBufferPointer<Int16>, _ samples: Int, fec: Bool
    ) -> Int32 {
        guard let place = pcm.baseAddress else { return OPUS_BUFFER_TOO_SMALL }
        return opus_decode(
            decoder, payload?.assumingMemoryBound(to: UInt8.self).baseAddress,
            Int32(clamping: payload?.count ?? 0), place, Int32(samples), fec ? 1 : 0)
    }
}

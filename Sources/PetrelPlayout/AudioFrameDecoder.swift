/// What the audio receiver needs of a codec. `OpusDecoder` is the one that calls use; tests put others in its place.
protocol AudioFrameDecoder: AnyObject {
    /// Samples per channel in a packet by its header alone, nil where the packet is malformed.
    func duration(of packet: UnsafeRawBufferPointer) -> Int?
    /// Whether the packet carries in-band FEC for its predecessor.
    func carriesFEC(_ packet: UnsafeRawBufferPointer) -> Bool
    /// Decodes a packet; the number of samples per channel, nil where the codec refused it.
    func decodePacket(_ packet: UnsafeRawBufferPointer, into output: UnsafeMutableBufferPointer<Int16>) -> Int?
    /// Writes the `samples` samples before `packet`, from its in-band FEC if it can (true), else concealed (false).
    func decodeLost(
        before packet: UnsafeRawBufferPointer, samples: Int, into output: UnsafeMutableBufferPointer<Int16>
    ) -> Bool
    /// Writes `samples` samples that continue what was decoded last.
    func concealLoss(samples: Int, into output: UnsafeMutableBufferPointer<Int16>)
}

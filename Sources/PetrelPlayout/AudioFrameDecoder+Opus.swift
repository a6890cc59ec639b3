internal import PetrelCodecs

extension OpusDecoder: AudioFrameDecoder {
    func duration(of packet: UnsafeRawBufferPointer) -> Int? { Self.samples(in: packet) }

    func carriesFEC(_ packet: UnsafeRawBufferPointer) -> Bool { Self.hasFEC(packet) }

    func decodePacket(_ packet: UnsafeRawBufferPointer, into output: UnsafeMutableBufferPointer<Int16>) -> Int? {
        try? decode(packet, into: output)
    }

    func decodeLost(
        before packet: UnsafeRawBufferPointer, samples: Int, into output: UnsafeMutableBufferPointer<Int16>
    ) -> Bool {
        decodeFEC(fromNext: packet, samples: samples, into: output).isRecovered
    }

    func concealLoss(samples: Int, into output: UnsafeMutableBufferPointer<Int16>) {
        conceal(samples: samples, into: output)
    }
}

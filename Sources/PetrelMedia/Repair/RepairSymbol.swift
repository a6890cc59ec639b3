/// The head of a source symbol of ``RepairCode``.
enum RepairSymbol {
    static func write(
        into symbol: UnsafeMutableRawBufferPointer, payloadLength: Int, marker: Bool, payloadType: UInt8,
        timestamp: UInt32
    ) {
        symbol.storeBytes(of: UInt16(truncatingIfNeeded: payloadLength).bigEndian, as: UInt16.self)
        symbol[2] = (marker ? 0x80 : 0) | (payloadType & 0x7F)
        symbol.storeBytes(of: timestamp.bigEndian, toByteOffset: 3, as: UInt32.self)
    }

    /// The length of the whole symbol by its own account.
    static func length(_ symbol: UnsafeRawBufferPointer) -> Int {
        RepairCode.symbolHeaderLength + Int(UInt16(bigEndian: symbol.loadUnaligned(as: UInt16.self)))
    }

    static func head(_ symbol: UnsafeRawBufferPointer) -> (marker: Bool, payloadType: UInt8, timestamp: UInt32) {
        let timestamp = UInt32(bigEndian: symbol.loadUnaligned(fromByteOffset: 3, as: UInt32.self))
        return (symbol[2] & 0x80 != 0, symbol[2] & 0x7F, timestamp)
    }
}

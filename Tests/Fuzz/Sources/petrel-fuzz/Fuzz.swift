internal import FuzzTargetsInstrumented

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// The target that the environment variable PETREL_FUZZ_TARGET names; see `FuzzTarget` for the names.
private let target: FuzzTarget = {
    let named = getenv("PETREL_FUZZ_TARGET").map { String(cString: $0) } ?? ""
    if let target = FuzzTarget(rawValue: named) { return target }
    let names = FuzzTarget.allCases.map(\.rawValue).joined(separator: " ")
    fail("PETREL_FUZZ_TARGET names no target: '\(named)'. There are: \(names)")
}()

private func fail(_ text: String) -> Never {
    let line = Array((text + "\n").utf8)
    _ = write(2, line, line.count)
    exit(2)
}

/// What libFuzzer calls for each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    target.run(UnsafeRawBufferPointer(start: start, count: count))
    return 0
}

/// What libFuzzer calls once, before its own arguments count. With PETREL_FUZZ_SEEDS=FOLDER the program writes the
/// seeds of every target into FOLDER/<target>/ and ends.
@_cdecl("LLVMFuzzerInitialize")
public func initialize(
    _ count: UnsafeMutablePointer<CInt>?,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>?
) -> CInt {
    guard let folder = getenv("PETREL_FUZZ_SEEDS").map({ String(cString: $0) }) else {
        _ = target
        return 0
    }
    do {
        print("seeds written: \(try Corpus.writeSeeds(to: folder))")
        exit(0)
    } catch {
        fail("The seeds could not be written to \(folder): \(error)")
    }
}

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Says, when the process dies by a trap, which input was being replayed: nothing else would tell.
enum CrashNote {
    private static let room = 512
    nonisolated(unsafe) private static let text = UnsafeMutablePointer<UInt8>.allocate(capacity: room)
    nonisolated(unsafe) private static var length = 0

    private static let installed: Bool = {
        for number in [SIGILL, SIGTRAP, SIGSEGV, SIGABRT, SIGBUS] {
            signal(number) { number in
                _ = write(2, CrashNote.text, CrashNote.length)
                signal(number, SIG_DFL)
                raise(number)
            }
        }
        return true
    }()

    /// Notes what runs now. One at a time: the suite is serialized.
    static func set(_ note: String) {
        _ = installed
        length = 0
        for byte in "\ntrap while replaying \(note)\n".utf8.prefix(room) {
            text[length] = byte
            length += 1
        }
    }
}

/// The processor time of this thread in seconds: what an input costs, whatever else the machine does.
func threadTime() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

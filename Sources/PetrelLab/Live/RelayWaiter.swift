internal import PetrelCore

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// Waits until a socket is readable, another thread calls, or a time has come.
final class RelayWaiter: @unchecked Sendable {
    // @unchecked: file descriptors that never change; the kernel orders reads and writes.
    private let readEnd: Int32
    private let writeEnd: Int32

    init() throws(LiveRelayError) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw LiveRelayError(call: "pipe", code: errno) }
        for end in ends {
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
        }
        (readEnd, writeEnd) = (ends[0], ends[1])
    }

    deinit {
        close(readEnd)
        close(writeEnd)
    }

    /// The monotonic clock.
    static var now: Instant {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    /// Ends the wait that is going on, or the next one.
    func wake() {
        var byte: UInt8 = 1
        // A full pipe wakes as well.
        _ = write(writeEnd, &byte, 1)
    }

    /// Waits at most until `deadline`.
    func wait(for first: Int32, _ second: Int32, until deadline: Instant) {
        // At most a second, so that no arithmetic on times needs care.
        let nanoseconds = max(0, min(1_000_000_000, (deadline - Self.now).nanoseconds))
        let highest = max(first, max(second, readEnd))
        if highest < Int32(MemoryLayout<fd_set>.size * 8) {
            // pselect is the one call with a fine timeout that every POSIX system has.
            var set = fd_set()
            withUnsafeMutableBytes(of: &set) { bits in
                // Bit n of a set lies in byte n / 8 on every little-endian machine, whatever the size of its words.
                for descriptor in [first, second, readEnd] {
                    bits[Int(descriptor) / 8] |= 1 << UInt8(descriptor % 8)
                }
            }
            var time = timespec(
                tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
            _ = pselect(highest + 1, &set, nil, nil, &time, nil)
        } else {
            // Descriptors beyond what a set holds: poll, in whole milliseconds, and sleep through the rest.
            var entries = [first, second, readEnd].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            if poll(&entries, nfds_t(entries.count), Int32(nanoseconds / 1_000_000)) == 0 {
                var rest = timespec(tv_sec: 0, tv_nsec: Int(nanoseconds % 1_000_000))
                nanosleep(&rest, nil)
            }
        }
        var bytes: (UInt64, UInt64) = (0, 0)
        while withUnsafeMutableBytes(of: &bytes, { read(readEnd, $0.baseAddress, $0.count) }) > 0 {}
    }
}

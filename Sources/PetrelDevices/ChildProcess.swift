internal import Foundation
internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// A program that writes to a pipe which we read, and whose complaints are kept for when it fails.
///
/// It cannot outlive us by much: the pipe closes with our process, however that ends, and the next byte the program
/// writes is its last. ``close()`` ends it at once, waits for it, and adds its CPU time to that of our children
/// (``ProcessUsage``). Reading is for one thread; everything else for all.
final class ChildProcess: Sendable {
    private struct State {
        var isRunning = true
        var exitStatus: Int32 = 0
    }

    let processIdentifier: pid_t
    private let output: Int32
    private let complaints: Int32
    private let state = Mutex(State())

    /// The size asked for the pipe: room for one 720p picture saves the program a wait per 64 KiB. More than the
    /// system grants (/proc/sys/fs/pipe-max-size, usually 1 MiB) is refused, and the usual 64 KiB stay.
    static let pipeBytes: Int32 = 1 << 20
    /// F_SETPIPE_SZ of Linux (fcntl(2)), which the C headers give to _GNU_SOURCE only.
    private static let setPipeSize: Int32 = 1031
    /// Between making a pipe and marking it close-on-exec no other child may be started.
    private static let spawning = Mutex(())

    /// Starts `program`, found in PATH, with an empty standard input.
    init(program: String, arguments: [String]) throws(ToolError) {
        let started = Self.spawning.withLock { _ in Self.start(program, arguments) }
        (processIdentifier, output, complaints) = try started.get()
    }

    private static func start(
        _ program: String, _ arguments: [String]
    ) -> Result<(pid_t, Int32, Int32), ToolError> {
        var ends: (Int32, Int32) = (-1, -1)
        guard Self.makePipe(&ends) else { return .failure(ToolError("No pipe to \(program): \(Self.reason(errno))")) }
        guard let complaints = Self.makeScratchFile() else {
            let reason = Self.reason(errno)
            Self.closeBoth(ends)
            return .failure(ToolError("No temporary file for what \(program) has to say: \(reason)"))
        }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, ends.1, 1)
        posix_spawn_file_actions_adddup2(&actions, complaints, 2)

        // Our own process may ignore SIGPIPE; a child that did as well would go on writing after we are gone.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigaddset(&signals, SIGPIPE)
        sigaddset(&signals, SIGTERM)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))

        var argv: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) }
        argv.append(nil)
        defer { for argument in argv { free(argument) } }
        var identifier: pid_t = 0
        let code = posix_spawnp(&identifier, program, &actions, &attributes, argv, environ)
        _ = Self.closeDescriptor(ends.1)
        guard code == 0 else {
            _ = Self.closeDescriptor(ends.0)
            _ = Self.closeDescriptor(complaints)
            if code == ENOENT {
                return .failure(ToolError("The program \(program) is missing; Scripts/setup.sh tools installs it"))
            }
            return .failure(ToolError("The program \(program) could not be started: \(Self.reason(code))"))
        }
        return .success((identifier, ends.0, complaints))
    }

    deinit {
        close()
        _ = Self.closeDescriptor(output)
        _ = Self.closeDescriptor(complaints)
    }

    /// Fills `buffer`, waiting for the program where it must; answers fewer bytes only at the end of the output.
    func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        var count = 0
        while count < buffer.count, let base = buffer.baseAddress {
            let got = Self.readDescriptor(output, base + count, buffer.count - count)
            if got > 0 {
                count += got
            } else if got == 0 || errno != EINTR {
                break
            }
        }
        return count
    }

    /// Ends the program if it still runs, and waits for its end. A reader in ``read(into:)`` meets the end of output.
    ///
    /// With SIGKILL, because a reader of media has nothing to tidy up, and ffmpeg waiting for room in the pipe would
    /// not hear a gentler word.
    func close() {
        state.withLock { state in
            guard state.isRunning else { return }
            kill(processIdentifier, SIGKILL)
            _ = reap(&state, 0)
        }
    }

    /// Waits for a program that has closed its output; answers its exit code, or minus the signal that ended it.
    func waitForEnd() -> Int32 {
        // In small steps, so that close() gets its turn with a program that closes its output and runs on.
        while !state.withLock({ state in !state.isRunning || reap(&state, WNOHANG) }) { usleep(1000) }
        let status = state.withLock(\.exitStatus)
        let signal = status & 0x7F
        return signal == 0 ? status >> 8 & 0xFF : -signal
    }

    private func reap(_ state: inout State, _ options: Int32) -> Bool {
        while true {
            var status: Int32 = 0
            let result = waitpid(processIdentifier, &status, options)
            if result == -1 && errno == EINTR { continue }
            if result == 0 { return false }
            state.isRunning = false
            state.exitStatus = result == processIdentifier ? status : 0
            return true
        }
    }

    /// The CPU time of the program so far in seconds, while it runs; nil afterwards and where the system does not tell.
    var runningCPUSeconds: Double? {
        guard state.withLock(\.isRunning) else { return nil }
        return ProcessUsage.cpuSeconds(ofProcess: Int(processIdentifier))
    }

    /// The last lines that the program wrote to its standard error.
    var complaint: [String] {
        var bytes = [UInt8](repeating: 0, count: 4096)
        let size = lseek(complaints, 0, SEEK_END)
        lseek(complaints, max(0, size - off_t(bytes.count)), SEEK_SET)
        let count = bytes.withUnsafeMutableBytes { Self.readDescriptor(complaints, $0.baseAddress!, $0.count) }
        guard count > 0 else { return [] }
        return String(decoding: bytes[..<count], as: UTF8.self).split(whereSeparator: \.isNewline)
            .filter { !$0.allSatisfy(\.isWhitespace) }.map(String.init)
    }

    private static func makePipe(_ ends: inout (Int32, Int32)) -> Bool {
        var pair: [Int32] = [-1, -1]
        guard pipe(&pair) == 0 else { return false }
        // A read end inherited by another child would keep this one alive.
        for end in pair { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        #if os(Linux)
            _ = fcntl(pair[0], setPipeSize, pipeBytes)
        #endif
        ends = (pair[0], pair[1])
        return true
    }

    /// A file without a name: gone when both sides have closed it.
    private static func makeScratchFile() -> Int32? {
        var path = Array("\(NSTemporaryDirectory())petrel-XXXXXX".utf8CString)
        let file = mkstemp(&path)
        guard file >= 0 else { return nil }
        unlink(path)
        _ = fcntl(file, F_SETFD, FD_CLOEXEC)
        return file
    }

    private static func closeBoth(_ ends: (Int32, Int32)) {
        _ = closeDescriptor(ends.0)
        _ = closeDescriptor(ends.1)
    }

    // The methods of this class hide the functions of the system with the same names.
    private static func closeDescriptor(_ descriptor: Int32) -> Int32 { petrelClose(descriptor) }
    private static func readDescriptor(_ descriptor: Int32, _ base: UnsafeMutableRawPointer, _ count: Int) -> Int {
        petrelRead(descriptor, base, count)
    }
    private static func reason(_ code: Int32) -> String { String(cString: strerror(code)) }
}

private func petrelClose(_ descriptor: Int32) -> Int32 { close(descriptor) }
private func petrelRead(_ descriptor: Int32, _ base: UnsafeMutableRawPointer, _ count: Int) -> Int {
    read(descriptor, base, count)
}

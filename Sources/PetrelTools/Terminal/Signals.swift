internal import Dispatch

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// What the programs do with the signals of the system.
public enum Signals {
    /// A reader that goes away is an error of the write and not the end of the process. Call it first.
    public static func ignoreBrokenPipes() { _ = signal(SIGPIPE, SIG_IGN) }

    /// Calls `body` on its own queue when the person interrupts the program (Ctrl-C) or it is asked to end. The answer
    /// has to be kept for as long as that shall work.
    public static func onInterrupt(_ body: @escaping @Sendable () -> Void) -> any Sendable {
        let queue = DispatchQueue(label: "petrel.signals")
        return [SIGINT, SIGTERM, SIGHUP].map { number in
            _ = signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler(handler: body)
            source.resume()
            return SignalSource(source: source)
        }
    }

    private final class SignalSource: @unchecked Sendable {
        // @unchecked: it is only held, and cancelled by its last holder; a dispatch source orders that itself.
        private let source: any DispatchSourceSignal
        init(source: any DispatchSourceSignal) { self.source = source }
        deinit { source.cancel() }
    }
}

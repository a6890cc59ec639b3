internal import ArgumentParser
internal import Foundation
internal import Petrel
internal import PetrelCore
internal import PetrelDevices
internal import PetrelIO
internal import PetrelSignaling
internal import PetrelTools

/// What `petrel publish` and `petrel play` do alike: connect, show the live line until it is enough, and end the session.
final class StreamRun: Sendable {
    enum End: Sendable {
        case interrupted, timeIsOver
        /// The session or the source is over: why, in words.
        case lost(SignalingError)
        case source(ToolError)
    }

    /// How long media may take to flow once the server has answered.
    static let connectSeconds = 20.0

    let screen = LiveScreen()
    private let interrupted = Lock(false)
    private let sourceEnd = Lock<ToolError?>(nil)

    /// A source of ours, or the file, has come to its end.
    func sourceEnded(_ error: ToolError) { sourceEnd.withLock { $0 = $0 ?? error } }

    /// Connects by `open`, runs `connected`, and stays until it is over.
    /// - Parameter snapshot: fills the live line, about twice a second.
    /// - Returns: how it ended; the session has been ended on the server then.
    func run(
        _ call: Call, seconds: Double?, open: @escaping @Sendable () async throws -> SignalingSession,
        connected: @Sendable () -> Void, snapshot: (CallStatistics, inout StreamSnapshot) -> Void
    ) async throws -> End {
        let opening = Task { try await Self.connect(call, open) }
        let signals = Signals.onInterrupt { [self] in
            interrupted.withLock { $0 = true }
            opening.cancel()
        }
        defer { withExtendedLifetime(signals) {} }
        let session: SignalingSession
        do { session = try await opening.value } catch {
            await call.close()
            // As the shell has it for a program that was interrupted.
            if interrupted.withLock({ $0 }) { throw ExitCode(130) }
            throw error
        }
        connected()
        let end = await stay(call, session, seconds, snapshot)
        do { try await session.end() } catch {
            // The stream is over all the same.
            if case .lost = end {} else { screen.say("The server could not be told of the end: \(error)") }
        }
        return end
    }

    private static func connect(
        _ call: Call, _ open: @Sendable () async throws -> SignalingSession
    ) async throws -> SignalingSession {
        let session = try await open()
        let isConnected = await withTaskGroup(of: Result<Bool, any Error>.self) { group in
            group.addTask {
                do {
                    try await call.connected()
                    return .success(true)
                } catch { return .failure(error) }
            }
            group.addTask {
                try? await Task.sleep(for: .seconds(connectSeconds))
                return .success(false)
            }
            let first = await group.next() ?? .success(false)
            group.cancelAll()
            return first
        }
        do {
            guard try isConnected.get() else {
                throw ToolError(
                    "The server has answered, but no way for media to it was found within \(Int(connectSeconds)) s: is UDP blocked on the way?"
                )
            }
            return session
        } catch {
            try? await session.end()
            throw error
        }
    }

    private func stay(
        _ call: Call, _ session: SignalingSession, _ seconds: Double?,
        _ snapshot: (CallStatistics, inout StreamSnapshot) -> Void
    ) async -> End {
        let lost = Lock<SignalingError?>(nil)
        let watch = Task {
            do throws(SignalingError) { try await session.ended() } catch { lost.withLock { $0 = error } }
        }
        defer { watch.cancel() }
        let began = MonotonicClock.now
        while true {
            let elapsed = (MonotonicClock.now - began).milliseconds / 1000
            if let seconds, elapsed >= seconds { return .timeIsOver }
            if interrupted.withLock({ $0 }) { return .interrupted }
            if let error = lost.withLock({ $0 }) { return .lost(error) }
            if let error = sourceEnd.withLock({ $0 }) { return .source(error) }
            if let statistics = try? await call.statistics() {
                var line = StreamSnapshot(state: call.callState == .connected ? "connected" : "looking for a way")
                line.elapsedSeconds = elapsed
                line.totalSeconds = seconds
                line.roundTripMs = statistics.transport.currentRoundTripTime.map { $0 * 1000 }
                snapshot(statistics, &line)
                screen.show(line)
            }
            let left = seconds.map { max(0, $0 - elapsed) } ?? 1
            try? await Task.sleep(for: .seconds(min(0.25, left)))
        }
    }
}

/// What changes per second of a number that only grows, over the last second or so.
struct RateMeter {
    private var values: [(at: Int64, value: Double)] = []

    /// Takes the number as it is now; nil while there is no second to compare with.
    mutating func rate(_ value: Double, at nanoseconds: Int64) -> Double? {
        values.append((nanoseconds, value))
        while values.count > 2, nanoseconds - values[1].at >= 1_000_000_000 { values.removeFirst() }
        guard let first = values.first, nanoseconds - first.at >= 400_000_000 else { return nil }
        return (value - first.value) * 1e9 / Double(nanoseconds - first.at)
    }
}

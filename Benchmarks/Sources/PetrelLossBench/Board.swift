import BenchSupport
import Glibc
import Synchronization

/// How far all runs are, on one line of the error output; where that is no terminal, a line for each run done.
final class Board: Sendable {
    private struct State {
        var done = 0
        /// Seconds of calls rehearsed in this process, those of runs under way included.
        var rehearsed: [String: Int] = [:]
        var finished = 0
    }
    private let state = Mutex(State())
    private let total: Int
    private let seconds: Int
    private let start = CPUTime.wall

    init(total: Int, seconds: Int) { (self.total, self.seconds) = (total, seconds) }

    func at(_ second: Int, of name: String) {
        let text = state.withLock { state -> String in
            state.rehearsed[name] = second
            let running = state.rehearsed.sorted { $0.key < $1.key }.map { "\($0.key) at \($0.value) s" }
            return "\(state.done) of \(total) runs, \(left(state)); \(running.joined(separator: "; "))"
        }
        Progress.show(text)
    }

    func done(_ name: String, _ summary: String) {
        let text = state.withLock { state -> String in
            state.rehearsed[name] = nil
            state.done += 1
            state.finished += seconds
            return "\(state.done) of \(total), \(left(state)): \(summary)"
        }
        Progress.clear()
        Progress.line(text)
    }

    private func left(_ state: State) -> String {
        let rehearsed = state.finished + state.rehearsed.values.reduce(0, +)
        guard rehearsed > 0 else { return "time left unknown" }
        let elapsed = Double(CPUTime.wall - start) / 1e9
        let rest = elapsed / Double(rehearsed) * Double(max(0, total * seconds - rehearsed))
        return rest < 90 ? "\(Int(rest)) s left" : "\(Int(rest / 60)) min left"
    }
}

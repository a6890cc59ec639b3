internal import Foundation

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// What this process and its children have used of the machine.
public struct ProcessUsage: Equatable, Sendable {
    /// CPU time of this process, user and system, in seconds.
    public var cpuSeconds: Double
    /// The largest resident memory of this process so far, in kibibytes.
    public var maxRssKB: Int
    /// CPU time of the children that have ended and were waited for, in seconds.
    public var endedChildrenCPUSeconds: Double

    /// The figures of now.
    public static func current() -> ProcessUsage {
        let own = usage(children: false)
        let children = usage(children: true)
        return ProcessUsage(
            cpuSeconds: seconds(own.ru_utime) + seconds(own.ru_stime), maxRssKB: maxRssKB(own),
            endedChildrenCPUSeconds: seconds(children.ru_utime) + seconds(children.ru_stime))
    }

    private static func usage(children: Bool) -> rusage {
        var usage = rusage()
        #if canImport(Glibc)
            let who = children ? RUSAGE_CHILDREN.rawValue : RUSAGE_SELF.rawValue
        #else
            let who = children ? RUSAGE_CHILDREN : RUSAGE_SELF
        #endif
        getrusage(who, &usage)
        return usage
    }

    private static func maxRssKB(_ usage: rusage) -> Int {
        #if canImport(Darwin)
            Int(usage.ru_maxrss) / 1024  // bytes there
        #else
            Int(usage.ru_maxrss)
        #endif
    }

    private static func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }

    /// CPU time of another process so far, from /proc; nil where there is none of that number or no /proc.
    static func cpuSeconds(ofProcess identifier: Int) -> Double? {
        guard let text = try? String(contentsOfFile: "/proc/\(identifier)/stat", encoding: .utf8),
            let nameEnd = text.lastIndex(of: ")")
        else { return nil }
        // After the name: state is field 3, utime and stime are fields 14 and 15 (proc(5)).
        let fields = text[text.index(after: nameEnd)...].split(separator: " ")
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { return nil }
        return (user + system) / Double(max(1, sysconf(Int32(_SC_CLK_TCK))))
    }
}

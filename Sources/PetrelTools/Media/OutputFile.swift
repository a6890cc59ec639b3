public import Foundation
public import PetrelDevices

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// A file that a program makes: it appears under its name when it is whole, and not before. ``discard()``, or dropping
/// the value, leaves nothing behind. `-` is standard output; a pipe or device is written to directly.
public final class OutputFile {
    /// Where bytes go.
    public let handle: FileHandle
    /// What is written there is gone at once and cannot be changed afterwards.
    public let isStream: Bool
    /// What a person would call it.
    public let name: String
    private let path: String
    private let workPath: String?
    private let replaces: Bool
    private var isOpen = true

    /// - Parameter replaces: a file of this name may be replaced.
    /// - Throws: ``ToolError`` where nothing can be written there, or something has the name.
    public init(_ path: String, replaces: Bool) throws(ToolError) {
        (self.path, self.replaces) = (path, replaces)
        guard path != "-" else {
            guard isatty(1) == 0 else {
                throw ToolError("A film is not shown on a terminal: send standard output to a program or a file")
            }
            (handle, isStream, name, workPath) = (.standardOutput, true, "standard output", nil)
            return
        }
        guard !path.isEmpty else { throw ToolError("The name of the file is missing") }
        name = path
        var status = stat()
        if stat(path, &status) == 0 {
            let kind = status.st_mode & S_IFMT
            guard kind != S_IFDIR else { throw ToolError("The file \(path) cannot be written: it is a folder") }
            if kind != S_IFREG {
                guard let handle = FileHandle(forWritingAtPath: path) else { throw Self.failure(path) }
                (self.handle, isStream, workPath) = (handle, true, nil)
                return
            }
            guard replaces else { throw ToolError("The file \(path) exists already; --force replaces it") }
        }
        let url = URL(fileURLWithPath: path)
        let work =
            url.deletingLastPathComponent().path
            + "/.\(url.lastPathComponent).\(ProcessInfo.processInfo.processIdentifier)"
        let descriptor = open(work, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw Self.failure(path) }
        (handle, isStream, workPath) = (FileHandle(fileDescriptor: descriptor, closeOnDealloc: true), false, work)
    }

    deinit { discard() }

    private static func failure(_ path: String) -> ToolError {
        ToolError("The file \(path) cannot be written: \(String(cString: strerror(errno)))")
    }

    /// Puts the file in its place. What was written must be complete.
    public func commit() throws(ToolError) {
        guard isOpen else { return }
        isOpen = false
        guard let workPath else { return }
        try? handle.close()
        // A link fails where the name has been taken meanwhile; some file systems know no links.
        let isDone = replaces ? false : link(workPath, path) == 0
        if isDone {
            unlink(workPath)
            return
        }
        guard replaces || errno != EEXIST else {
            unlink(workPath)
            throw ToolError("The file \(path) exists already; --force replaces it")
        }
        guard rename(workPath, path) == 0 else {
            let failure = Self.failure(path)
            unlink(workPath)
            throw failure
        }
    }

    /// Leaves nothing behind.
    public func discard() {
        guard isOpen else { return }
        isOpen = false
        guard let workPath else { return }
        try? handle.close()
        unlink(workPath)
    }
}

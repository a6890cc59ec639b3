internal import Foundation
public import PetrelDevices

/// The folder of a report: it appears under its name when it is whole, and not before.
///
/// Until ``commit()`` everything is written into a folder beside it; ``discard()``, or dropping the value, leaves
/// nothing behind. An earlier report of the same name is replaced; anything else of that name is left alone.
public final class ReportFolder {
    /// The file by which a folder is known as a report.
    public static let mark = "report.json"

    /// Where the report will be.
    public let path: String
    /// Where it is being written.
    public let workPath: String
    private var isOpen = true

    /// - Throws: ``ToolError`` where nothing can be written there, or where something else has the name.
    public init(path: String) throws(ToolError) {
        let files = FileManager.default
        let url = URL(fileURLWithPath: path).standardizedFileURL
        self.path = url.path
        workPath =
            url.deletingLastPathComponent().path
            + "/.\(url.lastPathComponent).\(ProcessInfo.processInfo.processIdentifier)"
        var isFolder: ObjCBool = false
        if files.fileExists(atPath: self.path, isDirectory: &isFolder) {
            let content = try? files.contentsOfDirectory(atPath: self.path)
            guard isFolder.boolValue, let content, content.isEmpty || content.contains(Self.mark) else {
                isOpen = false
                throw ToolError("The report folder \(path) cannot be used: something that is no report has that name")
            }
        }
        do {
            try? files.removeItem(atPath: workPath)
            try files.createDirectory(atPath: workPath, withIntermediateDirectories: false)
        } catch {
            isOpen = false
            throw ToolError("The report folder \(path) cannot be written: \(readable(error))")
        }
    }

    deinit { discard() }

    /// The path of a file in the report as it is being written.
    public func file(_ name: String) -> String { workPath + "/" + name }

    /// Makes a folder in the report; answers its path.
    public func folder(_ name: String) throws(ToolError) -> String {
        do {
            try FileManager.default.createDirectory(atPath: file(name), withIntermediateDirectories: true)
        } catch { throw ToolError("The folder \(name) of the report cannot be made: \(readable(error))") }
        return file(name)
    }

    public func write(_ text: String, to name: String) throws(ToolError) {
        do {
            try Data(text.utf8).write(to: URL(fileURLWithPath: file(name)))
        } catch { throw ToolError("The file \(name) of the report cannot be written: \(readable(error))") }
    }

    /// Puts the report in its place.
    public func commit() throws(ToolError) {
        guard isOpen else { return }
        let files = FileManager.default
        do {
            if files.fileExists(atPath: path) { try files.removeItem(atPath: path) }
            try files.moveItem(atPath: workPath, toPath: path)
        } catch { throw ToolError("The report folder \(path) cannot be written: \(readable(error))") }
        isOpen = false
    }

    /// Leaves nothing behind.
    public func discard() {
        guard isOpen else { return }
        isOpen = false
        try? FileManager.default.removeItem(atPath: workPath)
    }
}

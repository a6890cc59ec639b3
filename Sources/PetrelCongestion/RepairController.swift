/// The one place that decides how losses are repaired. What it decides about sound is in `RepairController+Audio.swift`.
public struct RepairController: Sendable {
    public init() {}
}

internal import CPetrelSecurity

/// Deterministic randomness inside OpenSSL, for the lab only: what runs under a seed draws every key, nonce and random
/// value from that seed, so that a handshake can be replayed byte for byte.
///
/// Nothing that runs under a seed is secret. A program that never asks for a seed never installs the hook: OpenSSL's
/// own generator stays as it is. Once installed, the hook passes every thread without a seed on to that generator.
public enum LabRandomness {
    private static let installed: Bool = petrel_lab_random_install() == 1

    /// Runs `body` with OpenSSL's randomness on this thread drawn from `seed`.
    public static func withSeed<Result: ~Copyable, Failure: Error>(
        _ seed: UInt64, _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        var state = seed
        return try withState(&state, body)
    }

    /// Runs `body` with OpenSSL's randomness on this thread drawn from `state`, and leaves in `state` where the
    /// sequence stopped. Calls nest: the inner one holds until it returns.
    public static func withState<Result: ~Copyable, Failure: Error>(
        _ state: inout UInt64, _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        precondition(installed, "OpenSSL refused the lab's random method")
        // The pointer must stay one and the same for the whole call, also while `body` runs.
        return try withUnsafeMutablePointer(to: &state) { pointer throws(Failure) in
            let before = petrel_lab_random_swap(pointer)
            defer { _ = petrel_lab_random_swap(before) }
            return try body()
        }
    }
}

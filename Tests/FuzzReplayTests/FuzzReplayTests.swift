import FuzzTargets
import Testing

@Suite struct FuzzReplayTests {
    @Test func empty() { for target in FuzzTarget.allCases { target.run([]) } }
}

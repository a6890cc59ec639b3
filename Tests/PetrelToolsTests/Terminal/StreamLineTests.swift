import Testing

@testable import PetrelTools

@Suite struct StreamLineTests {
    @Test func everythingOnOneLine() {
        var snapshot = StreamSnapshot(state: "sending")
        #expect(StreamLine.text(snapshot) == "sending 0 s  - fps  - kbit/s  loss - %  round trip - ms")
        (snapshot.elapsedSeconds, snapshot.totalSeconds) = (12.4, 30)
        (snapshot.width, snapshot.height, snapshot.fps) = (1280, 720, 24.96)
        (snapshot.bitrateKbps, snapshot.lossPercent, snapshot.roundTripMs) = (1834.4, 1.25, 20.04)
        #expect(
            StreamLine.text(snapshot)
                == "sending 12 of 30 s  1280x720  25.0 fps  1834 kbit/s  loss 1.2 %  round trip 20.0 ms"
                || StreamLine.text(snapshot)
                    == "sending 12 of 30 s  1280x720  25.0 fps  1834 kbit/s  loss 1.3 %  round trip 20.0 ms"
        )
    }
}

internal import PetrelCodecs
public import PetrelCore
internal import PetrelICE
public import PetrelLab
public import PetrelPeer
internal import PetrelPlayout

/// A whole call between two peers on an emulated network, as fast as the codecs allow: same configuration, same bytes.
public final class VirtualCall {
    /// The network between the two, and how the call was set up.
    public let network: VirtualNetwork
    public let configuration: VirtualCallConfiguration
    let caller: VirtualEndpoint
    let callee: VirtualEndpoint
    /// True time since the offer was created.
    public private(set) var now = Instant.zero
    private var signals: [(at: Instant, deliver: (VirtualCall) throws -> Void)] = []
    private var actions: [(at: Instant, action: (VirtualCall) -> Void)] = []
    /// The first thing that went wrong in signalling.
    public private(set) var signallingError: (any Error)?

    /// The addresses of the two sides.
    public static let callerAddress = TransportAddress(ipv4: 0x0A00_0001, port: 5001)
    public static let calleeAddress = TransportAddress(ipv4: 0x0A00_0002, port: 5002)
    /// The same with IPv6 (documentation prefix of RFC 3849).
    static let callerAddress6 = TransportAddress(ipv6High: 0x2001_0DB8_0000_0001, low: 1, port: 5001)
    static let calleeAddress6 = TransportAddress(ipv6High: 0x2001_0DB8_0000_0002, low: 2, port: 5002)

    /// Makes both sides and connects their network; nothing is sent before ``run()``.
    public init(_ configuration: VirtualCallConfiguration) throws {
        self.configuration = configuration
        network = VirtualNetwork(seed: configuration.seed)
        let addresses =
            configuration.usesIPv6
            ? (Self.callerAddress6, Self.calleeAddress6) : (Self.callerAddress, Self.calleeAddress)
        network.connect(
            addresses.0, addresses.1, forward: configuration.callerToCallee,
            backward: configuration.calleeToCaller)
        var random = RandomSource(seed: configuration.seed)
        caller = try VirtualEndpoint(
            name: "caller", address: addresses.0, side: configuration.caller, role: .controlling,
            seed: random.next(), configuration: configuration)
        callee = try VirtualEndpoint(
            name: "callee", address: addresses.1, side: configuration.callee, role: .controlled,
            seed: random.next(), configuration: configuration)
        caller.other = callee
        callee.other = caller
        if let everyNth = configuration.judgesEveryNth {
            for (viewer, camera) in [(caller, callee), (callee, caller)] {
                viewer.judge = PictureJudge(everyNth: everyNth) { [weak camera] in camera?.picture($0) }
            }
        }
        try signal()
    }

    /// Measures what codecs and test media take; nothing is measured without one.
    public var meter: VirtualCallMeter? {
        didSet { for endpoint in [caller, callee] { endpoint.meter = meter } }
    }

    /// The peers, for tests that look inside or act.
    public var callerPeer: Peer { caller.peer }
    public var calleePeer: Peer { callee.peer }
    /// What else each side has noticed.
    public var callerLog: VirtualCallLog { caller.log }
    public var calleeLog: VirtualCallLog { callee.log }
    /// What each side has shown and heard so far.
    public var seenByCaller: VirtualCallResult.Direction { caller.seen }
    public var seenByCallee: VirtualCallResult.Direction { callee.seen }

    /// Does something at a time of the call: close a peer, detach an endpoint, send a forged datagram.
    public func at(_ time: TimeDelta, _ action: @escaping (VirtualCall) -> Void) {
        actions.append((.zero + time, action))
        actions.sort { $0.at < $1.at }
    }

    /// Calls `body` with one side's peer, its time and its batch, and sends what it put there.
    public func withPeer(caller isCaller: Bool, _ body: (Peer, Instant, inout EgressBatch) throws -> Void) rethrows {
        let endpoint = isCaller ? caller : callee
        try body(endpoint.peer, endpoint.clock.local(now), &endpoint.batch)
        flush(endpoint)
    }

    /// Gives one side a datagram as if the network had brought it, and sends what it answers.
    @discardableResult
    public func inject(_ bytes: [UInt8], from source: TransportAddress, toCaller: Bool) -> Verdict {
        let endpoint = toCaller ? caller : callee
        let slot = scratch.slot(0)
        let length = min(bytes.count, slot.count)
        slot.copyBytes(from: bytes.prefix(length))
        let local = endpoint.clock.local(now)
        let verdict = endpoint.peer.receive(
            UnsafeMutableRawBufferPointer(rebasing: slot[..<length]), from: source, to: endpoint.address, now: local,
            into: &endpoint.batch)
        endpoint.takeEvents(now: local)
        endpoint.watch(now: local)
        flush(endpoint)
        return verdict
    }

    /// Runs a new offer and answer between the two (a track was added, ICE restarts).
    public func negotiate(offerer isCaller: Bool) throws {
        let (from, to) = isCaller ? (caller, callee) : (callee, caller)
        let offer = try from.peer.createOffer(now: from.clock.local(now))
        let answer = try to.peer.answer(offer: from.announced(offer), now: to.clock.local(now), into: &to.batch)
        try from.peer.accept(answer: answer, now: from.clock.local(now), into: &from.batch)
        flush(from)
        flush(to)
    }

    private func gather() {
        for endpoint in [caller, callee] {
            let now = endpoint.clock.local(now)
            endpoint.peer.addLocalAddress(endpoint.address, now: now)
            endpoint.peer.endOfLocalAddresses(now: now)
        }
    }

    /// Sends each candidate after the description, as they come.
    private func trickle(after delay: TimeDelta) {
        gather()
        for (from, to) in [(caller, callee), (callee, caller)] {
            from.takeEvents(now: from.clock.local(now))
            for (step, candidate) in from.candidates.enumerated() {
                signals.append(
                    (
                        now + delay * (step + 1),
                        { call in
                            try to.peer.addRemoteCandidate(
                                candidate.line, mid: candidate.mid, now: to.clock.local(call.now), into: &to.batch)
                            call.flush(to)
                        }
                    ))
            }
        }
        signals.sort { $0.at < $1.at }
    }

    private func signal() throws {
        if configuration.trickleDelay == nil { gather() }
        let made = caller.announced(try caller.peer.createOffer(now: caller.clock.local(.zero)))
        let offer = configuration.rewriteOffer?(made) ?? made
        signals.append(
            (
                .zero + configuration.signallingDelay,
                { call in
                    let callee = call.callee
                    var answer = callee.announced(
                        try callee.peer.answer(offer: offer, now: callee.clock.local(call.now), into: &callee.batch))
                    if let rewrite = call.configuration.rewriteAnswer { answer = rewrite(answer) }
                    let final = answer
                    call.flush(callee)
                    call.signals.append(
                        (
                            call.now + call.configuration.signallingDelay,
                            { call in
                                let caller = call.caller
                                try caller.peer.accept(
                                    answer: final, now: caller.clock.local(call.now), into: &caller.batch)
                                call.flush(caller)
                                if let delay = call.configuration.trickleDelay { call.trickle(after: delay) }
                            }
                        ))
                }
            ))
    }

    /// Runs the call to its end and answers what happened.
    public func run() -> VirtualCallResult {
        run(until: .zero + configuration.duration)
        return result()
    }

    /// Runs the call until the true time `end`.
    ///
    /// - Parameter isWanted: asked after each step; false ends the run early.
    public func run(until end: Instant, while isWanted: (VirtualCall) -> Bool = { _ in true }) {
        while isWanted(self) {
            let next = min(
                network.nextArrival, caller.clock.global(caller.nextDeadline), callee.clock.global(callee.nextDeadline),
                signals.first?.at ?? .distantFuture, actions.first?.at ?? .distantFuture)
            guard next <= end else { break }
            now = max(now, next)
            while let signal = signals.first, signal.at <= now {
                signals.removeFirst()
                do { try signal.deliver(self) } catch { signallingError = signallingError ?? error }
            }
            while let action = actions.first, action.at <= now {
                actions.removeFirst()
                action.action(self)
            }
            while let datagram = network.popArrival(notAfter: now) { deliver(datagram) }
            for endpoint in [caller, callee] {
                let local = endpoint.clock.local(now)
                if endpoint.nextDeadline <= local { endpoint.run(now: local) }
                flush(endpoint)
            }
        }
        if isWanted(self) { now = max(now, end) }
    }

    /// Asked for each datagram that arrives (source, destination, bytes): false loses it. To lose by content.
    public var filter: ((TransportAddress, TransportAddress, UnsafeRawBufferPointer) -> Bool)?
    /// Told of each datagram sent by a peer or forged, as the network sees it: source, destination, bytes before they
    /// are opened, and what became of it; nil where it has only been sent.
    public var observe: ((TransportAddress, TransportAddress, UnsafeRawBufferPointer, Verdict?) -> Void)?

    private let scratch = SlotMemory(count: 1, slotSize: VirtualNetwork.maximumDatagram)

    private func deliver(_ datagram: VirtualDatagram) {
        guard let endpoint = [caller, callee].first(where: { $0.address == datagram.destination }) else { return }
        let slot = scratch.slot(0)
        guard datagram.bytes.count <= slot.count else { return }
        guard filter?(datagram.source, datagram.destination, datagram.bytes) ?? true else { return }
        slot.copyMemory(from: datagram.bytes)
        let local = endpoint.clock.local(now)
        let verdict = endpoint.peer.receive(
            UnsafeMutableRawBufferPointer(rebasing: slot[..<datagram.bytes.count]), from: datagram.source,
            to: datagram.destination, now: local, into: &endpoint.batch)
        observe?(datagram.source, datagram.destination, datagram.bytes, verdict)
        endpoint.takeEvents(now: local)
        endpoint.watch(now: local)
    }

    private func flush(_ endpoint: VirtualEndpoint) {
        if let observe {
            for index in 0..<endpoint.batch.count {
                let entry = endpoint.batch.entry(index)
                observe(entry.source, entry.destination, endpoint.batch.bytes(index), nil)
            }
        }
        network.send(endpoint.batch, now: now)
        endpoint.batch.removeAll()
    }

    /// What has happened so far.
    public func result() -> VirtualCallResult {
        var result = VirtualCallResult()
        result.callerToCallee = join(sent: caller, seen: callee)
        result.calleeToCaller = join(sent: callee, seen: caller)
        result.callerConnected = caller.connected
        result.calleeConnected = callee.connected
        result.callerStates = caller.states
        result.calleeStates = callee.states
        result.traceHash = network.traceHash
        result.datagrams = network.sent
        return result
    }

    private func join(sent sender: VirtualEndpoint, seen receiver: VirtualEndpoint) -> VirtualCallResult.Direction {
        let sent = sender.sent
        var joined = receiver.seen
        joined.picturesCaptured = sent.picturesCaptured
        joined.picturesSent = sent.picturesSent
        joined.videoBytesSent = sent.videoBytesSent
        joined.sentPictures = sent.sentPictures
        joined.audioBytesSent = sent.audioBytesSent
        joined.keyFramesSent = sent.keyFramesSent
        receiver.judge?.settle(until: now)
        joined.comparisons = receiver.judge?.comparisons ?? []
        joined.audioStatistics = receiver.speaker?.statistics ?? joined.audioStatistics
        return joined
    }
}

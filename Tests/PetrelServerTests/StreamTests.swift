import Foundation
import Petrel
import PetrelIO
import PetrelServer
import Testing

extension ServerTests {
    /// WHIP and WHEP.
    @Suite struct StreamTests {
        @Test func whatIsPublishedIsSeen() async throws {
            try await withServer { client, server in
                try await withCaller(sends: true) { publisher in
                    let nobody = try await client.post("/whep/garden", sdp: "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\n")
                    #expect(nobody.status == 422)
                    let published = try await publisher.dial(client, "/whip/garden")
                    #expect(published.headers["location"]?.hasPrefix("/whip/garden/") == true)
                    try await publisher.connected()
                    try await withCaller(sends: false) { viewer in
                        let watching = try await viewer.dial(client, "/whep/garden")
                        let location = try #require(watching.headers["location"])
                        #expect(location.hasPrefix("/whep/garden/"))
                        try await viewer.media(30)
                        #expect(publisher.pictures == 0, "a publisher is sent nothing")
                        let status = try await client.get("/status")
                        #expect(status.json["peers"] as? Int == 2)
                        let streams = try #require(status.json["streams"] as? [[String: Any]])
                        #expect(streams.map { $0["name"] as? String } == ["film", "garden"])
                        #expect(streams.map { $0["viewers"] as? Int } == [0, 1])
                        // A resource is reached under its own address only.
                        let id = location.split(separator: "/").last ?? ""
                        #expect(try await client.delete("/whip/garden/\(id)").status == 404)
                        #expect(try await client.delete("/call/\(id)").status == 404)
                        #expect(try await client.delete("/whep/film/\(id)").status == 404)

                        #expect(try await client.delete(published.headers["location"] ?? "").status == 200)
                        try await eventually("the viewer is told") { viewer.seen.withLock { $0.failure } != nil }
                        try await eventually("nobody is left") { await server.peers == 0 }
                    }
                }
            }
        }

        @Test func filmHasManyViewers() async throws {
            try await withServer { client, _ in
                try await withCaller(sends: false) { first in
                    try await withCaller(sends: false) { second in
                        try await first.dial(client, "/whep/film")
                        try await second.dial(client, "/call")
                        try await first.media(20)
                        try await second.media(20)
                        await first.close()
                        try await second.media(20)
                    }
                }
            }
        }

        @Test func whatCannotBePublishedOrWatched() async throws {
            try await withServer { client, server in
                try await withCaller(sends: true) { sender in
                    try await withCaller(sends: false) { receiver in
                        let (sends, receives) = (
                            try await sender.call.createOffer(), try await receiver.call.createOffer()
                        )
                        let nothing = try await client.post("/whep/nobody", sdp: receives)
                        #expect(nothing.status == 404)
                        #expect(nothing.headers["retry-after"] != nil)
                        #expect(try await client.post("/whip/a", sdp: receives).status == 422)
                        let onlySends = sends.replacingOccurrences(of: "a=sendrecv", with: "a=sendonly")
                        #expect(try await client.post("/whep/film", sdp: onlySends).status == 422)
                        #expect(try await client.post("/whip/film", sdp: onlySends).status == 409)
                        #expect(try await client.post("/whip/a", sdp: onlySends).status == 201)
                        #expect(try await client.post("/whip/a", sdp: onlySends).status == 409)
                        #expect(await server.peers == 1)
                        // A refused publisher leaves the name free.
                        let bad = onlySends.replacingOccurrences(of: "SAVPF", with: "AVP")
                        #expect(try await client.post("/whip/b", sdp: bad).status == 422)
                        #expect(try await client.post("/whip/b", sdp: onlySends).status == 201)
                    }
                }
            }
        }
    }
}

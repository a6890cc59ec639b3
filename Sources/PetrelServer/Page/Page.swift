internal import HTTPTypes

/// The page that `/` answers with: one file, built into the program.
enum Page {
    static let answer: Answer = {
        var answer = Answer(.ok, type: BodyType.html, body: PackageResources.index_html)
        // Everything the page needs is in it: it loads nothing from elsewhere and stands in no frame.
        answer.headers[.contentSecurityPolicy] =
            "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src *; "
            + "media-src 'self' blob: mediastream:; img-src 'self' data: blob:; worker-src blob:; "
            + "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
        return answer
    }()
}

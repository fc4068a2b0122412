#include "tools/catch.hpp"

#include <socketless/http/status.hpp>

#include <string>

namespace http_status_test {

using namespace socketless;

static_assert(http::reason_phrase(200) == "OK");
static_assert(http::status_of(errc::payload_too_large) == 413);

TEST_CASE("http status: the codes that the protocols use have words, unknown ones have none") {
    for (int const status : {100, 101, 200, 204, 301, 302, 400, 401, 403, 404, 405, 408, 411,
                             413, 414, 417, 426, 429, 431, 500, 501, 502, 503, 504, 505}) {
        CAPTURE(status);
        CHECK_FALSE(http::reason_phrase(status).empty());
    }
    for (int const status : {-1, 0, 99, 299, 418, 600, 999, 1000}) {
        CAPTURE(status);
        CHECK(http::reason_phrase(status).empty());
    }
}

TEST_CASE("http status: no word could break a status line") {
    int words = 0;
    for (int status = 0; status != 1000; ++status) {
        for (char const c : http::reason_phrase(status)) CHECK((c >= ' ' && c <= 'z'));
        words += http::reason_phrase(status).empty() ? 0 : 1;
    }
    CHECK(words == 47);
}

TEST_CASE("http status: an error of a reader is answered with the status that says it best") {
    CHECK(http::status_of(errc::payload_too_large) == 413);
    CHECK(http::status_of(errc::target_too_long) == 414);
    CHECK(http::status_of(errc::head_too_large) == 431);
    CHECK(http::status_of(errc::too_many_fields) == 431);
    CHECK(http::status_of(errc::unknown_transfer_coding) == 501);
    CHECK(http::status_of(errc::unsupported_http_version) == 505);
    for (auto const code : {errc::invalid_start_line, errc::invalid_field, errc::invalid_host,
                            errc::invalid_content_length, errc::invalid_transfer_coding, errc::invalid_chunk})
        CHECK(http::status_of(code) == 400);
}

} // namespace http_status_test

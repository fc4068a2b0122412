#include "support/catch.hpp"
#include "support/mutations.hpp"

#include <socketless/engineio/handshake.hpp>

#include <chrono>
#include <string>
#include <string_view>

using namespace socketless;
using namespace socketless::engineio;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view typical =
    R"({"sid":"lCh_fT2VvrYp2vq8AAAC","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000})";

// The typical handshake with one part of it changed.
std::string with(std::string_view part, std::string_view replacement) {
    std::string text(typical);
    auto const at = text.find(part);
    REQUIRE(at != std::string::npos);
    return text.replace(at, part.size(), replacement);
}

errc failure(std::string const& text) {
    auto const h = decode_handshake(text);
    return h ? errc{} : h.error().code;
}

} // namespace

TEST_CASE("a handshake says who the session is and when it pings", "[engineio]") {
    auto const h = decode_handshake(typical);
    REQUIRE(h.has_value());
    CHECK(h->sid == "lCh_fT2VvrYp2vq8AAAC");
    CHECK(h->upgrades == transport_set{transport::websocket});
    CHECK(h->ping_interval == 25s);
    CHECK(h->ping_timeout == 20s);
    CHECK(h->max_payload == 1'000'000u);

    std::string out;
    CHECK(encode_handshake(out, *h) == typical.size());
    CHECK(out == typical);
}

TEST_CASE("maxPayload may be absent, as in revision 3", "[engineio]") {
    auto const text = with(R"(,"maxPayload":1000000)", "");
    auto const h = decode_handshake(text);
    REQUIRE(h.has_value());
    CHECK_FALSE(h->max_payload.has_value());
    std::string out;
    CHECK(encode_handshake(out, *h).has_value());
    CHECK(out == text);
}

TEST_CASE("unknown upgrades and members are passed over", "[engineio]") {
    auto const h =
        decode_handshake(with(R"("upgrades":["websocket"])", R"("x":{},"upgrades":["carrier pigeon","webtransport"])"));
    REQUIRE(h.has_value());
    CHECK(h->upgrades == transport_set{transport::webtransport});
}

TEST_CASE("durations that would overflow are clamped", "[engineio]") {
    CHECK(decode_handshake(with("25000", "99999999999"))->ping_interval == longest_ping);
    CHECK(decode_handshake(with("25000", "1e400"))->ping_interval == longest_ping);
    CHECK(decode_handshake(with("20000", "2147483647"))->ping_timeout == longest_ping);
    CHECK(decode_handshake(with("20000", "2147483648"))->ping_timeout == longest_ping);
    CHECK(decode_handshake(with("1000000", "1e300"))->max_payload == (std::uint64_t{1} << 53u) - 1);
}

TEST_CASE("fractions of a millisecond are dropped", "[engineio]") {
    CHECK(decode_handshake(with("25000", "25000.9"))->ping_interval == 25s);
}

TEST_CASE("each field of a handshake is checked, and its error points at it", "[engineio]") {
    for (std::string_view const sid : {"1", "\"\"", "null", "{}", R"("a\u0062")"}) {
        auto const text = with("\"lCh_fT2VvrYp2vq8AAAC\"", sid);
        CHECK(decode_handshake(text) == error{errc::invalid_handshake, text.find(sid)});
    }
    for (std::string_view const bad : {"0", "-1", "0.5", "\"25000\"", "null", "[]", "-1e400"}) {
        CHECK(decode_handshake(with("25000", bad)) == error{errc::invalid_handshake, typical.find("25000")});
        CHECK(failure(with("20000", bad)) == errc::invalid_handshake);
        CHECK(failure(with("1000000", bad)) == errc::invalid_handshake);
    }
    CHECK(failure(with(R"(["websocket"])", R"("websocket")")) == errc::invalid_handshake);
    CHECK(failure(with(R"(["websocket"])", "[1]")) == errc::invalid_handshake);
}

TEST_CASE("a handshake without one of its fields is refused", "[engineio]") {
    CHECK(decode_handshake("{}") == error{errc::invalid_handshake, 0});
    CHECK(decode_handshake("null") == error{errc::invalid_handshake, 0});
    CHECK(decode_handshake("[]") == error{errc::invalid_handshake, 0});
    CHECK(failure(with(R"("sid":"lCh_fT2VvrYp2vq8AAAC",)", "")) == errc::invalid_handshake);
    CHECK(failure(with(R"("upgrades":["websocket"],)", "")) == errc::invalid_handshake);
    CHECK(failure(with(R"("pingInterval":25000,)", "")) == errc::invalid_handshake);
    CHECK(failure(with(R"("pingTimeout":20000,)", "")) == errc::invalid_handshake);
}

TEST_CASE("a handshake that is not JSON is refused where it is not", "[engineio]") {
    CHECK(decode_handshake("") == error{errc::invalid_json, 0});
    CHECK(decode_handshake("{\"sid\":x}") == error{errc::invalid_json, 7});
}

TEST_CASE("every prefix and every one-byte change of a handshake is read or refused", "[engineio]") {
    support::for_each_mutation(std::string(typical), [](std::string_view text) {
        auto const h = decode_handshake(text);
        if (!h) CHECK(h.error().offset <= text.size());
    });
}

TEST_CASE("transports are known by their names", "[engineio]") {
    CHECK(transport_named("polling") == transport::polling);
    CHECK(transport_named("websocket") == transport::websocket);
    CHECK(transport_named("webtransport") == transport::webtransport);
    for (std::string_view const name : {"", "__proto__", "constructor", "toString", "Polling", "flashsocket"})
        CHECK_FALSE(transport_named(name).has_value());
}

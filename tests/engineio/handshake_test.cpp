#include "tools/catch.hpp"
#include "tools/mutations.hpp"
#include "tools/random.hpp"

#include <socketless/engineio/handshake.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace engineio_handshake_test {

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

TEST_CASE("a duration is the whole part of a number, however it is written", "[engineio]") {
    // The durations of a double, cut and clamped.
    auto const expected = [](std::string const& number) -> std::optional<std::int64_t> {
        double const value = std::strtod(number.c_str(), nullptr);
        if (value < 1) return std::nullopt;
        return static_cast<std::int64_t>(std::min(value, static_cast<double>(longest_ping.count())));
    };
    std::vector<std::string> numbers{"1e3",          "25000.5",     "2.5e4",   "2.5E+4",     "250000e-1",
                                     "0.00025e8",    "0.1e1",       "9.99e-1", "1e0",        "0e999999",
                                     "-1e3",         "-0",          "1e400",   "1e99999999", "2147483646.9",
                                     "2147483647.1", "1e-99999999", "0.0",     "12e8",       "21474836470e-1"};
    std::string const zeros(400, '0');
    numbers.push_back("0." + zeros + "123e405");
    numbers.push_back("123" + zeros + "e-398");
    support::random_source random(7);
    for (int i = 0; i != 2'000; ++i) {
        std::string number = std::to_string(random.below(random.one_in(2) ? 10 : 100'000));
        if (random.one_in(2)) number += "." + random.text(1 + random.below(6), "0123456789");
        if (random.one_in(2)) number += (random.one_in(2) ? "e-" : "e") + std::to_string(random.below(12));
        numbers.push_back(number);
    }
    for (std::string const& number : numbers) {
        CAPTURE(number);
        auto const h = decode_handshake(with("25000", number));
        auto const wanted = expected(number);
        REQUIRE(h.has_value() == wanted.has_value());
        if (wanted) CHECK(h->ping_interval.count() == *wanted);
    }
}

TEST_CASE("any JSON string is a session id, and one with escapes needs a buffer", "[engineio]") {
    auto const text = with("lCh_fT2VvrYp2vq8AAAC", R"(a\u0062\"/ \u20ac)");
    CHECK(failure(text) == errc::buffer_too_small);
    std::string buffer(text.size(), '\0');
    auto const h = decode_handshake(text, {}, buffer);
    REQUIRE(h.has_value());
    CHECK(h->sid == "ab\"/ \u20ac");
    CHECK(decode_handshake(with("lCh_fT2VvrYp2vq8AAAC", "a b"))->sid == "a b");
}

TEST_CASE("each field of a handshake is checked, and its error points at it", "[engineio]") {
    for (std::string_view const sid : {"1", "\"\"", "null", "{}", R"("a\ud800")"}) {
        auto const text = with("\"lCh_fT2VvrYp2vq8AAAC\"", sid);
        std::string buffer(text.size(), '\0');
        CHECK(decode_handshake(text, {}, buffer) == error{errc::invalid_handshake, text.find(sid)});
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

TEST_CASE("a handshake that is not JSON is refused at its first wrong byte", "[engineio]") {
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

} // namespace engineio_handshake_test

#include "tools/catch.hpp"

#include <socketless/engineio/heartbeat.hpp>

#include <chrono>

namespace engineio_heartbeat_test {

using namespace socketless;
using namespace socketless::engineio;
using namespace std::chrono_literals;

namespace {

constexpr time_point start{1000h};
constexpr heartbeat::intervals intervals{25s, 20s};
using enum heartbeat::action;

} // namespace

TEST_CASE("the side that pings does so when ping_interval has passed", "[engineio]") {
    auto h = heartbeat::pinging(start, intervals);
    CHECK(h.is_pinging());
    CHECK(h.deadline() == start + 25s);
    CHECK(h.handle_timeout(start + 25s - 1ns, intervals) == none);
    CHECK(h.handle_timeout(start + 25s, intervals) == ping);
}

TEST_CASE("the pong is due within ping_timeout of the ping", "[engineio]") {
    auto h = heartbeat::pinging(start, intervals);
    CHECK(h.handle_timeout(start + 26s, intervals) == ping); // a second late
    CHECK(h.deadline() == start + 46s);
    CHECK(h.handle_timeout(start + 46s - 1ns, intervals) == none);
    CHECK(h.handle_timeout(start + 46s, intervals) == expired);
}

TEST_CASE("the next ping comes ping_interval after the pong", "[engineio]") {
    auto h = heartbeat::pinging(start, intervals);
    CHECK(h.handle_timeout(start + 25s, intervals) == ping);
    h.pong(start + 30s, intervals);
    CHECK(h.deadline() == start + 55s);
    CHECK(h.handle_timeout(start + 55s, intervals) == ping);
}

TEST_CASE("a pong that is not awaited changes nothing", "[engineio]") {
    auto h = heartbeat::pinging(start, intervals);
    h.pong(start + 10s, intervals);
    CHECK(h.deadline() == start + 25s);
    CHECK(h.handle_timeout(start + 25s, intervals) == ping);
    h.pong(start + 26s, intervals);
    h.pong(start + 40s, intervals);
    CHECK(h.deadline() == start + 51s);
}

TEST_CASE("the side that watches allows ping_interval and ping_timeout together", "[engineio]") {
    auto h = heartbeat::watching(start, intervals);
    CHECK_FALSE(h.is_pinging());
    CHECK(h.deadline() == start + 45s);
    h.ping(start + 40s, intervals);
    CHECK(h.deadline() == start + 85s);
    h.pong(start + 50s, intervals); // this side watches: ignored
    CHECK(h.deadline() == start + 85s);
    CHECK(h.handle_timeout(start + 85s - 1ns, intervals) == none);
    CHECK(h.handle_timeout(start + 85s, intervals) == expired);
}

TEST_CASE("a ping to the side that pings changes nothing", "[engineio]") {
    auto h = heartbeat::pinging(start, intervals);
    h.ping(start + 10s, intervals);
    CHECK(h.is_pinging());
    CHECK(h.deadline() == start + 25s);
}

} // namespace engineio_heartbeat_test

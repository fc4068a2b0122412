#include "tools/catch.hpp"

#include <socketless/core/time.hpp>
#include <socketless/engineio/handshake.hpp>
#include <socketless/engineio/heartbeat.hpp>
#include <socketless/socketio/acks.hpp>
#include <socketless/socketio/reconnection.hpp>
#include <socketless/socketio/recovery.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <span>
#include <string>

namespace core_time_test {

using namespace socketless;
using namespace std::chrono_literals;

namespace {

constexpr time_point first = time_point::min();
constexpr time_point last = time_point::max();
constexpr milliseconds shortest = milliseconds::min();
constexpr milliseconds longest = milliseconds::max();

constexpr time_point moments[] = {first,        first + 1ns,    time_point{-1h}, time_point{-1ns},
                                  time_point{}, time_point{1h}, last - 1ns,      last};
constexpr milliseconds waits[] = {shortest, shortest + 1ms, -24h, -1ms, 0ms, 1ms, 24h, longest - 1ms, longest};

void no_randomness(std::span<std::byte> bytes) {
    std::ranges::fill(bytes, std::byte{});
}

} // namespace

static_assert(deadline(time_point{1h}, 1s) == time_point{1h + 1s});
static_assert(deadline(time_point{1h}, -1s) == time_point{1h - 1s});
static_assert(deadline(time_point{-1h}, 1s) == time_point{1s - 1h});

TEST_CASE("a deadline beyond the ends of time is at the end", "[time]") {
    for (time_point const t : moments) {
        CHECK(deadline(t, longest) == last);
        CHECK(deadline(t, shortest) == first);
        CHECK(deadline(t, 0ms) == t);
    }
    CHECK(deadline(last, 1ms) == last);
    CHECK(deadline(first, -1ms) == first);
    CHECK(deadline(last - 1ns, 1ms) == last);
    CHECK(deadline(last, -1ms) == last - 1ms);
    CHECK(deadline(first, 1ms) == first + 1ms);
    // Longer than any duration of the clock, and still between its ends.
    auto const half = std::chrono::floor<milliseconds>(time_point::duration::max());
    CHECK(deadline(first, half + half) > last - 3ms);
    CHECK(deadline(last, -half - half) < first + 3ms);
}

TEST_CASE("heartbeats of any length at any time do not overflow", "[time]") {
    for (time_point const now : moments) {
        for (milliseconds const interval : waits) {
            for (milliseconds const timeout : waits) {
                engineio::heartbeat::intervals const intervals{interval, timeout};
                auto pinging = engineio::heartbeat::pinging(now, intervals);
                static_cast<void>(pinging.handle_timeout(pinging.deadline(), intervals));
                static_cast<void>(pinging.handle_timeout(pinging.deadline(), intervals));
                auto watching = engineio::heartbeat::watching(now, intervals);
                watching.ping(now, intervals);
                if (interval > 0ms && timeout > 0ms) CHECK(watching.deadline() >= now);
            }
        }
    }
}

TEST_CASE("a server tells only durations that a peer takes", "[time]") {
    for (milliseconds const wait : waits) {
        std::string text;
        REQUIRE(engineio::encode_handshake(
            text, {.sid = "x", .upgrades = {}, .ping_interval = wait, .ping_timeout = wait, .max_payload = {}}));
        auto const read = engineio::decode_handshake(text);
        REQUIRE(read);
        CHECK(read->ping_interval == std::clamp(wait, 1ms, milliseconds(engineio::longest_ping)));
    }
}

TEST_CASE("negative delays of reconnection count as zero, and no delay overflows", "[time]") {
    for (milliseconds const delay : waits) {
        for (milliseconds const delay_max : waits) {
            socketio::backoff backoff({.delay = delay, .delay_max = delay_max});
            for (int i = 0; i != 200; ++i) {
                auto const next = backoff.next(0.99);
                REQUIRE(next >= 0ms);
                REQUIRE(next <= std::max(delay_max, 0ms));
                REQUIRE(deadline(last, next) == last);
            }
        }
    }
}

TEST_CASE("what recovery keeps expires without overflow", "[time]") {
    for (time_point const now : moments) {
        for (milliseconds const duration : waits) {
            socketio::recovery_store<int> store({.max_disconnection_duration = duration}, no_randomness);
            store.persist({.pid = "pid", .sid = "sid"}, now);
            store.handle_timeout(now);
            CHECK((store.session_count() == 1) == (deadline(now, duration) > now));
            if (auto const at = store.poll_timeout()) CHECK(*at > now);
        }
    }
}

} // namespace core_time_test

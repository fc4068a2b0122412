#include "tools/catch.hpp"
#include "tools/random.hpp"

#include <socketless/socketio/reconnection.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <vector>

namespace socketio_reconnection_test {

using namespace socketless;
using namespace socketless::socketio;
using namespace std::chrono_literals;

namespace {

constexpr double almost_one = 0x1.fffffffffffffp-1; // the largest number below

std::vector<long long> delays(backoff_options const& options, double random, std::size_t count) {
    backoff b(options);
    std::vector<long long> given;
    for (std::size_t i = 0; i != count; ++i) given.push_back(b.next(random).count());
    return given;
}

// At compile time too.
constexpr milliseconds third_delay() {
    backoff b;
    static_cast<void>(b.next(0));
    static_cast<void>(b.next(0.5));
    return b.next(0.25);
}

} // namespace

static_assert(third_delay() == 3'500ms);

TEST_CASE("delays double up to the longest, as socket.io-client's do", "[socketio]") {
    // Made with socket.io-client 4.8.1.
    struct row {
        backoff_options options;
        double random;
        std::vector<long long> delays;
    };
    row const rows[] = {
        {{}, 0, {1000, 2000, 4000, 5000, 5000}},
        {{}, 0.05, {975, 1950, 3900, 5000, 5000}},
        {{}, 0.15, {1075, 2150, 4300, 5000, 5000}},
        {{}, 0.5, {1250, 2500, 5000, 5000, 5000}},
        {{}, 0.749, {1374, 2749, 5000, 5000, 5000}},
        {{}, 0.85, {575, 1150, 2300, 4600, 5000}},
        {{}, 0.999, {1499, 2999, 5000, 5000, 5000}},
        {{1ms, 1'000'000'000ms, 1}, 0.05, {1, 2, 4, 8, 16, 31, 61, 122, 244, 487, 973, 1946}},
        {{1ms, 1'000'000'000ms, 1}, 0.61, {1, 1, 2, 4, 7, 13, 25, 50, 100, 200, 400, 799}},
        {{1ms, 1'000'000'000ms, 1}, 0.999, {1, 3, 7, 15, 31, 63, 127, 255, 511, 1023, 2046, 4093}},
        {{333ms, 100'000ms, 0.3}, 0.25, {309, 617, 1233, 2465, 4929, 9857, 19714, 39428, 78855, 100000}},
        {{333ms, 100'000ms, 0.3}, 0.37, {369, 739, 1479, 2959, 5919, 11838, 23677, 47355, 94710, 100000}},
    };
    for (row const& r : rows) CHECK(delays(r.options, r.random, r.delays.size()) == r.delays);
}

TEST_CASE("jitter is applied before the longest delay cuts: a long first delay may still be shortened", "[socketio]") {
    CHECK(delays({7'000ms, 5'000ms, 0.5}, 0.85, 2) == std::vector<long long>{4025, 5000});
    CHECK(delays({7'000ms, 5'000ms, 0.5}, 0.5, 2) == std::vector<long long>{5000, 5000});
}

TEST_CASE("a randomization factor of zero, or out of range, means no jitter", "[socketio]") {
    for (double const factor : {0.0, -0.5, 1.5, std::numeric_limits<double>::quiet_NaN()})
        for (double const random : {0.0, 0.25, 0.5, almost_one})
            CHECK(delays({1'000ms, 5'000ms, factor}, random, 4) == std::vector<long long>{1000, 2000, 4000, 5000});
}

TEST_CASE("attempts are counted until the connection stands", "[socketio]") {
    backoff b;
    CHECK(b.attempts() == 0);
    CHECK(b.next(0) == 1'000ms);
    CHECK(b.next(0) == 2'000ms);
    CHECK(b.attempts() == 2);
    b.reset();
    CHECK(b.attempts() == 0);
    CHECK(b.next(0) == 1'000ms);
}

TEST_CASE("no delay is negative or over the longest, after however many attempts", "[socketio]") {
    for (milliseconds const delay_max : {5'000ms, 0ms, milliseconds::max()})
        for (double const random : {0.0, 0.85, 0.5, almost_one}) {
            backoff b({1'000ms, delay_max, 1});
            milliseconds last = 0ms;
            for (int i = 0; i != 5'000; ++i) {
                milliseconds const next = b.next(random);
                REQUIRE(next >= last); // for one and the same random number
                REQUIRE(next <= delay_max);
                last = next;
            }
            CHECK(last == delay_max);
        }
    backoff none({0ms, 5'000ms, 0.5});
    for (int i = 0; i != 5'000; ++i) REQUIRE(none.next(0.5) == 0ms);
}

TEST_CASE("a delay is what the reference's formula gives", "[socketio]") {
    support::random_source random(1);
    for (int i = 0; i != 10'000; ++i) {
        backoff_options const options{milliseconds(1 + random.below(10'000)), milliseconds(1 + random.below(1'000'000)),
                                      static_cast<double>(random.below(101)) / 100};
        backoff b(options);
        for (int attempt = 0; attempt != 20; ++attempt) {
            double const r = static_cast<double>(random() >> 11u) * 0x1p-53;
            double ms = static_cast<double>(options.delay.count()) * std::pow(2, attempt);
            double const deviation = std::floor(r * options.randomization_factor * ms);
            ms = (static_cast<int>(std::floor(r * 10)) & 1) == 0 ? ms - deviation : ms + deviation;
            REQUIRE(static_cast<double>(b.next(r).count()) ==
                    std::min(ms, static_cast<double>(options.delay_max.count())));
        }
    }
}

} // namespace socketio_reconnection_test

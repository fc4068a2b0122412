#include "tools/catch.hpp"
#include "tools/random.hpp"

#include <socketless/core/detail/timer_wheel.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace core_timer_wheel_test {

using namespace socketless;
using namespace std::chrono_literals;
using socketless::core_detail::timer_wheel;

namespace {

constexpr time_point start{1000h};

using timers = std::vector<std::uint32_t>;

timers fired_by(timer_wheel& wheel, time_point now) {
    timers fired;
    wheel.advance(now, [&](std::uint32_t timer) { fired.push_back(timer); });
    std::ranges::sort(fired);
    return fired;
}

// The wheel beside a map that does the same in the simplest way.
class compared {
public:
    time_point now = start;

    void set(std::uint32_t timer, time_point deadline) {
        wheel_.set(timer, deadline);
        deadlines_[timer] = deadline;
    }
    void cancel(std::uint32_t timer) {
        wheel_.cancel(timer);
        deadlines_.erase(timer);
    }

    // Only due timers fire; all that were due a millisecond ago have fired.
    void advance(time_point to) {
        now = to;
        wheel_.advance(now, [this](std::uint32_t timer) {
            auto const found = deadlines_.find(timer);
            REQUIRE(found != deadlines_.end());
            REQUIRE(found->second <= now);
            deadlines_.erase(found);
        });
        for (auto const& [timer, deadline] : deadlines_) REQUIRE(deadline > now - 1ms);
        check_next();
    }

    void check_next() const {
        auto const next = wheel_.next();
        REQUIRE(next.has_value() == !deadlines_.empty());
        if (next) REQUIRE(*next < std::max(now, first()) + 1ms);
    }

    // Sleeps as a caller would, until there is nothing more to wait for. Each step makes progress.
    void run_dry() {
        int steps = 0;
        while (auto const next = wheel_.next()) {
            auto const left = deadlines_.size();
            auto const before = now;
            advance(std::max(now, *next));
            REQUIRE((now > before || deadlines_.size() < left));
            REQUIRE(++steps < 100'000);
        }
        REQUIRE(deadlines_.empty());
    }

    [[nodiscard]] bool empty() const { return deadlines_.empty(); }

private:
    [[nodiscard]] time_point first() const {
        time_point first = time_point::max();
        for (auto const& [timer, deadline] : deadlines_) first = std::min(first, deadline);
        return first;
    }

    timer_wheel wheel_;
    std::map<std::uint32_t, time_point> deadlines_;
};

} // namespace

TEST_CASE("a timer fires at its deadline, once, and not before", "[timer_wheel]") {
    timer_wheel wheel;
    CHECK_FALSE(wheel.next().has_value());
    CHECK(fired_by(wheel, start).empty());

    wheel.set(3, start + 25s);
    CHECK(fired_by(wheel, start + 25s - 1ms).empty());
    CHECK(fired_by(wheel, start + 25s) == timers{3});
    CHECK(fired_by(wheel, start + 60s).empty());
    CHECK_FALSE(wheel.next().has_value());
}

TEST_CASE("a deadline between two milliseconds is met at the later one", "[timer_wheel]") {
    timer_wheel wheel;
    wheel.set(0, start + 10ms);
    wheel.set(1, start + 10ms + 1ns);
    CHECK(fired_by(wheel, start + 10ms) == timers{0});
    CHECK(fired_by(wheel, start + 11ms - 1ns).empty());
    CHECK(fired_by(wheel, start + 11ms) == timers{1});
}

TEST_CASE("setting a timer again replaces its deadline, cancelling removes it", "[timer_wheel]") {
    timer_wheel wheel;
    wheel.set(0, start + 10ms);
    wheel.set(0, start + 20ms);
    wheel.set(1, start + 20ms);
    wheel.set(2, start + 20ms);
    wheel.cancel(1);
    wheel.cancel(1);
    wheel.cancel(77); // never set
    wheel.set(2, start + 5ms);
    CHECK(fired_by(wheel, start + 15ms) == timers{2});
    CHECK(fired_by(wheel, start + 20ms) == timers{0});
    CHECK_FALSE(wheel.next().has_value());
}

TEST_CASE("a deadline that has passed fires at once", "[timer_wheel]") {
    timer_wheel wheel;
    wheel.set(0, start + 1s);
    CHECK(fired_by(wheel, start + 10s) == timers{0});
    wheel.set(0, start + 2s);
    REQUIRE(wheel.next().has_value());
    CHECK(*wheel.next() <= start + 10s);
    CHECK(fired_by(wheel, start + 10s) == timers{0});
}

TEST_CASE("near deadlines after a far one fire neither late nor early", "[timer_wheel]") {
    timer_wheel wheel;
    wheel.set(0, start + 24 * 24h); // the longest heartbeat there is
    wheel.set(1, start + 25s);
    REQUIRE(wheel.next().has_value());
    CHECK(*wheel.next() <= start + 25s);
    CHECK(fired_by(wheel, start + 25s - 1ms).empty());
    CHECK(fired_by(wheel, start + 25s) == timers{1});
    CHECK(fired_by(wheel, start + 24 * 24h - 1ms).empty());
    CHECK(fired_by(wheel, start + 24 * 24h) == timers{0});
}

TEST_CASE("a clock that stands still, or begins at zero, is no trouble", "[timer_wheel]") {
    timer_wheel wheel;
    wheel.set(0, time_point{} + 1ms);
    CHECK(fired_by(wheel, time_point{}).empty());
    CHECK(fired_by(wheel, time_point{}).empty());
    CHECK(fired_by(wheel, time_point{} + 1ms) == timers{0});
}

TEST_CASE("what fires may set timers, its own too", "[timer_wheel]") {
    timer_wheel wheel;
    wheel.set(0, start + 1s);
    timers fired;
    for (auto now = start; now <= start + 5s; now += 100ms)
        wheel.advance(now, [&](std::uint32_t timer) {
            fired.push_back(timer);
            if (timer == 0) wheel.set(0, now + 1s);
            if (timer == 0 && fired.size() == 1) wheel.set(1000, now + 500ms);
        });
    CHECK(fired == timers{0, 1000, 0, 0, 0, 0});
    wheel.set(1, start + 6s);
    wheel.set(2, start + 7s);
    wheel.advance(start + 6s, [&](std::uint32_t timer) {
        if (timer == 1) wheel.cancel(2);
    });
    wheel.cancel(0);
    CHECK_FALSE(wheel.next().has_value());
}

TEST_CASE("a wheel does what a sorted list would", "[timer_wheel]") {
    support::random_source random(GENERATE(1u, 2u, 3u, 4u, 5u, 6u, 7u, 8u));
    compared both;
    // Mostly heartbeats, some far away, some past.
    auto const distance = [&]() -> std::chrono::nanoseconds {
        switch (random.below(8)) {
        case 0: return std::chrono::milliseconds(random.below(24u * 24 * 3600 * 1000));
        case 1: return -std::chrono::milliseconds(random.below(100'000));
        case 2: return std::chrono::nanoseconds(random.below(100'000'000));
        case 3: return std::chrono::milliseconds(random.below(130));
        default: return std::chrono::milliseconds(random.below(45'000));
        }
    };
    for (int step = 0; step != 3'000; ++step) {
        auto const timer = static_cast<std::uint32_t>(random.below(random.one_in(10) ? 500 : 40));
        switch (random.below(4)) {
        case 0: both.cancel(timer); break;
        case 1: {
            // Short waits, and sometimes a very long sleep.
            std::chrono::nanoseconds const slept = random.one_in(50)
                                                       ? std::chrono::hours(random.below(600))
                                                       : std::chrono::microseconds(random.below(20'000'000));
            both.advance(both.now + slept);
            break;
        }
        default: both.set(timer, both.now + distance());
        }
        both.check_next();
    }
    both.run_dry();
}

TEST_CASE("many timers of one moment fire together", "[timer_wheel]") {
    timer_wheel wheel;
    for (std::uint32_t i = 0; i != 10'000; ++i) wheel.set(i, start + 25s);
    CHECK(fired_by(wheel, start + 25s - 1ms).empty());
    CHECK(fired_by(wheel, start + 25s).size() == 10'000);
}

TEST_CASE("a clock may run from before its zero to after it", "[timer_wheel]") {
    timer_wheel wheel;
    time_point const now{-10s};
    wheel.set(0, now + 25s);
    wheel.set(1, now + 1s); // before zero; the first timer is after it
    wheel.set(2, now + 2s);
    CHECK(wheel.next() == now + 1s);
    CHECK(fired_by(wheel, now).empty());
    CHECK(fired_by(wheel, now + 1s) == timers{1});
    CHECK(fired_by(wheel, now + 2s - 1ns).empty());
    CHECK(fired_by(wheel, now + 2s) == timers{2});
    CHECK(fired_by(wheel, now + 25s - 1ns).empty());
    CHECK(fired_by(wheel, now + 25s) == timers{0});
}

TEST_CASE("a wheel on a clock that begins before its zero does what a sorted list would", "[timer_wheel]") {
    support::random_source random(7);
    compared timers;
    timers.now = time_point{-5s};
    timers.set(0, timers.now + 7s);
    for (std::uint32_t i = 1; i != 200; ++i)
        timers.set(i, timers.now + 1ms * static_cast<std::int64_t>(random.below(12'000)));
    timers.advance(timers.now);
    timers.run_dry();
    CHECK(timers.empty());
}

TEST_CASE("deadlines at the ends of time", "[timer_wheel]") {
    for (time_point const first : {time_point::min(), time_point::max(), time_point{}, time_point{-1ns}, start}) {
        timer_wheel wheel;
        wheel.set(0, first);
        wheel.set(1, time_point::max());
        wheel.set(2, time_point::min());
        CHECK(wheel.next().has_value());
        CHECK(fired_by(wheel, time_point::max()).size() == 3);
        wheel.set(3, time_point::min());
        wheel.set(4, time_point::max());
        CHECK(wheel.next() <= time_point::max());
        CHECK(fired_by(wheel, time_point::max()) == timers{3, 4});
        CHECK_FALSE(wheel.next());
    }
}

} // namespace core_timer_wheel_test

// Shared by all simulations: a virtual clock, a seed, faults, sides that freeze, and a trace of all that happens.
#pragma once

#include "simulation/ledger.hpp"
#include "simulation/network_plan.hpp"
#include "tools/random.hpp"

#include <socketless/core/random.hpp>

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace support {

// The source of a server's or a client's ids. `random` outlives it.
inline socketless::random_source random_bytes_of(random_source& random) {
    return [&random](std::span<std::byte> bytes) {
        for (std::byte& b : bytes) b = static_cast<std::byte>(random.byte());
    };
}

inline constexpr std::string_view transmit_names[] = {"respond",     "get",  "post",  "open_websocket",
                                                      "open_stream", "send", "close", "abort"};

// A frozen side gets its inputs when it thaws, in order.
struct peer {
    bool frozen = false;
    std::vector<std::function<void()>> inbox;
    // When its timer is due.
    std::optional<time_point> timer;
};

class simulation {
public:
    // Adds to the figures; writes all that happens to `trace` where there is one.
    simulation(std::uint64_t seed, network_figures& all_figures, std::string* trace)
        : random(seed), plan(draw_plan(random)), figures(all_figures), trace_(trace) {}
    simulation(simulation const&) = delete;
    simulation& operator=(simulation const&) = delete;

    random_source random;
    network_plan plan;
    network_figures& figures;
    support::ledger ledger;
    time_point now = time_point() + std::chrono::seconds(1);

    //=== the clock ===//

    void at(time_point when, std::function<void()> action) {
        agenda_.push_back({when, ++last_number_, std::move(action)});
        std::push_heap(agenda_.begin(), agenda_.end());
    }
    void after(microseconds delay, std::function<void()> action) { at(now + delay, std::move(action)); }

    // Runs until the agenda is empty, or something was wrong.
    void run_agenda() {
        std::size_t steps = 0;
        while (!agenda_.empty() && ledger.error().empty()) {
            std::pop_heap(agenda_.begin(), agenda_.end());
            timed const next = std::move(agenda_.back());
            agenda_.pop_back();
            now = std::max(now, next.at);
            next.action();
            if (++steps == 300'000) ledger.fail("the schedule does not end");
        }
        figures.steps += steps;
    }

    // Most things are much faster than the slowest.
    microseconds latency() {
        auto const longest = static_cast<std::size_t>(plan.latency.count());
        return microseconds(random.below((random.one_in(6) ? longest : longest / 6) + 1));
    }

    void deliver(peer& p, std::function<void()> action) {
        if (p.frozen)
            p.inbox.push_back(std::move(action));
        else
            action();
    }

    void freeze(peer& p, microseconds how_long) {
        p.frozen = true;
        after(how_long, [this, &p] {
            note("thaw");
            p.frozen = false;
            auto const missed = std::exchange(p.inbox, {});
            for (auto const& action : missed) action();
        });
    }

    //=== faults ===//

    [[nodiscard]] bool chance(fault f) {
        return plan.fault_rate != 0 && !plan.calm && plan.has(f) && random.one_in(plan.fault_rate);
    }
    // For faults that do not end a session.
    [[nodiscard]] bool harmless_chance(fault f) { return plan.has(f) && random.one_in(plan.fault_rate); }

    void did(fault f) {
        ++figures.faults[static_cast<std::size_t>(f)];
        note("FAULT: ", fault_names[static_cast<std::size_t>(f)]);
    }
    void did(fault f, std::size_t attempt) {
        did(f);
        ledger.at(attempt).faulty = true;
    }

    //=== timers ===//

    // Leaves an earlier timer as it is: that call will be spurious.
    template <class Call>
    void set_timer(peer& p, std::optional<time_point> next, Call call) {
        if (!next || (p.timer && *p.timer <= *next)) return;
        bool const late = plan.lateness.count() != 0 && random.one_in(4);
        auto const lateness = microseconds(late ? random.below(static_cast<std::size_t>(plan.lateness.count())) : 0);
        if (late) ++figures.faults[static_cast<std::size_t>(fault::timer_late)];
        auto const due = std::max(*next, now) + lateness;
        p.timer = due;
        at(due, [this, &p, due, call] {
            if (p.timer != due) return;
            p.timer.reset();
            deliver(p, call);
        });
    }

    //=== the trace ===//

    template <class... Parts>
    void note(Parts const&... parts) {
        if (trace_ == nullptr) return;
        auto const us = std::chrono::duration_cast<microseconds>(now - time_point()).count();
        *trace_ += std::to_string(us / 1000) + "." + std::to_string(1000 + us % 1000).substr(1) + "  ";
        (put(parts), ...);
        *trace_ += '\n';
    }

private:
    struct timed {
        time_point at;
        std::uint64_t number;
        std::function<void()> action;

        // The first is the greatest, as heaps have it.
        friend bool operator<(timed const& a, timed const& b) noexcept {
            return a.at != b.at ? a.at > b.at : a.number > b.number;
        }
    };

    template <std::integral Number>
    void put(Number n) {
        *trace_ += std::to_string(n);
    }
    void put(std::string_view s) {
        static constexpr char digits[] = "0123456789abcdef";
        for (char const c : s.substr(0, 400)) {
            auto const byte = static_cast<unsigned char>(c);
            if (byte >= ' ' && byte < 0x7f)
                *trace_ += c;
            else
                ((*trace_ += "\\x") += digits[byte >> 4u]) += digits[byte & 15u];
        }
        if (s.size() > 400) *trace_ += "...";
    }

    std::string* trace_;
    std::vector<timed> agenda_;
    std::uint64_t last_number_ = 0;
};

} // namespace support

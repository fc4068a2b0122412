// What happens later in a schedule of servers that act as one: tasks in the order of their times.
#pragma once

#include <socketless/core/time.hpp>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

namespace support {

class cluster_timeline {
public:
    using time_point = socketless::time_point;

    time_point now{};

    void at(time_point due, std::function<void()> run) {
        tasks_.push_back({due, ++last_, std::move(run)});
        std::push_heap(tasks_.begin(), tasks_.end(), later);
    }
    void after(socketless::milliseconds wait, std::function<void()> run) { at(now + wait, std::move(run)); }

    [[nodiscard]] std::optional<time_point> next() const {
        return tasks_.empty() ? std::nullopt : std::optional(tasks_.front().due);
    }
    // Precondition: there is a task.
    void run_next() {
        std::pop_heap(tasks_.begin(), tasks_.end(), later);
        auto const next = std::move(tasks_.back());
        tasks_.pop_back();
        next.run();
    }

private:
    struct task {
        time_point due;
        std::uint64_t order;
        std::function<void()> run;
    };
    static bool later(task const& a, task const& b) { return a.due != b.due ? a.due > b.due : a.order > b.order; }

    std::vector<task> tasks_;
    std::uint64_t last_ = 0;
};

} // namespace support

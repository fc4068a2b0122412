// The events of connections that wait for `poll_connection_event`.
#pragma once

#include <socketless/engineio/connection_event.hpp>

#include <cstddef>
#include <deque>
#include <optional>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::engineio::detail {

// Events of connections that wait to be taken, a bounded number.
class connection_log {
public:
    explicit connection_log(std::size_t max) : max_(max) {}

    [[nodiscard]] bool is_on() const noexcept { return max_ != 0; }

    void push(connection_event e) {
        if (!is_on()) return;
        if (events_.size() == max_) {
            ++dropped_;
            return;
        }
        e.dropped = dropped_;
        events_.push_back(e);
        dropped_ = 0;
    }

    [[nodiscard]] std::optional<connection_event> take() noexcept {
        if (events_.empty()) return std::nullopt;
        connection_event const e = events_.front();
        events_.pop_front();
        return e;
    }

private:
    std::size_t max_;
    std::size_t dropped_ = 0;
    std::deque<connection_event> events_;
};

} // namespace socketless::inline v0::engineio::detail

#include <socketless/core/detail/epilogue.hpp>

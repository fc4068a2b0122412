// The namespaces that sockets of this node have left, until it is known whether they are empty.
#pragma once

#include <socketless/core/time.hpp>

#include <algorithm>
#include <chrono>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::cluster::detail {

// A socket is in its namespace until its end has been handled: the next look finds out whether it was the last one.
// Names of namespaces that are empty, but for lost sockets that may come back, stay until those have gone. There may be
// thousands of them: all are looked at once a second, and no more often, whatever clients do.
class left_namespaces {
public:
    // After a look at the one that was left before.
    void note_left(std::string_view nsp) { left_ = nsp; }

    // `is_decided(nsp)` says whether it is known what becomes of a namespace.
    template <class Predicate>
    void look(time_point now, Predicate is_decided) {
        if (!left_.empty()) {
            if (!is_decided(left_)) {
                undecided_.insert(left_);
                next_ = std::min(next_, deadline(now, pause));
            }
            left_.clear();
        }
        if (now < next_) return;
        std::erase_if(undecided_, is_decided);
        next_ = undecided_.empty() ? time_point::max() : deadline(now, pause);
    }
    [[nodiscard]] std::optional<time_point> next_look(time_point now) const noexcept {
        if (!left_.empty()) return now;
        return undecided_.empty() ? std::nullopt : std::optional(next_);
    }

private:
    static constexpr auto pause = std::chrono::seconds(1);

    std::string left_; // the one that a socket has left just now; empty if there is none
    std::set<std::string> undecided_;
    time_point next_ = time_point::max();
};

} // namespace socketless::inline v0::cluster::detail

#include <socketless/core/detail/epilogue.hpp>

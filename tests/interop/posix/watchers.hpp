// What a program waits for beside the connections of its wire.
#pragma once

#include <socketless/core/time.hpp>

#include <poll.h>

#include <functional>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace posix_driver {

/// Descriptors, and what to do when they are ready.
class watchers {
public:
    /// Calls `ready` whenever the descriptor can be read (POLLIN) or written to (POLLOUT), until `unwatch`.
    void watch(int fd, std::function<void()> ready, short what = POLLIN) {
        ready_.insert_or_assign(std::pair(fd, what), std::move(ready));
    }
    void unwatch(int fd, short what = POLLIN) { ready_.erase(std::pair(fd, what)); }

protected:
    watchers() = default;
    ~watchers() = default;

    void add_to(std::vector<pollfd>& watched) const {
        for (auto const& [key, ready] : ready_) watched.push_back({key.first, key.second, 0});
    }
    void tell(pollfd const& one) {
        if (one.revents == 0) return;
        auto const found = ready_.find(std::pair(one.fd, one.events));
        if (found == ready_.end()) return;
        auto const ready = found->second; // it may unwatch itself
        ready();
    }

private:
    std::map<std::pair<int, short>, std::function<void()>> ready_;
};

/// Runs on the network of a wire, with descriptors and timers of its own: a cluster's link to its bus.
class companion {
public:
    virtual ~companion() = default;

    /// The network is there, and goes.
    virtual void begin(watchers& network) = 0;
    virtual void end() = 0;
    /// Does all that is due. Returns whether the wire may have something to do after that.
    virtual bool drive(socketless::time_point now) = 0;
    [[nodiscard]] virtual std::optional<socketless::time_point> poll_timeout() const = 0;
};

} // namespace posix_driver

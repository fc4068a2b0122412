// Which connections of a network are ready. Linux keeps the list: a wake costs the same however many connections there
// are. With poll, which other systems get, a message of Redis would cost a look at thousands of them.
#pragma once

#include <socketless/wire/transmit.hpp>

#include <poll.h>

#include <vector>

#ifdef __linux__
#include "descriptor.hpp"

#include <sys/epoll.h>

#include <array>
#include <cerrno>
#include <cstdint>
#else
#include <cstddef>
#include <map>
#endif

namespace posix_driver {

/// What is awaited of descriptors, which are called by the ids of their connections.
class readiness {
public:
#ifdef __linux__
    /// The descriptor and the events of a connection have changed, or the descriptor may be another one.
    void await(socketless::wire::connection_id id, pollfd const& wanted) const {
        if (wanted.fd < 0) return;
        // The numbers of events are those of poll.
        epoll_event e{.events = static_cast<std::uint16_t>(wanted.events), .data = {.u64 = id}};
        if (::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, wanted.fd, &e) != 0 && errno == ENOENT)
            ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wanted.fd, &e);
    }
    /// The connection has closed its descriptor: the system has forgotten it.
    void forget(socketless::wire::connection_id) const noexcept {}

    /// What to wait for.
    void add_to(std::vector<pollfd>& watched) const {
        watched.push_back({epoll_.get(), POLLIN, 0});
    }

    /// Calls `take(id, events)` for connections that are ready: `watched` points to what `add_to` has added.
    template <class Take>
    void for_each_ready(pollfd const* watched, Take take) {
        if (watched->revents == 0) return;
        int const count = ::epoll_wait(epoll_.get(), ready_.data(), static_cast<int>(ready_.size()), 0);
        for (int i = 0; i < count; ++i) {
            auto const& e = ready_[static_cast<std::size_t>(i)];
            take(e.data.u64, static_cast<short>(e.events));
        }
    }

private:
    descriptor epoll_{::epoll_create1(EPOLL_CLOEXEC)};
    std::array<epoll_event, 256> ready_{}; // others have their turn afterwards
#else
    void await(socketless::wire::connection_id id, pollfd const& wanted) {
        wanted_[id] = wanted;
    }
    void forget(socketless::wire::connection_id id) {
        wanted_.erase(id);
    }

    void add_to(std::vector<pollfd>& watched) {
        ids_.clear();
        for (auto const& [id, wanted] : wanted_) {
            watched.push_back(wanted);
            ids_.push_back(id);
        }
    }

    template <class Take>
    void for_each_ready(pollfd const* watched, Take take) {
        for (std::size_t i = 0; i != ids_.size(); ++i)
            if (watched[i].revents != 0) take(ids_[i], watched[i].revents);
    }

private:
    std::map<socketless::wire::connection_id, pollfd> wanted_;
    std::vector<socketless::wire::connection_id> ids_; // of what `add_to` has added
#endif
};

} // namespace posix_driver

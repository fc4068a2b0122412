// Connecting to a host by its name: nothing blocks.
#pragma once

#include "descriptor.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

namespace posix_driver {

/// Tries the addresses of a host one after the other. A thread of its own looks up the name, since that blocks.
class connector {
public:
    /// Throws if it cannot begin.
    connector(std::string const& host, std::uint16_t port) {
        try {
            found_ = look_up(host, port, AI_NUMERICHOST);
            next_ = found_.get();
        } catch (std::runtime_error const&) { // it is a name
            int ends[2];
            if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
                throw std::system_error(errno, std::generic_category());
            socket_ = descriptor(ends[0]);
            std::packaged_task<addresses()> task([host, port] { return look_up(host, port, 0); });
            looked_up_ = task.get_future();
            std::thread([task = std::move(task), far_end = descriptor(ends[1])]() mutable {
                task();
            }).detach(); // nobody can end it earlier
        }
    }

    /// What to wait for, and when to call `advance` again.
    [[nodiscard]] int fd() const noexcept { return socket_.get(); }
    [[nodiscard]] short events() const noexcept { return looked_up_.valid() ? POLLIN : POLLOUT; }

    /// The socket, once it is connected. Throws if the host has no address, or none that answers.
    [[nodiscard]] std::optional<descriptor> advance() {
        if (looked_up_.valid()) {
            found_ = looked_up_.get();
            next_ = found_.get();
        } else if (socket_ && is_connected()) {
            return std::move(socket_);
        }
        for (; next_ != nullptr; next_ = next_->ai_next)
            if (begin(*next_)) return next_ = next_->ai_next, std::nullopt;
        throw std::system_error(error_, std::generic_category());
    }

private:
    struct free_addresses {
        void operator()(addrinfo* a) const noexcept { ::freeaddrinfo(a); }
    };
    using addresses = std::unique_ptr<addrinfo, free_addresses>;

    static addresses look_up(std::string const& host, std::uint16_t port, int flags) {
        addrinfo hints{};
        hints.ai_flags = flags | AI_NUMERICSERV;
        hints.ai_socktype = SOCK_STREAM;
        addrinfo* found = nullptr;
        int const error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
        if (error != 0) throw std::runtime_error(::gai_strerror(error));
        return addresses(found);
    }

    // Unless it fails at once, the socket can be written when it has connected or failed.
    bool begin(addrinfo const& to) {
        int const fd = ::socket(to.ai_family, SOCK_STREAM, 0);
        if (fd >= 0) {
            socket_ = descriptor(fd);
            socket_.set(IPPROTO_TCP, TCP_NODELAY, 1);
            socket_.set(IPPROTO_TCP, TCP_NOTSENT_LOWAT, 128 * 1024); // what waits, waits where its end is awaited
            if (::connect(fd, to.ai_addr, to.ai_addrlen) == 0 || errno == EINPROGRESS) return true;
        }
        error_ = errno;
        return false;
    }

    bool is_connected() {
        socklen_t size = sizeof error_;
        ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error_, &size);
        return error_ == 0;
    }

    std::future<addresses> looked_up_; // the other end of `socket_` is closed when it is there
    addresses found_;
    addrinfo const* next_ = nullptr;
    descriptor socket_;
    int error_ = 0;
};

} // namespace posix_driver

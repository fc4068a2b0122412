// A server on POSIX sockets: the connections of a wire::server, over TCP or TLS. One thread, one poll.
#pragma once

#include "descriptor.hpp"
#include "stream.hpp"

#include <socketless/core/time.hpp>
#include <socketless/wire/transmit.hpp>

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace posix_driver {

namespace wire = socketless::wire;
using socketless::time_point;

/// `Wire` is a wire::server. `Application` has `void handle(event&)` for its events, and, if the wire's options ask for
/// other paths, `wire::response answer(wire::request const&)`, whose views live until the next one.
template <class Wire, class Application>
class server {
public:
    server(Wire& io, Application& application, server_tls tls = {})
        : io_(io), application_(application), tls_(std::move(tls)), input_(std::size_t{64} * 1024) {}

    /// Listens on all addresses of the machine. Returns the port, which 0 leaves to the system. Throws if that fails.
    std::uint16_t listen(std::uint16_t port) {
        auto listening = listen_on(port);
        listener_ = std::move(listening.socket);
        return listening.port;
    }

    /// Serves. The first SIGINT or SIGTERM closes all in good order, the second one ends the process.
    void run() {
        close_on_signals();
        for (drive(); !io_.is_done(); drive()) {
            int const wait = watch();
            ::poll(watched_.data(), static_cast<nfds_t>(watched_.size()), wait);
            if (was_asked_ != 0) io_.close();
            io_.handle_timeout(now()); // does no harm if it is not due
            for (pollfd const& p : watched_) take(p);
        }
    }

private:
    static constexpr std::chrono::milliseconds accept_pause{100};

    // It is called by its descriptor.
    struct connection {
        stream bytes;
        std::string unsent = {};
        bool has_ended = false; // the client's side
    };

    static time_point now() { return std::chrono::steady_clock::now(); }

    // The loop: runs after each input.
    void drive() {
        for (;;) {
            handle_events();
            auto const t = io_.poll_transmit(buffer_);
            if (!t) return;
            perform(*t);
        }
    }

    void handle_events() {
        while (auto e = io_.poll_event()) application_.handle(*e);
        while (auto const r = io_.poll_request())
            if constexpr (requires { application_.answer(*r); })
                io_.respond(r->exchange, application_.answer(*r), now()).ignore();
    }

    //=== what the wire wants ===//

    void perform(wire::transmit const& t) {
        auto const found = connections_.find(static_cast<int>(t.connection));
        if (found == connections_.end()) return;
        switch (t.type) {
        case wire::transmit_type::send: return send(found->first, found->second, t);
        case wire::transmit_type::end: return found->second.bytes.end();
        default: connections_.erase(found); accepts_again_.reset();
        }
    }

    void send(int fd, connection& c, wire::transmit const& t) {
        auto const written = write(c.bytes, t.data);
        if (written.status == io_status::failed) return lose(fd, c);
        c.unsent = t.data.substr(written.size);
        if (!c.unsent.empty()) io_.pause(t.connection);
    }

    // Says how much has gone in all.
    static io_result write(stream& s, std::string_view bytes) {
        io_result all{io_status::done};
        while (all.status == io_status::done && all.size != bytes.size()) {
            auto const written = s.write(bytes.substr(all.size));
            all.status = written.status;
            all.size += written.size;
        }
        return all;
    }

    // A write has failed. The system tells an error once: a read may find no more than the end behind it.
    void lose(int fd, connection& c) {
        read(fd, c); // what came before
        if (connections_.erase(fd) == 0) return;
        io_.closed(id_of(fd), now());
        accepts_again_.reset();
    }

    //=== what happened ===//

    void take(pollfd const& p) {
        if (p.fd == signals_.get()) return;
        if (p.fd == listener_.get()) return p.revents != 0 ? accept() : void();
        auto const found = connections_.find(p.fd);
        if (found == connections_.end()) return;
        connection& c = found->second;
        if ((p.revents & POLLOUT) != 0 && !c.unsent.empty() && !write_rest(p.fd, c)) return;
        if ((p.revents & ~POLLOUT) != 0 || c.bytes.wants_write() || c.bytes.has_unread()) read(p.fd, c);
    }

    void accept() {
        for (;;) {
            sockaddr_storage peer{};
            socklen_t size = sizeof peer;
            auto* const generic = reinterpret_cast<sockaddr*>(&peer);
            int const fd = ::accept(listener_.get(), generic, &size);
            if (fd < 0) {
                // The client still waits in the backlog, and would wake poll() again and again.
                if (errno == EMFILE || errno == ENFILE) accepts_again_ = now() + accept_pause;
                return;
            }
            descriptor socket(fd);
            socket.set(IPPROTO_TCP, TCP_NODELAY, 1);
            std::array<char, NI_MAXHOST> address{};
            ::getnameinfo(generic, size, address.data(), address.size(), nullptr, 0, NI_NUMERICHOST);
            connections_.emplace(fd, connection{stream(std::move(socket), tls_)});
            io_.accepted(id_of(fd), address.data(), now());
        }
    }

    void read(int fd, connection& c) {
        constexpr int most = 16; // then others have their turn
        for (int i = 0; i != most; ++i) {
            auto const got = c.bytes.read(input_);
            if (got.status == io_status::again) return;
            if (got.status == io_status::done)
                io_.received(id_of(fd), std::span(input_).first(got.size), now());
            else if (got.status == io_status::ended)
                io_.ended(id_of(fd), now());
            else
                io_.closed(id_of(fd), now());
            handle_events(); // then `input_` is free again
            if (got.status == io_status::failed) connections_.erase(fd);
            if (got.status == io_status::ended) c.has_ended = true;
            if (got.status != io_status::done) return;
        }
    }

    // Returns false if the connection is gone.
    bool write_rest(int fd, connection& c) {
        auto const written = write(c.bytes, c.unsent);
        if (written.status == io_status::failed) return lose(fd, c), false;
        c.unsent.erase(0, written.size);
        if (c.unsent.empty()) io_.resume(id_of(fd));
        return true;
    }

    [[nodiscard]] static wire::connection_id id_of(int fd) noexcept { return static_cast<wire::connection_id>(fd); }

    //=== what to wait for ===//

    // Returns for how long, in milliseconds.
    [[nodiscard]] int watch() {
        watched_.clear();
        watched_.push_back({signals_.get(), POLLIN, 0});
        if (accepts_again_ && *accepts_again_ <= now()) accepts_again_.reset();
        if (!accepts_again_) watched_.push_back({listener_.get(), POLLIN, 0});
        bool has_unread = false;
        for (auto const& [fd, c] : connections_) {
            bool const wants_write = !c.unsent.empty() || c.bytes.wants_write();
            watched_.push_back({fd, static_cast<short>((c.has_ended ? 0 : POLLIN) | (wants_write ? POLLOUT : 0)), 0});
            has_unread = has_unread || c.bytes.has_unread();
        }
        auto const next = socketless::earlier(io_.poll_timeout(), accepts_again_);
        if (!next || has_unread) return has_unread ? 0 : -1;
        auto const wait = std::chrono::ceil<std::chrono::milliseconds>(*next - now()).count(); // not too early
        return static_cast<int>(std::clamp<std::int64_t>(wait, 0, 1'000'000));
    }

    //=== signals ===//

    static inline volatile std::sig_atomic_t was_asked_ = 0;
    static inline int wake_up_ = -1; // the handler writes to it, so that poll returns

    void close_on_signals() {
        int ends[2];
        if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
            throw std::system_error(errno, std::generic_category(), "socketpair");
        signals_ = descriptor(ends[0]);
        wake_up_ = ends[1];
        struct sigaction action {};
        action.sa_handler = [](int signal) {
            if (was_asked_ != 0) ::_exit(128 + signal);
            was_asked_ = 1;
            int const error = errno;
            static_cast<void>(::send(wake_up_, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT));
            errno = error;
        };
        for (int const signal : {SIGINT, SIGTERM}) ::sigaction(signal, &action, nullptr);
        std::signal(SIGPIPE, SIG_IGN); // OpenSSL writes without MSG_NOSIGNAL
    }

    Wire& io_;
    Application& application_;
    server_tls tls_;
    descriptor listener_;
    descriptor signals_;
    std::map<int, connection> connections_;
    // No descriptors were left: when to accept again, unless a connection goes before.
    std::optional<time_point> accepts_again_;
    std::vector<pollfd> watched_;
    std::vector<char> input_;
    std::string buffer_;
};

} // namespace posix_driver

// Streams over TCP with nothing but POSIX: the framing of WebTransport, for a socketless::server, a socketless::client
// or a session of Engine.IO alone. One thread, one poll.
#pragma once

#include "descriptor.hpp"

#include <socketless/core/time.hpp>
#include <socketless/engineio/session.hpp>

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace posix_driver {

namespace engineio = socketless::engineio;
using socketless::time_point;

/// `Application` has `void handle(event&)` for the events of `Session`.
template <class Session, class Application>
class streams {
public:
    streams(Session& io, Application& application) : io_(io), application_(application) {}

    /// Server: listens on all addresses of the machine. Returns the port, which 0 leaves to the system.
    std::uint16_t listen(std::uint16_t port) {
        auto listening = listen_on(port);
        listener_ = std::move(listening.socket);
        return listening.port;
    }

    /// Client: where streams lead. An address, not a name: looking up a name would block everything.
    void connect_to(std::string const& address, std::string const& port) {
        addrinfo hints{};
        hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
        hints.ai_socktype = SOCK_STREAM;
        addrinfo* found = nullptr;
        if (::getaddrinfo(address.c_str(), port.c_str(), &hints, &found) != 0)
            throw std::system_error(std::make_error_code(std::errc::invalid_argument), address + ':' + port);
        peer_.reset(found);
    }

    /// Runs until there is nothing to wait for: no listener, stream or timer.
    void run() {
        for (drive();;) {
            watch();
            auto const wait = time_to_wait();
            if (watched_.empty() && !wait) return;
            ::poll(watched_.data(), static_cast<nfds_t>(watched_.size()), wait.value_or(-1));
            io_.handle_timeout(now()); // does no harm if it is not due
            drive();
            drop_expired();
            for (std::size_t i = 0; i != watched_.size(); ++i)
                if (watched_[i].revents != 0) take(ids_[i], watched_[i].revents);
        }
    }

private:
    static constexpr std::chrono::seconds max_goodbye{5};
    static constexpr std::chrono::milliseconds accept_pause{100};
    static constexpr engineio::channel_id no_channel = std::numeric_limits<engineio::channel_id>::max();

    struct stream {
        descriptor socket;
        std::string unsent = {};
        bool is_connecting = false;
        /// It is closing: until when the peer may take for its part.
        std::optional<time_point> deadline = std::nullopt;
    };

    static time_point now() { return std::chrono::steady_clock::now(); }

    // The loop: runs after each input.
    void drive() {
        for (;;) {
            if (auto e = io_.poll_event()) {
                application_.handle(*e);
            } else if (auto const t = io_.poll_transmit(buffer_)) {
                switch (t->type) {
                case engineio::transmit_type::open_stream: open(t->id); break;
                case engineio::transmit_type::send: send(t->id, t->data.data); break;
                case engineio::transmit_type::close: close(t->id); break;
                default: break; // of other transports
                }
            } else {
                return;
            }
        }
    }

    //=== what the session wants ===//

    void open(engineio::channel_id id) {
        stream s{.socket = descriptor(::socket(peer_->ai_family, SOCK_STREAM, 0)), .is_connecting = true};
        s.socket.set(IPPROTO_TCP, TCP_NODELAY, 1);
        // Unless it fails at once, it becomes writable when it has connected or failed.
        int const status = ::connect(s.socket.get(), peer_->ai_addr, peer_->ai_addrlen);
        if (status != 0 && errno != EINPROGRESS) return io_.channel_closed(id, now());
        streams_.emplace(id, std::move(s));
    }

    void send(engineio::channel_id id, std::string_view bytes) {
        auto const found = streams_.find(id);
        if (found == streams_.end()) return;
        found->second.unsent += bytes;
        if (!flush(found->second)) io_.pause(id);
    }

    void close(engineio::channel_id id) {
        auto const found = streams_.find(id);
        if (found == streams_.end()) return;
        if (found->second.is_connecting) {
            streams_.erase(found);
            return;
        }
        found->second.deadline = now() + max_goodbye;
        flush(found->second);
    }

    // Sends what is unsent. Returns false if a part has to wait.
    static bool flush(stream& s) {
        std::string_view rest = s.unsent;
        while (!rest.empty()) {
            auto const sent = ::send(s.socket.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
            if (sent < 0 && errno == EINTR) continue;
            if (sent < 0) break;
            rest.remove_prefix(static_cast<std::size_t>(sent));
        }
        bool const has_to_wait = !rest.empty() && (errno == EAGAIN || errno == EWOULDBLOCK);
        s.unsent.erase(0, has_to_wait ? s.unsent.size() - rest.size() : s.unsent.size());
        if (has_to_wait) return false;
        // Reading shows that a stream is gone. Closing it at once would lose bytes on their way: the peer still sends,
        // and would get a reset.
        if (s.deadline) ::shutdown(s.socket.get(), SHUT_WR);
        return true;
    }

    //=== what happened ===//

    void take(engineio::channel_id id, short happened) {
        if (id == no_channel) return accept();
        auto found = streams_.find(id);
        if (found == streams_.end()) return;
        if (found->second.is_connecting) return take_connection(id, found->second);
        if ((happened & POLLOUT) != 0 && flush(found->second) && !found->second.deadline) {
            io_.resume(id);
            drive();
            found = streams_.find(id);
        }
        if ((happened & ~POLLOUT) != 0 && found != streams_.end()) receive(id, found->second);
    }

    void accept() {
        for (;;) {
            int const fd = ::accept(listener_.get(), nullptr, nullptr);
            if (fd < 0) {
                // The client still waits in the backlog, and would wake poll() again and again.
                if (errno == EMFILE || errno == ENFILE) accepts_again_ = now() + accept_pause;
                return;
            }
            descriptor socket(fd);
            socket.set(IPPROTO_TCP, TCP_NODELAY, 1);
            auto const id = ++last_id_;
            streams_.emplace(id, stream{.socket = std::move(socket)});
            if constexpr (requires { io_.stream_opened(id, now()); }) io_.stream_opened(id, now());
            drive();
        }
    }

    void take_connection(engineio::channel_id id, stream& s) {
        int error = 0;
        socklen_t size = sizeof error;
        ::getsockopt(s.socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
        if (error != 0) return drop(id);
        s.is_connecting = false;
        if constexpr (requires { io_.channel_opened(id, now()); }) io_.channel_opened(id, now());
        drive();
    }

    void receive(engineio::channel_id id, stream const& s) {
        char chunk[std::size_t{64} * 1024];
        auto const size = ::recv(s.socket.get(), chunk, sizeof chunk, 0);
        if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return;
        if (size <= 0) return drop(id);
        if (s.deadline) return; // the stream is closing
        io_.stream_received(id, {chunk, static_cast<std::size_t>(size)}, now());
        drive();
    }

    void drop(engineio::channel_id id) {
        bool const is_closing = streams_.extract(id).mapped().deadline.has_value();
        accepts_again_.reset();
        if (is_closing) return;
        io_.channel_closed(id, now());
        drive();
    }

    void drop_expired() {
        auto const is_due = [at = now()](std::optional<time_point> const& t) { return t && *t <= at; };
        auto const dropped = std::erase_if(streams_, [&](auto const& s) { return is_due(s.second.deadline); });
        if (dropped != 0 || is_due(accepts_again_)) accepts_again_.reset();
    }

    //=== what to wait for ===//

    void watch() {
        watched_.clear();
        ids_.clear();
        if (listener_ && !accepts_again_) {
            watched_.push_back({listener_.get(), POLLIN, 0});
            ids_.push_back(no_channel);
        }
        for (auto const& [id, s] : streams_) {
            int const wanted = (s.is_connecting ? 0 : POLLIN) | (s.is_connecting || !s.unsent.empty() ? POLLOUT : 0);
            watched_.push_back({s.socket.get(), static_cast<short>(wanted), 0});
            ids_.push_back(id);
        }
    }

    // Rounded up: waking too early means waiting once more.
    [[nodiscard]] std::optional<int> time_to_wait() const {
        auto next = socketless::earlier(io_.poll_timeout(), accepts_again_);
        for (auto const& [id, s] : streams_) next = socketless::earlier(next, s.deadline);
        if (!next) return std::nullopt;
        auto const wait = std::chrono::ceil<std::chrono::milliseconds>(*next - now()).count();
        return static_cast<int>(std::clamp<std::int64_t>(wait, 0, 1'000'000));
    }

    struct free_addresses {
        void operator()(addrinfo* a) const noexcept { ::freeaddrinfo(a); }
    };

    Session& io_;
    Application& application_;
    descriptor listener_;
    /// No descriptors were left: when to accept again, unless a stream goes before.
    std::optional<time_point> accepts_again_;
    std::unique_ptr<addrinfo, free_addresses> peer_;
    std::map<engineio::channel_id, stream> streams_;
    engineio::channel_id last_id_ = 0; // a server's
    std::vector<pollfd> watched_;
    std::vector<engineio::channel_id> ids_; // in the same order
    std::string buffer_;
};

} // namespace posix_driver

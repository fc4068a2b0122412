// The network of the programs on POSIX sockets: the connections of a wire::server or a wire::client, over TCP or TLS.
// One thread, one poll.
#pragma once

#include "connector.hpp"
#include "descriptor.hpp"
#include "readiness.hpp"
#include "stream.hpp"
#include "watchers.hpp"

#include <socketless/core/time.hpp>
#include <socketless/wire/transmit.hpp>

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <map>
#include <memory>
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

/// `Wire` is a wire::server, a wire::client or `framed`. `Application` has `void handle(event&)` for its events. If the
/// options of a server ask for other paths, it also has `wire::response answer(wire::request const&)`, whose views live
/// until the next one.
template <class Wire, class Application>
class network : public watchers {
public:
    network(Wire& io, Application& application, tls_context tls = {})
        : io_(io), application_(application), tls_(std::move(tls)), input_(std::size_t{64} * 1024) {}
    network(network const&) = delete;
    network& operator=(network const&) = delete;
    ~network() {
        if (companion_ != nullptr) companion_->end();
    }

    /// Server: listens on all addresses of the machine. Returns the port, which 0 leaves to the system. Throws if that
    /// fails.
    std::uint16_t listen(std::uint16_t port) {
        auto listening = listen_on(port);
        listener_ = std::move(listening.socket);
        watch(listener_.get(), [this] { accept(); });
        return listening.port;
    }

    /// Runs `other` beside the wire. Precondition: it outlives the network.
    void accompany(companion& other) {
        companion_ = &other;
        other.begin(*this);
    }

    /// Runs until `at_rest` says so: it is called whenever both polls have run dry, and returns whether to go on.
    template <class AtRest>
    void run(AtRest at_rest) {
        for (drive(); at_rest(); drive()) {
            int const wait = prepare();
            ::poll(watched_.data(), static_cast<nfds_t>(watched_.size()), wait);
            io_.handle_timeout(now()); // does no harm if it is not due
            take_all();
        }
    }

    /// The loop: runs by itself after each input. An application that acts by itself may call it afterwards.
    void drive() {
        for (;;) {
            handle_events();
            auto const t = io_.poll_transmit(buffer_);
            if (!t) return;
            perform(*t);
        }
    }

    /// Why the last connection of a client was lost or not made, in the words of the system; empty if it was not.
    [[nodiscard]] std::string const& failure() const noexcept { return failure_; }

private:
    static constexpr std::chrono::milliseconds accept_pause{100};

    struct connection {
        stream bytes = {};
        std::unique_ptr<connector> connecting = {};
        std::string tls_host = {}; // for TLS, until it has begun
        bool is_agreeing = false;  // on TLS
        bool has_ended = false;    // the peer's side
        std::string unsent = {};
        pollfd awaited = {-1, 0, 0}; // as `readiness` knows it

        [[nodiscard]] pollfd watched() const noexcept {
            if (connecting) return {connecting->fd(), connecting->events(), 0};
            bool const wants_write = !unsent.empty() || bytes.wants_write();
            return {bytes.fd(), static_cast<short>((has_ended ? 0 : POLLIN) | (wants_write ? POLLOUT : 0)), 0};
        }
    };

    static time_point now() { return std::chrono::steady_clock::now(); }

    void handle_events() {
        do {
            while (auto e = io_.poll_event()) application_.handle(*e);
        } while (companion_ != nullptr && companion_->drive(now()));
        if constexpr (requires { application_.answer(*io_.poll_request()); })
            while (auto const r = io_.poll_request()) io_.respond(r->exchange, application_.answer(*r), now()).ignore();
    }

    //=== what the wire wants ===//

    void perform(wire::transmit const& t) {
        if (t.type == wire::transmit_type::connect) return connect(t);
        auto const found = connections_.find(t.connection);
        if (found == connections_.end()) return;
        touched_.push_back(t.connection);
        switch (t.type) {
        case wire::transmit_type::start_tls: return start_tls(t, found->second);
        case wire::transmit_type::send: return send(t, found->second);
        case wire::transmit_type::end: return found->second.bytes.end();
        default: return forget(t.connection);
        }
    }

    void connect(wire::transmit const& t) {
        failure_.clear();
        std::string const host(t.host);
        connection& c = connections_[t.connection];
        touched_.push_back(t.connection);
        try {
            if (t.tls) c.tls_host = host;
            c.connecting = std::make_unique<connector>(host, t.port);
        } catch (std::exception const& e) {
            return give_up(t.connection, e.what());
        }
        if (c.connecting->fd() < 0) go_on(t.connection, c); // an address
    }

    void start_tls(wire::transmit const& t, connection& c) {
        c.tls_host = t.host;
        go_on(t.connection, c);
    }

    // Connects and agrees on TLS, as far as that goes without waiting.
    void go_on(wire::connection_id id, connection& c) {
        try {
            if (c.connecting) {
                auto socket = c.connecting->advance();
                if (!socket) return;
                c.connecting.reset();
                c.bytes = stream(std::move(*socket));
            }
            if (!c.tls_host.empty()) c.bytes.start_tls(tls_, std::exchange(c.tls_host, {}));
            c.is_agreeing = !c.bytes.agree();
        } catch (std::exception const& e) {
            return give_up(id, e.what());
        }
        if constexpr (requires { io_.connected(id, now()); })
            if (!c.is_agreeing) io_.connected(id, now());
    }

    void send(wire::transmit const& t, connection& c) {
        auto const written = write(c.bytes, t.data);
        if (written.status == io_status::failed) return lose(t.connection, c);
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
    void lose(wire::connection_id id, connection& c) {
        auto const why = std::generic_category().message(errno);
        read(id, c); // what came before
        if (connections_.contains(id)) give_up(id, why);
    }

    void give_up(wire::connection_id id, std::string why) {
        failure_ = std::move(why);
        forget(id);
        io_.closed(id, now());
    }

    void forget(wire::connection_id id) {
        connections_.erase(id);
        ready_.forget(id);
        accept_again(); // a descriptor is free
    }

    //=== what happened ===//

    void take_all() {
        for (std::size_t i = 0; i != watchers_before_; ++i) tell(watched_[i]);
        for (auto const id : std::exchange(unread_, {})) take(id, POLLIN);
        ready_.for_each_ready(watched_.data() + watchers_before_,
                              [this](wire::connection_id id, short happened) { take(id, happened); });
    }

    void take(wire::connection_id id, short happened) {
        auto const found = connections_.find(id);
        if (found == connections_.end()) return;
        connection& c = found->second;
        touched_.push_back(id);
        if (c.connecting || c.is_agreeing) return happened != 0 ? go_on(id, c) : void();
        if ((happened & POLLOUT) != 0 && !c.unsent.empty() && !write_rest(id, c)) return;
        if ((happened & ~POLLOUT) != 0 || c.bytes.wants_write() || c.bytes.has_unread()) read(id, c);
    }

    void accept() {
        for (;;) {
            sockaddr_storage peer{};
            socklen_t size = sizeof peer;
            auto* const generic = reinterpret_cast<sockaddr*>(&peer);
            int const fd = ::accept(listener_.get(), generic, &size);
            if (fd < 0) {
                bool const is_for_now = errno == EAGAIN || errno == EWOULDBLOCK;
                bool const has_gone = errno == EINTR || errno == ECONNABORTED;
                if (has_gone) continue;
                // No descriptor, no memory: the client still waits, and would wake poll() again and again.
                if (!is_for_now) accepts_again_ = now() + accept_pause;
                if (accepts_again_) unwatch(listener_.get());
                return;
            }
            descriptor socket(fd);
            socket.set(IPPROTO_TCP, TCP_NODELAY, 1);
            std::array<char, NI_MAXHOST> address{};
            ::getnameinfo(generic, size, address.data(), address.size(), nullptr, 0, NI_NUMERICHOST);
            auto const id = ++last_id_;
            connection& c = connections_[id];
            touched_.push_back(id);
            c.bytes = stream(std::move(socket));
            c.bytes.accept_tls(tls_);
            if constexpr (requires { io_.accepted(id, "", now()); }) io_.accepted(id, address.data(), now());
        }
    }

    void accept_again() {
        if (!std::exchange(accepts_again_, std::nullopt)) return;
        watch(listener_.get(), [this] { accept(); });
    }

    void read(wire::connection_id id, connection& c) {
        constexpr int most = 16; // then others have their turn
        for (int i = 0; i != most; ++i) {
            auto const got = c.bytes.read(input_);
            if (got.status == io_status::again) return;
            if (got.status == io_status::failed) return give_up(id, std::generic_category().message(errno));
            c.has_ended = got.status == io_status::ended;
            if (c.has_ended)
                io_.ended(id, now());
            else
                io_.received(id, std::span(input_).first(got.size), now());
            handle_events(); // then `input_` is free again
            if (c.has_ended) return;
        }
    }

    // Returns false if the connection is gone.
    bool write_rest(wire::connection_id id, connection& c) {
        auto const written = write(c.bytes, c.unsent);
        if (written.status == io_status::failed) return lose(id, c), false;
        c.unsent.erase(0, written.size);
        if (c.unsent.empty())
            io_.resume(id);
        else if (written.size != 0)
            io_.pause(id); // slow, but it reads
        return true;
    }

    //=== what to wait for ===//

    // Returns for how long, in milliseconds.
    [[nodiscard]] int prepare() {
        if (accepts_again_ && *accepts_again_ <= now()) accept_again();
        for (auto const id : touched_) note_touched(id);
        touched_.clear();
        watched_.clear();
        add_to(watched_);
        watchers_before_ = watched_.size();
        ready_.add_to(watched_);
        auto next = socketless::earlier(io_.poll_timeout(), accepts_again_);
        if (companion_ != nullptr) next = socketless::earlier(next, companion_->poll_timeout());
        if (!next || !unread_.empty()) return unread_.empty() ? -1 : 0;
        auto const wait = std::chrono::ceil<std::chrono::milliseconds>(*next - now()).count(); // not too early
        return static_cast<int>(std::clamp<std::int64_t>(wait, 0, 1'000'000));
    }

    // What it waits for may have changed.
    void note_touched(wire::connection_id id) {
        auto const found = connections_.find(id);
        if (found == connections_.end()) return;
        connection& c = found->second;
        auto const wanted = c.watched();
        // The next socket of one that connects may have the number of the last.
        bool const is_same = wanted.fd == c.awaited.fd && wanted.events == c.awaited.events && !c.connecting;
        if (!is_same) ready_.await(id, c.awaited = wanted);
        if (c.bytes.has_unread()) unread_.push_back(id);
    }

    Wire& io_;
    Application& application_;
    tls_context tls_;
    descriptor listener_;
    // No descriptors were left: when to accept again, unless a connection goes before.
    std::optional<time_point> accepts_again_;
    companion* companion_ = nullptr;
    std::map<wire::connection_id, connection> connections_;
    wire::connection_id last_id_ = 0; // of a server
    readiness ready_;
    std::vector<wire::connection_id> touched_; // what they wait for may have changed; some come twice
    std::vector<wire::connection_id> unread_;  // has bytes that the system does not know of
    std::vector<pollfd> watched_;              // first those of the watchers, then that of the connections
    std::size_t watchers_before_ = 0;
    std::vector<char> input_;
    std::string buffer_;
    std::string failure_;
};

} // namespace posix_driver

// The network of poll_server.cpp and poll_client.cpp: moves the bytes of TCP connections with poll(2), for a
// wire::server or a wire::client. Copy it and make it your own. It knows neither HTTP nor WebSocket.
#pragma once

#include <socketless/core/time.hpp>
#include <socketless/wire/transmit.hpp>

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace wire = socketless::wire;

template <class Wire>
struct network {
    struct connection {
        int fd = -1;
        std::string unsent = {};
        bool is_connecting = false;
        bool has_ended = false; // the peer's side
    };

    Wire& io;
    int listener = -1;
    std::map<wire::connection_id, connection> connections = {}; // a server calls them by their sockets' numbers
    std::vector<pollfd> ready = {};
    std::string input = std::string(std::size_t{64} * 1024, '\0');

    static auto now() { return std::chrono::steady_clock::now(); }

    bool listen_on(int port) { // on all addresses
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(port));
        listener = ::socket(AF_INET, SOCK_STREAM, 0);
        int const on = 1;
        ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        ::fcntl(listener, F_SETFL, O_NONBLOCK);
        return ::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
               ::listen(listener, SOMAXCONN) == 0;
    }

    // Sleeps until a socket is ready, or the time has come.
    void wait(std::optional<socketless::time_point> until) {
        ready.clear();
        if (listener >= 0) ready.push_back({listener, POLLIN, 0});
        for (auto const& [id, c] : connections) {
            bool const wants_write = c.is_connecting || !c.unsent.empty();
            ready.push_back({c.fd, static_cast<short>((c.has_ended ? 0 : POLLIN) | (wants_write ? POLLOUT : 0)), 0});
        }
        auto const left = ceil<std::chrono::milliseconds>(until.value_or(now() + std::chrono::minutes(1)) - now());
        ::poll(ready.data(), static_cast<nfds_t>(ready.size()), std::max(0, static_cast<int>(left.count())));
        io.handle_timeout(now());
    }

    // Takes the input of one socket, until poll_event has returned nothing; false if no other is ready.
    bool take_input() {
        while (!ready.empty()) {
            pollfd const p = ready.back();
            ready.pop_back();
            if (p.revents == 0) continue;
            if (p.fd == listener) return accept_one(), true;
            for (auto& [id, c] : connections)
                if (c.fd == p.fd) return take(id, c, p.revents), true;
        }
        return false;
    }

    void perform(wire::transmit const& t) {
        if (t.type == wire::transmit_type::connect) return connect_to(t);
        auto const found = connections.find(t.connection);
        if (found == connections.end()) return;
        connection& c = found->second;
        switch (t.type) {
        case wire::transmit_type::send: c.unsent += t.data; return write(t.connection, c);
        case wire::transmit_type::end: ::shutdown(c.fd, SHUT_WR); return;
        case wire::transmit_type::close: return forget(t.connection);
        default: return give_up(t.connection); // TLS, which needs a library: see tests/interop/posix/stream.hpp
        }
    }

private:
    void accept_one() {
        int const fd = ::accept(listener, nullptr, nullptr);
        if (fd < 0) return;
        ::fcntl(fd, F_SETFL, O_NONBLOCK);
        auto const id = static_cast<wire::connection_id>(fd);
        connections[id].fd = fd;
        if constexpr (requires { io.accepted(id, "", now()); }) io.accepted(id, "", now());
    }

    void connect_to(wire::transmit const& t) { // looking up the name blocks
        addrinfo hints{};
        hints.ai_socktype = SOCK_STREAM;
        addrinfo* found = nullptr;
        if (t.tls || ::getaddrinfo(std::string(t.host).c_str(), std::to_string(t.port).c_str(), &hints, &found) != 0)
            return io.closed(t.connection, now());
        connection& c = connections[t.connection];
        c = {.fd = ::socket(found->ai_family, SOCK_STREAM, 0), .is_connecting = true};
        ::fcntl(c.fd, F_SETFL, O_NONBLOCK);
        ::connect(c.fd, found->ai_addr, found->ai_addrlen); // it is writable once it has connected, or failed
        ::freeaddrinfo(found);
    }

    void take(wire::connection_id id, connection& c, short happened) {
        if (c.is_connecting) return take_connection(id, c);
        if ((happened & POLLOUT) != 0) write(id, c);
        if ((happened & ~POLLOUT) == 0) return;
        auto const size = ::recv(c.fd, input.data(), input.size(), 0);
        if (size > 0) return io.received(id, {input.data(), static_cast<std::size_t>(size)}, now());
        if (size < 0) return errno == EAGAIN || errno == EINTR ? void() : give_up(id);
        c.has_ended = true;
        io.ended(id, now());
    }

    void take_connection(wire::connection_id id, connection& c) {
        int error = 0;
        socklen_t size = sizeof error;
        ::getsockopt(c.fd, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error != 0) return give_up(id);
        c.is_connecting = false;
        if constexpr (requires { io.connected(id, now()); }) io.connected(id, now());
    }

    void write(wire::connection_id id, connection& c) { // if it fails, reading fails too
        auto const size = ::send(c.fd, c.unsent.data(), c.unsent.size(), MSG_NOSIGNAL);
        if (size > 0) c.unsent.erase(0, static_cast<std::size_t>(size));
        c.unsent.empty() ? io.resume(id) : io.pause(id);
    }

    void give_up(wire::connection_id id) { // the connection is gone
        io.closed(id, now());
        forget(id);
    }
    void forget(wire::connection_id id) {
        ::close(connections[id].fd);
        connections.erase(id);
    }
};

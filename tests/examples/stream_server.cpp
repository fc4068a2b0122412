// tests/examples/stream_server.cpp: the chat of lobby.hpp over plain TCP, without HTTP and WebSocket. Engine.IO
// frames its packets on a stream as over WebTransport: for clients that are programs, as tests/examples/README.md says.
//
//     stream_server [port]
#include "examples/lobby.hpp"

#include <socketless/core/system_random.hpp>
#include <socketless/server.hpp>

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <map>
#include <string>
#include <vector>

using namespace socketless;
using engineio::transmit_type;
constexpr auto now = std::chrono::steady_clock::now;

struct connection {
    int fd;
    std::string unsent = {};
    time_point end = time_point::max(); // when a connection that closes is over, whatever its client does
};

struct program {
    int listener;
    server io{{.engine = {.transports = {engineio::transport::webtransport}}}, system_random(), now()};
    lobby application{io};
    std::string buffer = {};
    engineio::channel_id last_id = 0;
    std::map<engineio::channel_id, connection> connections = {};

    void drive() { // runs after each input
        for (;;) {
            while (auto e = io.poll_event()) application.handle(*e);
            auto const t = io.poll_transmit(buffer);
            if (!t) break;
            auto const c = connections.find(t->id);
            if (c == connections.end()) continue; // it has gone, and the server does not know yet
            if (t->type == transmit_type::send) c->second.unsent += t->data.data;
            if (t->type == transmit_type::close) c->second.end = now() + std::chrono::seconds(10);
            write(t->id, c->second);
        }
    }

    // Sends what the system takes. If that is not all, the server keeps what comes next: then it can drop volatile
    // events, and end a connection for which too much waits.
    void write(engineio::channel_id id, connection& c) {
        auto const size = ::send(c.fd, c.unsent.data(), c.unsent.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (size > 0) c.unsent.erase(0, static_cast<std::size_t>(size));
        c.unsent.empty() ? io.resume(id) : io.pause(id);
        if (c.end != time_point::max() && c.unsent.empty())
            ::shutdown(c.fd, SHUT_WR); // the client closes its side then
    }

    // Whether the connection is still there.
    bool read(engineio::channel_id id, connection const& c) {
        char chunk[16'384];
        auto const size = ::recv(c.fd, chunk, sizeof chunk, MSG_DONTWAIT);
        if (size < 0 && (errno == EAGAIN || errno == EINTR)) return true;
        if (size > 0)
            io.stream_received(id, {chunk, static_cast<std::size_t>(size)}, now());
        else
            io.channel_closed(id, now());
        drive(); // `chunk` lives until all its events are out
        return size > 0;
    }

    void wait() {
        std::vector<pollfd> polls{{listener, POLLIN, 0}};
        for (auto const& [id, c] : connections)
            polls.push_back({c.fd, static_cast<short>(c.unsent.empty() ? POLLIN : POLLIN | POLLOUT), 0});
        auto const at = std::min(io.poll_timeout().value_or(time_point::max()), now() + std::chrono::seconds(1));
        auto const left = std::max(std::chrono::ceil<milliseconds>(at - now()), milliseconds(0));
        ::poll(polls.data(), polls.size(), static_cast<int>(left.count()));
        io.handle_timeout(now()); // too early does no harm
        auto polled = polls.begin();
        int const client = polled++->revents != 0 ? ::accept(listener, nullptr, nullptr) : -1;
        for (auto c = connections.begin(); c != connections.end(); ++polled) {
            if (polled->revents & POLLOUT) write(c->first, c->second);
            bool const has_gone = ((polled->revents & ~POLLOUT) && !read(c->first, c->second)) || now() > c->second.end;
            if (has_gone) ::close(c->second.fd);
            c = has_gone ? connections.erase(c) : std::next(c);
        }
        if (client < 0) return;
        connections.emplace(++last_id, connection{client});
        io.stream_opened(last_id, now());
    }
};

int main(int argc, char** argv) {
    sockaddr_in address{AF_INET, htons(static_cast<in_port_t>(argc > 1 ? std::stoi(argv[1]) : 3000)), {INADDR_ANY}, {}};
    socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    program p{.listener = ::socket(AF_INET, SOCK_STREAM, 0)};
    if (::bind(p.listener, generic, size) != 0 || ::listen(p.listener, SOMAXCONN) != 0) return 1;
    ::getsockname(p.listener, generic, &size);
    std::cout << "listening on " << ntohs(address.sin_port) << std::endl;
    for (;;) p.drive(), p.wait();
}

// tests/examples/poll_client.cpp: says something to a chat server and prints what others say.
#include <socketless/core/system_random.hpp>
#include <socketless/http/url.hpp>
#include <socketless/wire/client.hpp>

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <iostream>
#include <map>
#include <string>
#include <utility>
#include <vector>

using namespace socketless;
using steady = std::chrono::steady_clock;

struct chat { // sees events and acts on its socket; it never meets the network
    client& io;
    std::string line;
    socketio::socket_handle lobby = io.connect("/", json::object("token", "abc")).value(); // a bad name is an error
    void handle(socketio::event& e) {
        if (e.type == socketio::event_type::open_failed) std::cout << "no connection: " << name(e.reason) << std::endl;
        if (e.type == socketio::event_type::connected) {
            std::cout << (e.recovered ? "connected again, nothing was missed" : "connected") << std::endl;
            io.emit_with_ack(lobby, std::chrono::seconds(5), "say", line).ignore(); // fails if it is not UTF-8
        } else if (e.type == socketio::event_type::ack) {
            bool const is_answered = e.outcome == socketio::ack_outcome::answered;
            std::cout << "answer: " << (is_answered ? e.get<std::string>().value_or("?") : "none") << std::endl;
        } else if (e.type == socketio::event_type::event && e.name() == "said") {
            if (auto const args = e.get<std::string, std::string>())
                std::cout << std::get<0>(*args) << ": " << std::get<1>(*args) << std::endl;
        } else if (e.type == socketio::event_type::disconnected) { // if the network failed, it connects again
            std::cout << "disconnected: " << name(e.reason) << std::endl;
        }
    }
};

struct network { // moves bytes with poll(2), without TLS
    struct connection {
        int fd = -1;
        std::string rest = {};  // of a write
        bool has_ended = false; // the server's side
    };
    wire::client<>& io;
    std::map<wire::connection_id, connection> connections = {};
    std::vector<pollfd> ready = {};
    std::string input = std::string(64 * 1024, '\0');

    void wait(std::optional<time_point> until) { // or until a socket is ready
        for (auto const& [id, c] : connections)
            ready.push_back({c.fd, static_cast<short>((c.has_ended ? 0 : POLLIN) | (c.rest.empty() ? 0 : POLLOUT)), 0});
        auto const left = ceil<milliseconds>(until.value_or(time_point::max()) - steady::now()).count();
        ::poll(ready.data(), ready.size(), static_cast<int>(std::clamp<long long>(left, 0, 60'000)));
        io.handle_timeout(steady::now());
    }
    bool take_input() { // of one socket: `input` is in use until poll_event has returned nothing
        while (!ready.empty()) {
            pollfd const p = ready.back();
            ready.pop_back();
            for (auto& [id, c] : connections)
                if (c.fd == p.fd && p.revents != 0) return take(id, c, p.revents), true;
        }
        return false;
    }
    void take(wire::connection_id id, connection& c, int happened) {
        if ((happened & POLLOUT) != 0) write(id, c);
        if ((happened & ~POLLOUT) == 0) return;
        auto const size = ::recv(c.fd, input.data(), input.size(), MSG_DONTWAIT);
        if (size > 0) return io.received(id, {input.data(), static_cast<std::size_t>(size)}, steady::now());
        if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (size == 0 && !std::exchange(c.has_ended, true)) return io.ended(id, steady::now());
        lose(id); // it has failed, or both sides have ended
    }
    void perform(wire::transmit const& t) {
        if (t.type == wire::transmit_type::connect) return connect(t);
        if (t.type == wire::transmit_type::close) return forget(t.connection);
        connections[t.connection].rest += t.data;
        write(t.connection, connections[t.connection]);
    }
    void connect(wire::transmit const& t) { // to the first of its addresses that takes it; this blocks
        addrinfo* found = nullptr;
        if (!t.tls) ::getaddrinfo(std::string(t.host).c_str(), std::to_string(t.port).c_str(), nullptr, &found);
        int& fd = connections[t.connection].fd;
        for (auto const* a = found; a != nullptr && fd < 0; a = a->ai_next) {
            if (a->ai_socktype != SOCK_STREAM) continue; // the address is there for UDP too
            fd = ::socket(a->ai_family, SOCK_STREAM, 0);
            if (::connect(fd, a->ai_addr, a->ai_addrlen) != 0) ::close(std::exchange(fd, -1));
        }
        if (found != nullptr) ::freeaddrinfo(found);
        fd < 0 ? lose(t.connection) : io.connected(t.connection, steady::now());
    }
    void write(wire::connection_id id, connection& c) { // if it fails, reading fails too
        auto const size = ::send(c.fd, c.rest.data(), c.rest.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (size > 0) c.rest.erase(0, static_cast<std::size_t>(size));
        c.rest.empty() ? io.resume(id) : io.pause(id);
    }
    void lose(wire::connection_id id) { io.closed(id, steady::now()), forget(id); }
    void forget(wire::connection_id id) { ::close(connections[id].fd), connections.erase(id); }
};

int main(int argc, char** argv) {
    auto const url = http::parse_url(argc > 1 ? argv[1] : "http://localhost:3000");
    if (!url) return std::cerr << message(url.error().code) << '\n', 1;
    wire::client<> io(*url, {}, {}, system_random(), steady::now());
    chat application{io.protocol(), argc > 2 ? argv[2] : "hello"};
    network net{io};
    for (std::string buffer;;) {
        while (auto e = io.poll_event()) application.handle(*e);
        if (net.take_input()) continue;
        auto const t = io.poll_transmit(buffer);
        if (!t && io.is_done()) return 0; // nothing is left to wait for
        t ? net.perform(*t) : net.wait(io.poll_timeout());
    }
}

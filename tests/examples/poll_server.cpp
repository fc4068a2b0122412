// tests/examples/poll_server.cpp: a chat server on POSIX sockets. A page or a Node program with socket.io-client says:
//     const socket = io("http://127.0.0.1:3000").on("said", (who, text) => console.log(who, text));
//     socket.emit("say", "hello", (answer) => console.log(answer));
#include <socketless/core/system_random.hpp>
#include <socketless/wire/server.hpp>

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace socketless;
using steady = std::chrono::steady_clock;

struct chat { // sees events and acts on sockets; it never meets the network
    server& io;
    void handle(socketio::event& e) {
        if (e.type == socketio::event_type::connected) {
            io.join(e.socket, "lobby");
            io.emit(e.socket, "hello", "welcome", io.socket_count()).ignore(); // the socket may just have gone
        } else if (e.type == socketio::event_type::event && e.name() == "say") {
            auto const text = e.get<std::string>(); // or an error: the first argument is no string
            auto const sent =
                text ? io.to("lobby").except(e.socket).emit("said", io.sid(e.socket), *text) : text.error();
            if (e.ack) io.acknowledge(e.ack, sent ? "ok" : message(sent.error().code)).ignore();
        }
    }
};

struct network { // moves bytes with poll(2); a connection is called by the number of its socket
    struct connection {
        std::string unsent = {};
        bool has_ended = false; // the client's side
    };
    wire::server<>& io;
    int listener = ::socket(AF_INET, SOCK_STREAM, 0);
    bool is_resting = false; // no connection could be accepted
    std::map<int, connection> connections = {};
    std::vector<pollfd> ready = {};
    std::string input = std::string(64 * 1024, '\0');

    bool listen_on(in_port_t port) {
        int const on = 1;
        ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        ::fcntl(listener, F_SETFL, O_NONBLOCK);
        sockaddr_in address{.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {}, .sin_zero = {}};
        return ::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
               ::listen(listener, SOMAXCONN) == 0;
    }
    void wait(std::optional<time_point> until) { // or until a socket is ready
        ready = {{is_resting ? -1 : listener, POLLIN, 0}};
        for (auto const& [fd, c] : connections)
            ready.push_back({fd, static_cast<short>((c.has_ended ? 0 : POLLIN) | (c.unsent.empty() ? 0 : POLLOUT)), 0});
        auto const left = ceil<milliseconds>(until.value_or(time_point::max()) - steady::now()).count();
        ::poll(ready.data(), ready.size(), static_cast<int>(std::clamp<long long>(left, 0, is_resting ? 100 : 60'000)));
        is_resting = false;
        io.handle_timeout(steady::now());
    }
    bool take_input() { // of one socket: `input` is in use until poll_event has returned nothing
        while (!ready.empty()) {
            pollfd const p = ready.back();
            ready.pop_back();
            if (p.revents != 0) return p.fd == listener ? accept() : take(p.fd, connections[p.fd], p.revents), true;
        }
        return false;
    }
    void accept() {
        int const fd = ::accept(listener, nullptr, nullptr);
        is_resting = fd < 0;
        if (!is_resting) connections[fd] = {}, io.accepted(static_cast<wire::connection_id>(fd), "", steady::now());
    }
    void take(int fd, connection& c, int happened) {
        auto const id = static_cast<wire::connection_id>(fd);
        if ((happened & POLLOUT) != 0) write(id, c);
        if ((happened & ~POLLOUT) == 0) return;
        auto const size = ::recv(fd, input.data(), input.size(), MSG_DONTWAIT);
        if (size > 0) return io.received(id, {input.data(), static_cast<std::size_t>(size)}, steady::now());
        if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (size == 0 && !std::exchange(c.has_ended, true)) return io.ended(id, steady::now());
        io.closed(id, steady::now()), forget(fd); // it has failed, or both sides have ended
    }
    void perform(wire::transmit const& t) {
        connection& c = connections[static_cast<int>(t.connection)];
        if (t.type == wire::transmit_type::send) c.unsent += t.data, write(t.connection, c);
        if (t.type == wire::transmit_type::end) ::shutdown(static_cast<int>(t.connection), SHUT_WR);
        if (t.type == wire::transmit_type::close) forget(static_cast<int>(t.connection));
    }
    void write(wire::connection_id id, connection& c) { // if it fails, reading fails too
        auto const size = ::send(static_cast<int>(id), c.unsent.data(), c.unsent.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (size > 0) c.unsent.erase(0, static_cast<std::size_t>(size));
        c.unsent.empty() ? io.resume(id) : io.pause(id); // once more, if a part has been written
    }
    void forget(int fd) { connections.erase(fd), ::close(fd); }
};

int main(int argc, char** argv) {
    auto const port = static_cast<in_port_t>(argc > 1 ? std::stoi(argv[1]) : 3000);
    wire::server<> io({}, {.cors = {.origins = {"*"}}}, system_random(), steady::now());
    chat application{io.protocol()};
    network net{io};
    if (!net.listen_on(port)) return std::cerr << "cannot listen on " << port << '\n', 1;
    std::cout << "listening on " << port << std::endl;
    for (std::string buffer;;) {
        while (auto e = io.poll_event()) application.handle(*e); // what does it mean?
        if (net.take_input()) continue;                          // what came in?
        auto const t = io.poll_transmit(buffer);                 // what is to be sent?
        t ? net.perform(*t) : net.wait(io.poll_timeout());       // when to come back?
    }
}

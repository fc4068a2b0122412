// tests/examples/epoll_server.cpp [port]: the chat of lobby.hpp on Linux's epoll and nothing else: the fastest network.
#include "examples/lobby.hpp"

#include <socketless/core/system_random.hpp>
#include <socketless/wire/server.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

using namespace socketless;
using namespace std::chrono;
constexpr int on = 1;
struct network { // a connection is called by the number of its socket
    steady_clock::time_point now = steady_clock::now();
    // The lobby asks for no handshake: a connection need not remember the fields of its request.
    wire::server<> io{{.engine = {.keep_fields = false}}, {.cors = {.origins = {"*"}}}, system_random(), now};
    lobby application{io.protocol()};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    int epoll = epoll_create1(0);
    std::unordered_map<int, std::string> unsent = {}; // the rest of writes that are under way
    std::string input = std::string(64 * 1024, '\0');
    std::string buffer = {};

    bool listen_on(int port) {
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        sockaddr_in const any{AF_INET, htons(static_cast<std::uint16_t>(port)), {}, {}};
        watch(listener);
        return bind(listener, reinterpret_cast<sockaddr const*>(&any), sizeof any) == 0 && listen(listener, 4096) == 0;
    }
    void watch(int fd) const { // tells once of each change
        epoll_event e{.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data = {.fd = fd}};
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
    }
    void run() {
        bool is_short = false; // the last wait: after such a one to look again and again costs less than to sleep
        for (std::array<epoll_event, 128> ready{};;) { // so few that what the kernel has of them stays in the cache
            auto const begin = steady_clock::now();
            auto const due = io.poll_timeout().value_or(begin + 1min);
            int const timeout = static_cast<int>(std::max(ceil<milliseconds>(due - begin), 0ms).count());
            int count = 0;
            for (int looks = is_short ? 100 : 0; count == 0 && looks >= 0; --looks)
                count = epoll_wait(epoll, ready.data(), int{ready.size()}, looks > 0 ? 0 : timeout);
            now = steady_clock::now();
            is_short = now - begin < 50us;
            if (now >= due) io.handle_timeout(now);
            for (int i = 0; i < count; ++i) take(ready[static_cast<std::size_t>(i)]);
            do { // what is due for a connection by now leaves as one write
                while (auto e = io.poll_event()) application.handle(*e);
            } while (perform(io.poll_transmit(buffer)));
        }
    }
    void take(epoll_event const& e) {
        if (e.data.fd == listener) return accept_all();
        if ((e.events & EPOLLOUT) != 0 && unsent.contains(e.data.fd)) write_rest(e.data.fd);
        if (auto const others = e.events & ~std::uint32_t{EPOLLOUT}) read_all(e.data.fd, others != EPOLLIN);
    }
    void accept_all() {
        for (int fd; (fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK)) >= 0;) {
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            io.accepted(static_cast<wire::connection_id>(fd), "", now);
            watch(fd);
        }
    }
    void read_all(int fd, bool has_ended) {
        auto const id = static_cast<wire::connection_id>(fd);
        for (;;) {
            auto const size = recv(fd, input.data(), input.size(), 0);
            if (size < 0 && errno == EAGAIN) return;
            if (size < 0) return io.closed(id, now), forget(fd);
            if (size == 0) return io.ended(id, now);
            io.received(id, {input.data(), static_cast<std::size_t>(size)}, now);
            while (auto e = io.poll_event()) application.handle(*e); // then `input` is free again
            if (static_cast<std::size_t>(size) < input.size() && !has_ended) return;
        }
    }
    bool perform(std::optional<wire::transmit> const& t) {
        if (!t) return false;
        int const fd = static_cast<int>(t->connection);
        if (t->type == wire::transmit_type::end) shutdown(fd, SHUT_WR);
        if (t->type == wire::transmit_type::close) forget(fd);
        if (t->type != wire::transmit_type::send) return true;
        if (auto const rest = write(fd, t->data); !rest.empty()) unsent[fd] = rest, io.pause(t->connection);
        return true;
    }
    void write_rest(int fd) {
        auto const id = static_cast<wire::connection_id>(fd);
        unsent[fd] = std::string(write(fd, unsent[fd]));
        if (unsent[fd].empty()) return unsent.erase(fd), io.resume(id);
        io.pause(id); // slow, but it reads
    }
    static std::string_view write(int fd, std::string_view bytes) { // returns the rest; an error is heard by reading
        auto const size = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        return bytes.substr(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    }
    void forget(int fd) { unsent.erase(fd), close(fd), accept_all(); } // a client may wait for a descriptor
};

int main(int argc, char** argv) {
    network net;
    int const port = argc > 1 ? std::atoi(argv[1]) : 3000;
    if (!net.listen_on(port)) return std::cerr << "cannot listen on " << port << '\n', 1;
    std::cout << "listening on " << port << std::endl;
    net.run();
}

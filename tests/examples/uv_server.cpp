// tests/examples/uv_server.cpp [port]: the chat of lobby.hpp on libuv.
#include "examples/lobby.hpp"

#include <socketless/core/system_random.hpp>
#include <socketless/wire/server.hpp>

#include <uv.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <map>
#include <string>

using namespace socketless;
using steady = std::chrono::steady_clock;
constexpr unsigned most = 64 * 1024; // bytes to read or write at once

struct network {
    struct connection { // libuv calls functions without state: `data` of a handle points to it
        network& net;
        wire::connection_id id;
        uv_tcp_t tcp = {};
        uv_write_t writing = {};
        uv_shutdown_t ending = {};
        std::string unsent = {};
        uv_stream_t* stream() { return reinterpret_cast<uv_stream_t*>(&tcp); }
    };
    static connection& of(void* handle) { return *static_cast<connection*>(static_cast<uv_handle_t*>(handle)->data); }

    wire::server<>& io;
    lobby& application;
    uv_tcp_t listener = {};
    uv_timer_t timer = {};
    std::map<wire::connection_id, connection*> connections = {}; // late news of one that is not here does no harm
    wire::connection_id last_id = 0;
    std::string buffer = {};
    std::string input = std::string(most, '\0'); // in use until poll_event has returned nothing

    bool listen_on(int port) {
        uv_timer_init(uv_default_loop(), &timer);
        uv_tcp_init(uv_default_loop(), &listener);
        timer.data = listener.data = this;
        sockaddr_in address{};
        uv_ip4_addr("0.0.0.0", port, &address);
        auto const come = [](uv_stream_t* s, int) { static_cast<network*>(s->data)->accept(); };
        return uv_tcp_bind(&listener, reinterpret_cast<sockaddr*>(&address), 0) == 0 &&
               uv_listen(reinterpret_cast<uv_stream_t*>(&listener), 511, come) == 0;
    }
    // Runs after each input. It never runs inside itself: libuv calls no function before `perform` has returned.
    void drive() {
        io.handle_timeout(steady::now());
        for (;;) {
            while (auto e = io.poll_event()) application.handle(*e);
            auto const t = io.poll_transmit(buffer);
            if (!t) break;
            perform(*t, *connections[t->connection]);
        }
        auto const left = io.poll_timeout().value_or(steady::now() + std::chrono::hours(1)) - steady::now();
        auto const wait = std::max(ceil<milliseconds>(left).count(), std::int64_t{0});
        auto const wake = [](uv_timer_t* self) { static_cast<network*>(self->data)->drive(); };
        uv_timer_start(&timer, wake, static_cast<std::uint64_t>(wait), 0);
    }
    void accept() {
        auto const id = ++last_id;
        auto& c = *(connections[id] = new connection{*this, id});
        uv_tcp_init(uv_default_loop(), &c.tcp);
        uv_tcp_nodelay(&c.tcp, 1);
        c.tcp.data = &c;
        if (uv_accept(reinterpret_cast<uv_stream_t*>(&listener), c.stream()) != 0) return close(c);
        io.accepted(c.id, "", steady::now());
        auto const lend = [](uv_handle_t* h, auto, uv_buf_t* b) { *b = uv_buf_init(of(h).net.input.data(), most); };
        uv_read_start(c.stream(), lend, [](uv_stream_t* s, ssize_t size, uv_buf_t const*) { take(of(s), size); });
        drive();
    }
    static void take(connection& c, ssize_t size) {
        if (size > 0) c.net.io.received(c.id, {c.net.input.data(), static_cast<std::size_t>(size)}, steady::now());
        if (size == UV_EOF) c.net.io.ended(c.id, steady::now());
        if (size < 0 && size != UV_EOF) c.net.close(c);
        c.net.drive();
    }
    void perform(wire::transmit const& t, connection& c) {
        if (t.type == wire::transmit_type::send) c.unsent = t.data, write(c);
        if (t.type == wire::transmit_type::end) uv_shutdown(&c.ending, c.stream(), nullptr);
        if (t.type == wire::transmit_type::close) close(c);
    }
    void write(connection& c) { // in parts, and pauses for each, so that a slow client has more time
        io.pause(c.id);
        uv_buf_t const part = uv_buf_init(c.unsent.data(), std::min(static_cast<unsigned>(c.unsent.size()), most));
        auto const written = [](uv_write_t* w, int status) { of(w->handle).net.go_on(of(w->handle), status); };
        if (uv_write(&c.writing, c.stream(), &part, 1, written) != 0) close(c);
    }
    void go_on(connection& c, int status) {
        c.unsent.erase(0, most);
        if (status == 0) c.unsent.empty() ? io.resume(c.id) : write(c);
        if (status != 0) close(c);
        drive();
    }
    void close(connection& c) { // the wire may know that, or has to hear of it
        io.closed(c.id, steady::now());
        connections.erase(c.id);
        auto* const h = reinterpret_cast<uv_handle_t*>(&c.tcp);
        if (uv_is_closing(h) == 0) uv_close(h, [](uv_handle_t* closed) { delete &of(closed); });
    }
};

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN);
    int const port = argc > 1 ? std::stoi(argv[1]) : 3000;
    wire::server<> io({}, {.cors = {.origins = {"*"}}}, system_random(), steady::now());
    lobby application{io.protocol()};
    network net{io, application};
    if (!net.listen_on(port)) return std::cerr << "cannot listen on " << port << '\n', 1;
    std::cout << "listening on " << port << std::endl;
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}

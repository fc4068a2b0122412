// tests/examples/uv_client.cpp URL [text]: the client of talk.hpp on libuv, over TCP.
#include "examples/talk.hpp"

#include <socketless/core/system_random.hpp>
#include <socketless/http/url.hpp>
#include <socketless/wire/client.hpp>

#include <uv.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <iostream>
#include <map>
#include <string>

using namespace socketless;
using steady = std::chrono::steady_clock;
constexpr unsigned most = 64 * 1024; // bytes to read at once

struct network {
    struct connection { // libuv calls functions without state: `data` of a handle points to it
        network& net;
        wire::connection_id id;
        uv_tcp_t tcp = {};
        uv_connect_t connecting = {};
        uv_write_t writing = {};
        std::string unsent = {};
        uv_stream_t* stream() { return reinterpret_cast<uv_stream_t*>(&tcp); }
    };
    static connection& of(void* handle) { return *static_cast<connection*>(static_cast<uv_handle_t*>(handle)->data); }
    wire::client<>& io;
    talk& application;
    uv_timer_t timer = {};
    int failures = 0;
    std::map<wire::connection_id, connection*> connections = {}; // late news of one that is not here does no harm
    std::string buffer = {};
    std::string input = std::string(most, '\0'); // in use until poll_event has returned nothing

    // Runs after each input. It never runs inside itself: libuv calls no function before `perform` has returned.
    void drive() {
        for (io.handle_timeout(steady::now());;) {
            while (auto e = io.poll_event()) application.handle(*e);
            auto const t = io.poll_transmit(buffer);
            if (!t) break;
            perform(*t);
        }
        if (!io.poll_timeout()) return void(uv_timer_stop(&timer));
        auto const wait = std::max(ceil<milliseconds>(*io.poll_timeout() - steady::now()), milliseconds(0)).count();
        auto const wake = [](uv_timer_t* self) { static_cast<network*>(self->data)->drive(); };
        uv_timer_start(&timer, wake, static_cast<std::uint64_t>(wait), 0);
    }
    void perform(wire::transmit const& t) {
        if (t.type == wire::transmit_type::connect) return connect(t);
        connection& c = *connections[t.connection];
        if (t.type == wire::transmit_type::send) write(c, t.data);
        if (t.type == wire::transmit_type::close) close(c);
    }
    void connect(wire::transmit const& t) { // TLS needs a library: see asio_client.cpp
        auto& c = *(connections[t.connection] = new connection{*this, t.connection});
        uv_tcp_init(uv_default_loop(), &c.tcp);
        uv_tcp_nodelay(&c.tcp, 1);
        c.tcp.data = &c;
        uv_getaddrinfo_t lookup{}; // without a function to call it blocks
        std::string const host(t.host), port = std::to_string(t.port);
        addrinfo hints{};
        hints.ai_socktype = SOCK_STREAM;
        if (!t.tls) uv_getaddrinfo(uv_default_loop(), &lookup, nullptr, host.c_str(), port.c_str(), &hints);
        auto const* a = lookup.addrinfo; // the client tries again if it fails: then to the next address
        for (int i = 0; a != nullptr && i != failures; ++i) a = a->ai_next != nullptr ? a->ai_next : lookup.addrinfo;
        auto const begin = [](uv_connect_t* r, int status) { of(r->handle).net.begin(of(r->handle), status); };
        if (a == nullptr || uv_tcp_connect(&c.connecting, &c.tcp, a->ai_addr, begin) != 0) close(c);
        uv_freeaddrinfo(lookup.addrinfo);
    }
    void begin(connection& c, int status) {
        if (status != 0) return ++failures, close(c), drive();
        auto const lend = [](uv_handle_t* h, auto, uv_buf_t* b) { *b = uv_buf_init(of(h).net.input.data(), most); };
        uv_read_start(c.stream(), lend, [](uv_stream_t* s, ssize_t size, uv_buf_t const*) { take(of(s), size); });
        io.connected(c.id, steady::now());
        drive();
    }
    static void take(connection& c, ssize_t size) {
        if (size > 0) c.net.io.received(c.id, {c.net.input.data(), static_cast<std::size_t>(size)}, steady::now());
        if (size == UV_EOF) c.net.io.ended(c.id, steady::now());
        if (size < 0 && size != UV_EOF) c.net.close(c);
        c.net.drive();
    }
    void write(connection& c, std::string_view bytes) {
        io.pause(c.id); // until they are written
        c.unsent = bytes;
        uv_buf_t const b = uv_buf_init(c.unsent.data(), static_cast<unsigned>(c.unsent.size()));
        auto const written = [](uv_write_t* w, int status) { of(w->handle).net.go_on(of(w->handle), status); };
        if (uv_write(&c.writing, c.stream(), &b, 1, written) != 0) close(c);
    }
    void go_on(connection& c, int status) {
        status == 0 ? io.resume(c.id) : close(c);
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
    auto const url = http::parse_url(argc > 1 ? argv[1] : "http://localhost:3000");
    if (!url) return std::cerr << message(url.error().code) << '\n', 1;
    wire::client<> io(*url, {}, {}, system_random(), steady::now());
    talk application{io.protocol(), argc > 2 ? argv[2] : "hello"};
    network net{io, application};
    uv_timer_init(uv_default_loop(), &net.timer);
    net.timer.data = &net;
    net.drive();
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT); // until nothing is left to wait for
}

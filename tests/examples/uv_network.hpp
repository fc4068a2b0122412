// The network of uv_server.cpp and uv_client.cpp: moves the bytes of TCP connections with libuv, for a wire::server or
// a wire::client. Copy it and make it your own.
#pragma once

#include <socketless/core/time.hpp>
#include <socketless/wire/transmit.hpp>

#include <uv.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace wire = socketless::wire;
inline auto now() {
    return std::chrono::steady_clock::now();
}

template <class Wire, class Application>
struct network {
    // libuv calls functions without state: `data` of a handle says for which connection.
    struct connection {
        network& net;
        wire::connection_id id;
        uv_tcp_t tcp = {};
        uv_connect_t connecting = {};
        uv_write_t writing = {};
        uv_shutdown_t ending = {};
        std::string unsent = {};
        char input[16'384] = {};

        uv_stream_t* stream() { return reinterpret_cast<uv_stream_t*>(&tcp); }
    };
    struct lookup { // of a name; its connection may go before it ends
        network& net;
        wire::connection_id id;
        uv_getaddrinfo_t request = {};
    };
    static connection& of(void* handle) { return *static_cast<connection*>(static_cast<uv_handle_t*>(handle)->data); }

    Wire& io;
    Application& application;
    uv_loop_t* loop = uv_default_loop();
    uv_timer_t timer = {};
    std::map<wire::connection_id, connection*> connections = {};
    std::string buffer = {};

    network(Wire& wire, Application& events) : io(wire), application(events) {
        uv_timer_init(loop, &timer);
        timer.data = this;
    }

    // Runs after each input. It never runs inside itself: libuv calls no function before `perform` has returned.
    void drive() {
        for (;;) {
            while (auto e = io.poll_event()) application.handle(*e);
            auto const t = io.poll_transmit(buffer);
            if (!t) break;
            perform(*t);
        }
        uv_timer_stop(&timer);
        if (auto const at = io.poll_timeout()) {
            auto const wait = std::max(ceil<socketless::milliseconds>(*at - now()).count(), std::int64_t{0});
            uv_timer_start(&timer, wake, static_cast<std::uint64_t>(wait), 0);
        }
    }
    static void wake(uv_timer_t* t) {
        auto& net = *static_cast<network*>(t->data);
        net.io.handle_timeout(now());
        net.drive();
    }
    void perform(wire::transmit const& t) {
        if (t.type == wire::transmit_type::connect) return look_up(t);
        auto const c = connections.find(t.connection);
        if (c == connections.end()) return;
        if (t.type == wire::transmit_type::send) write(*c->second, t.data);
        if (t.type == wire::transmit_type::end)
            uv_shutdown(&c->second->ending, c->second->stream(), [](uv_shutdown_t*, int) {});
        if (t.type == wire::transmit_type::close) close(*c->second);
    }

    connection& add(wire::connection_id id) {
        auto& c = *(connections[id] = new connection{*this, id});
        uv_tcp_init(loop, &c.tcp);
        uv_tcp_nodelay(&c.tcp, 1);
        c.tcp.data = &c;
        return c;
    }
    void look_up(wire::transmit const& t) {
        if (t.tls) return io.closed(t.connection, now()); // TLS needs a library: see asio_network.hpp
        auto& c = add(t.connection);
        auto* const l = new lookup{*this, c.id};
        l->request.data = l;
        addrinfo hints{};
        hints.ai_socktype = SOCK_STREAM;
        auto const found = [](uv_getaddrinfo_t* r, int status, addrinfo* address) {
            std::unique_ptr<lookup> const own(static_cast<lookup*>(r->data));
            auto const it = own->net.connections.find(own->id);
            if (it != own->net.connections.end()) own->net.connect(*it->second, status, address);
            uv_freeaddrinfo(address);
        };
        std::string const host(t.host), port = std::to_string(t.port);
        if (uv_getaddrinfo(loop, &l->request, found, host.c_str(), port.c_str(), &hints) != 0) delete l, lose(c);
    }
    void connect(connection& c, int status, addrinfo const* address) {
        auto const connected = [](uv_connect_t* r, int failed) {
            auto& it = of(r->handle);
            failed == 0 ? it.net.begin(it) : it.net.lose(it);
            it.net.drive();
        };
        if (status != 0 || uv_tcp_connect(&c.connecting, &c.tcp, address->ai_addr, connected) != 0) lose(c), drive();
    }
    void begin(connection& c) {
        read(c);
        if constexpr (requires { io.connected(c.id, now()); }) io.connected(c.id, now());
    }
    static void read(connection& c) {
        auto const give = [](uv_handle_t* h, std::size_t, uv_buf_t* b) { *b = uv_buf_init(of(h).input, 16'384); };
        uv_read_start(c.stream(), give, [](uv_stream_t* s, ssize_t size, uv_buf_t const* b) {
            auto& it = of(s);
            if (size > 0) it.net.io.received(it.id, {b->base, static_cast<std::size_t>(size)}, now());
            if (size == UV_EOF) it.net.io.ended(it.id, now());
            if (size < 0 && size != UV_EOF) it.net.lose(it);
            it.net.drive();
        });
    }
    void write(connection& c, std::string_view bytes) {
        io.pause(c.id); // until they are written
        c.unsent = bytes;
        uv_buf_t const b = uv_buf_init(c.unsent.data(), static_cast<unsigned>(c.unsent.size()));
        auto const written = [](uv_write_t* w, int status) {
            auto& it = of(w->handle);
            status == 0 ? it.net.io.resume(it.id) : it.net.lose(it);
            it.net.drive();
        };
        if (uv_write(&c.writing, c.stream(), &b, 1, written) != 0) lose(c);
    }
    void close(connection& c) {
        connections.erase(c.id); // late news of it does no harm
        auto* const h = reinterpret_cast<uv_handle_t*>(&c.tcp);
        if (!uv_is_closing(h)) uv_close(h, [](uv_handle_t* closed) { delete &of(closed); });
    }
    void lose(connection& c) { // it is gone, or could not be made
        io.closed(c.id, now());
        close(c);
    }
};

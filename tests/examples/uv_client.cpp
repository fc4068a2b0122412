// tests/examples/uv_client.cpp: the first client on libuv, over plain TCP as poll_server.cpp, to a local port.
#include <socketless/client.hpp>
#include <socketless/core/system_random.hpp>

#include <uv.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <string>
#include <utility>

using namespace socketless;
using engineio::transmit_type;
using socketio::event_type;
constexpr auto now = std::chrono::steady_clock::now;

struct program {
    // A stream. libuv calls these functions, and `data` of its handle says for which stream.
    struct connection {
        program& owner;
        engineio::channel_id id;
        uv_tcp_t tcp = {};
        uv_connect_t opening = {};
        uv_write_t writing = {};
        uv_shutdown_t ending = {};
        std::string outgoing = {};
        char incoming[16'384] = {};

        static connection& of(void* h) { return *static_cast<connection*>(static_cast<uv_handle_t*>(h)->data); }
        uv_stream_t* stream() { return reinterpret_cast<uv_stream_t*>(&tcp); }
        void close() {
            auto* const h = reinterpret_cast<uv_handle_t*>(&tcp);
            if (!uv_is_closing(h)) uv_close(h, [](uv_handle_t* closed) { delete &of(closed); });
        }
        static void opened(uv_connect_t* r, int status) {
            auto& c = of(r->handle);
            if (status < 0) return c.owner.lose(c), c.owner.drive();
            uv_read_start(c.stream(), give, take);
            c.owner.io.channel_opened(c.id, now()), c.owner.drive();
        }
        static void give(uv_handle_t* h, size_t, uv_buf_t* b) { *b = uv_buf_init(of(h).incoming, 16'384); }
        static void take(uv_stream_t* s, ssize_t size, uv_buf_t const* b) {
            auto& c = of(s);
            if (size < 0) return c.owner.lose(c), c.owner.drive();
            c.owner.io.stream_received(c.id, {b->base, static_cast<size_t>(size)}, now()), c.owner.drive();
        }
        static void written(uv_write_t* w, int status) {
            if (status == 0) of(w->handle).owner.io.resume(of(w->handle).id), of(w->handle).owner.drive();
        }
    };

    std::string line;
    client io{{.transports = {engineio::transport::webtransport}}, system_random(), now()};
    std::string buffer = {};
    sockaddr_in peer = {};
    uv_timer_t timer = {};
    connection* current = nullptr; // the client has one at a time

    void handle(socketio::event& e) {
        if (e.type == event_type::open_failed) std::cout << "no connection: " << name(e.reason) << std::endl;
        if (e.type == event_type::connected) {
            std::cout << "connected" << std::endl;
            io.emit_with_ack(e.socket, milliseconds(5'000), "say", line).ignore();
        } else if (e.type == event_type::ack) {
            std::cout << "answer: " << e.get<std::string>().value_or("none") << std::endl;
        } else if (auto const args = e.get<std::string, std::string>(); e.name() == "said" && args) {
            std::cout << std::get<0>(*args) << ": " << std::get<1>(*args) << std::endl;
        } else if (e.type == event_type::disconnected) {
            std::cout << "disconnected: " << name(e.reason) << std::endl;
        }
    }

    // Runs after each input, and after what the application does by itself.
    void drive() {
        for (;;) {
            while (auto e = io.poll_event()) handle(*e);
            auto const t = io.poll_transmit(buffer);
            if (!t) break;
            perform(*t);
        }
        auto const at = io.poll_timeout();
        if (!at) return static_cast<void>(uv_timer_stop(&timer));
        auto const left = std::max(std::chrono::ceil<milliseconds>(*at - now()), milliseconds(0)).count();
        uv_timer_start(&timer, wake, static_cast<uint64_t>(left), 0);
    }
    static void wake(uv_timer_t* t) { static_cast<program*>(t->data)->pass_time(); }
    void pass_time() { io.handle_timeout(now()), drive(); }

    void perform(engineio::transmit const& t) {
        if (t.type == transmit_type::open_stream) {
            auto& c = *(current = new connection{*this, t.id});
            uv_tcp_init(uv_default_loop(), &c.tcp), c.tcp.data = &c;
            if (uv_tcp_connect(&c.opening, &c.tcp, reinterpret_cast<sockaddr*>(&peer), connection::opened) < 0) lose(c);
        } else if (current != nullptr && t.id == current->id && t.type == transmit_type::send) {
            io.pause(t.id); // until it is written
            current->outgoing = t.data.data;
            uv_buf_t const b = uv_buf_init(current->outgoing.data(), static_cast<unsigned>(t.data.data.size()));
            if (uv_write(&current->writing, current->stream(), &b, 1, connection::written) != 0) lose(*current);
        } else if (current != nullptr && t.id == current->id && t.type == transmit_type::close) {
            auto* const c = std::exchange(current, nullptr); // it tells the client nothing of its end
            auto const end = [](uv_shutdown_t* s, int) { connection::of(s->handle).close(); };
            if (uv_shutdown(&c->ending, c->stream(), end) != 0) c->close(); // it was not open yet
        }
    }

    void lose(connection& c) { // called in `perform` too: it leaves `drive` to the callbacks
        c.close();
        if (current == &c) current = nullptr, io.channel_closed(c.id, now());
    }
};

int main(int argc, char** argv) {
    program p{.line = argc > 2 ? argv[2] : "hello"};
    uv_ip4_addr("127.0.0.1", argc > 1 ? std::stoi(argv[1]) : 3000, &p.peer);
    uv_timer_init(uv_default_loop(), &p.timer), p.timer.data = &p;
    p.io.connect("/", json::object("token", "abc")).ignore(); // "/" and this auth are good
    p.drive();
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}

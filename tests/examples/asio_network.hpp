// The network of asio_server.cpp and asio_client.cpp: moves the bytes of connections with Boost.Asio, for a
// wire::server or a wire::client. `Stream` is tcp::socket or tls_stream. Copy it and make it your own.
#pragma once

#include <socketless/wire/transmit.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace asio = boost::asio;
namespace wire = socketless::wire;
using asio::ip::tcp;
using boost::system::error_code;
using tls_stream = asio::ssl::stream<tcp::socket>;
inline auto now() {
    return std::chrono::steady_clock::now();
}

template <class Stream, class Wire, class Application>
struct network {
    static constexpr bool has_tls = std::is_same_v<Stream, tls_stream>;

    struct connection {
        wire::connection_id id;
        Stream stream;
        std::string unsent = {};
        std::array<char, 16'384> input = {};
    };
    using pointer = std::shared_ptr<connection>; // a handler holds one: a connection outlives its operations

    Wire& io;
    Application& application;
    asio::io_context& context;
    asio::ssl::context& tls;
    tcp::resolver resolver{context};
    asio::steady_timer timer{context};
    std::map<wire::connection_id, pointer> connections = {}; // late news of one that is not here does no harm
    std::string buffer = {};

    // Runs after each input. It never runs inside itself: Asio calls no handler before `perform` has returned.
    void drive() {
        for (;;) {
            while (auto e = io.poll_event()) application.handle(*e);
            auto const t = io.poll_transmit(buffer);
            if (!t) break;
            perform(*t);
        }
        timer.cancel();
        if (!io.poll_timeout()) return;
        timer.expires_at(*io.poll_timeout());
        timer.async_wait([this](error_code aborted) {
            if (!aborted) io.handle_timeout(now()), drive();
        });
    }
    void perform(wire::transmit const& t) {
        if (t.type == wire::transmit_type::connect) return connect(t.connection, std::string(t.host), t.port);
        auto const c = connections.find(t.connection);
        if (c == connections.end()) return;
        if (t.type == wire::transmit_type::send) write(c->second, t.data);
        if (t.type == wire::transmit_type::end) end(c->second);
        if (t.type == wire::transmit_type::close) close(c->second);
    }

    void connect(wire::connection_id id, std::string const& host, std::uint16_t port) {
        auto const c = add(id, tcp::socket(context));
        resolver.async_resolve(host, std::to_string(port), [=, this](error_code e, auto const& addresses) {
            if (e || !connections.contains(id)) return lose(c);
            asio::async_connect(c->stream.lowest_layer(), addresses, [=, this](error_code failed, auto const&) {
                if (failed) return lose(c);
                if constexpr (has_tls) verify(c->stream, host);
                begin(c, tls_stream::client);
            });
        });
    }
    static void verify(Stream& stream, std::string const& host) { // the server learns the name by which it is called
        error_code is_name;
        asio::ip::make_address(host, is_name);
        if (is_name) SSL_set_tlsext_host_name(stream.native_handle(), host.c_str());
        stream.set_verify_mode(asio::ssl::verify_peer);
        stream.set_verify_callback(asio::ssl::host_name_verification(host));
    }

    pointer add(wire::connection_id id, tcp::socket socket) {
        if constexpr (has_tls)
            return connections[id] = pointer(new connection{id, {std::move(socket), tls}});
        else
            return connections[id] = pointer(new connection{id, std::move(socket)});
    }
    // TCP is connected: TLS begins, then bytes come.
    void begin(pointer const& c, tls_stream::handshake_type as) {
        error_code ignored;
        c->stream.lowest_layer().set_option(tcp::no_delay(true), ignored);
        if constexpr (has_tls)
            c->stream.async_handshake(as, [=, this](error_code e) { e ? lose(c) : opened(c); });
        else
            opened(c);
    }
    void opened(pointer const& c) {
        read(c);
        if constexpr (requires { io.connected(c->id, now()); }) io.connected(c->id, now()), drive();
    }
    void read(pointer const& c) {
        c->stream.async_read_some(asio::buffer(c->input), [=, this](error_code e, std::size_t size) {
            if (e && e != asio::error::eof) return lose(c);
            if (e) return io.ended(c->id, now()), drive();
            io.received(c->id, {c->input.data(), size}, now());
            drive();
            read(c);
        });
    }
    void write(pointer const& c, std::string_view bytes) {
        io.pause(c->id); // until they are written
        c->unsent = bytes;
        asio::async_write(c->stream, asio::buffer(c->unsent), [=, this](error_code e, std::size_t) {
            if (e) return lose(c);
            io.resume(c->id);
            drive();
        });
    }
    static void end(pointer const& c) {
        error_code ignored;
        if constexpr (has_tls)
            c->stream.async_shutdown([c](error_code) {});
        else
            c->stream.shutdown(tcp::socket::shutdown_send, ignored);
    }
    void close(pointer const& c) {
        error_code ignored;
        c->stream.lowest_layer().close(ignored);
        connections.erase(c->id);
    }
    void lose(pointer const& c) { // it is gone, or could not be made
        io.closed(c->id, now());
        close(c);
        drive();
    }
};

// tests/examples/asio_server.cpp [port [cert.pem key.pem]]: the chat of lobby.hpp on Boost.Asio, over TCP or TLS.
#include "examples/lobby.hpp"

#include <socketless/core/system_random.hpp>
#include <socketless/wire/server.hpp>

#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>

#include <chrono>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <utility>

using namespace socketless;
namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using steady = std::chrono::steady_clock;
using tls_stream = asio::ssl::stream<tcp::socket>;

struct tcp_stream : tcp::socket { // looks like tls_stream
    tcp_stream(tcp::socket s, asio::ssl::context&) : tcp::socket(std::move(s)) {}
    void async_handshake(tls_stream::handshake_type, auto handler) { handler(error_code()); }
    void async_shutdown(auto, error_code ignored = {}) { shutdown(shutdown_send, ignored); }
};

template <class Stream>
struct network {
    struct connection {
        wire::connection_id id;
        Stream stream;
        std::string unsent = {};
        char input[16'384] = {};
    };
    using pointer = std::shared_ptr<connection>; // a handler holds one: a connection outlives its operations

    int port;
    asio::ssl::context& tls;
    wire::server<> io{{}, {.cors = {.origins = {"*"}}}, system_random(), steady::now()};
    lobby application{io.protocol()};
    asio::io_context context{1}; // one thread
    tcp::acceptor acceptor{context, {tcp::v4(), static_cast<asio::ip::port_type>(port)}};
    asio::steady_timer timer{context}, pause{context};
    std::map<wire::connection_id, pointer> connections = {}; // late news of one that is not here does no harm
    wire::connection_id last_id = 0;
    std::string buffer = {};
    error_code ignored = {};

    void run() {
        accept();
        std::cout << "listening on " << port << std::endl;
        context.run();
    }
    // Runs after each input. It never runs inside itself: Asio calls no handler before `perform` has returned.
    void drive() {
        for (io.handle_timeout(steady::now());;) {
            while (auto e = io.poll_event()) application.handle(*e);
            auto const t = io.poll_transmit(buffer);
            if (!t) break;
            perform(*t, pointer(connections[t->connection]));
        }
        timer.expires_at(io.poll_timeout().value_or(time_point::max()));
        timer.async_wait([this](error_code aborted) { aborted ? void() : drive(); });
    }
    void accept() {
        acceptor.async_accept([this](error_code e, tcp::socket socket) {
            if (!e) begin(std::move(socket));
            if (!e) return accept();
            pause.expires_after(milliseconds(100)); // no descriptors are left, say
            pause.async_wait([this](error_code) { accept(); });
        });
    }
    void begin(tcp::socket socket) {
        socket.set_option(tcp::no_delay(true), ignored);
        pointer const c(new connection{++last_id, {std::move(socket), tls}});
        connections[c->id] = c;
        io.accepted(c->id, "", steady::now());
        c->stream.async_handshake(tls_stream::server, [=, this](error_code e) { e ? (close(c), drive()) : read(c); });
        drive();
    }
    void read(pointer const& c) { // acts on what has come before: then `input` is free
        drive();
        c->stream.async_read_some(asio::buffer(c->input), [=, this](error_code e, std::size_t size) {
            if (e) return (e == asio::error::eof ? io.ended(c->id, steady::now()) : close(c)), drive();
            io.received(c->id, {c->input, size}, steady::now());
            read(c);
        });
    }
    void perform(wire::transmit const& t, pointer const& c) {
        if (t.type == wire::transmit_type::send) c->unsent = t.data, write(c);
        if (t.type == wire::transmit_type::end) c->stream.async_shutdown([c](error_code) {});
        if (t.type == wire::transmit_type::close) close(c);
    }
    void write(pointer const& c) { // in parts, and pauses for each, so that a slow client has more time
        io.pause(c->id);
        c->stream.async_write_some(asio::buffer(c->unsent), [=, this](error_code e, std::size_t size) {
            if (e) return close(c), drive();
            c->unsent.erase(0, size);
            c->unsent.empty() ? io.resume(c->id) : write(c);
            drive();
        });
    }
    void close(pointer const& c) { // the wire may know that, or has to hear of it
        io.closed(c->id, steady::now());
        connections.erase(c->id);
        c->stream.lowest_layer().close(ignored);
    }
};

int main(int argc, char** argv) {
    int const port = argc > 1 ? std::stoi(argv[1]) : 3000;
    asio::ssl::context tls(asio::ssl::context::tls_server);
    if (argc <= 3) return network<tcp_stream>{port, tls}.run(), 0;
    tls.use_certificate_chain_file(argv[2]);
    tls.use_private_key_file(argv[3], asio::ssl::context::pem);
    network<tls_stream>{port, tls}.run();
}

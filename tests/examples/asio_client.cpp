// tests/examples/asio_client.cpp URL [text]: the client of talk.hpp on Boost.Asio, over TCP, or over TLS for https.
#include "examples/talk.hpp"

#include <socketless/core/system_random.hpp>
#include <socketless/http/url.hpp>
#include <socketless/wire/client.hpp>

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
    http::url const& url;
    std::string line;
    asio::ssl::context& tls;
    wire::client<> io{url, {}, {}, system_random(), steady::now()};
    talk application{io.protocol(), line};
    asio::io_context context{1}; // one thread
    tcp::resolver resolver{context};
    asio::steady_timer timer{context};
    std::map<wire::connection_id, pointer> connections = {}; // late news of one that is not here does no harm
    std::string buffer = {};
    error_code error = {};
    void run() { drive(), context.run(); } // until nothing is left to wait for
    // Runs after each input. It never runs inside itself: Asio calls no handler before `perform` has returned.
    void drive() {
        for (io.handle_timeout(steady::now());;) {
            while (auto e = io.poll_event()) application.handle(*e);
            auto const t = io.poll_transmit(buffer);
            if (!t) break;
            perform(*t);
        }
        timer.expires_at(io.poll_timeout().value_or(time_point::max()));
        if (!io.is_done()) timer.async_wait([this](error_code aborted) { aborted ? void() : drive(); });
    }
    void perform(wire::transmit const& t) {
        if (t.type == wire::transmit_type::connect) return connect(t.connection, std::string(t.host), t.port);
        pointer const c = connections[t.connection];
        if (t.type == wire::transmit_type::send) c->unsent = t.data, write(c);
        if (t.type == wire::transmit_type::close) close(c);
    }
    void connect(wire::connection_id id, std::string const& host, int port) {
        auto const c = connections[id] = pointer(new connection{id, {tcp::socket(context), tls}});
        resolver.async_resolve(host, std::to_string(port), [=, this](error_code e, auto const& addresses) {
            if (e || !connections.contains(id)) return close(c), drive();
            asio::async_connect(c->stream.lowest_layer(), addresses, [=, this](error_code failed, auto const&) {
                failed ? (close(c), drive()) : begin(c, host);
            });
        });
    }
    void begin(pointer const& c, std::string const& host) {
        c->stream.lowest_layer().set_option(tcp::no_delay(true), error);
        if constexpr (std::is_same_v<Stream, tls_stream>) { // the server learns the name by which it is called
            asio::ip::make_address(host, error);
            if (error) SSL_set_tlsext_host_name(c->stream.native_handle(), host.c_str()); // a name
            c->stream.set_verify_mode(asio::ssl::verify_peer);
            c->stream.set_verify_callback(asio::ssl::host_name_verification(host));
        }
        c->stream.async_handshake(tls_stream::client, [=, this](error_code e) {
            if (e) return close(c), drive();
            io.connected(c->id, steady::now());
            read(c);
        });
    }
    void read(pointer const& c) { // acts on what has come before: then `input` is free
        drive();
        c->stream.async_read_some(asio::buffer(c->input), [=, this](error_code e, std::size_t size) {
            if (e) return (e == asio::error::eof ? io.ended(c->id, steady::now()) : close(c)), drive();
            io.received(c->id, {c->input, size}, steady::now());
            read(c);
        });
    }
    void write(pointer const& c) {
        io.pause(c->id);
        asio::async_write(c->stream, asio::buffer(c->unsent), [=, this](error_code e, std::size_t) {
            e ? close(c) : io.resume(c->id);
            drive();
        });
    }
    void close(pointer const& c) { // the wire may know that, or has to hear of it
        io.closed(c->id, steady::now());
        connections.erase(c->id);
        c->stream.lowest_layer().close(error);
    }
};

int main(int argc, char** argv) {
    auto const url = http::parse_url(argc > 1 ? argv[1] : "http://localhost:3000");
    if (!url) return std::cerr << message(url.error().code) << '\n', 1;
    char const* const line = argc > 2 ? argv[2] : "hello";
    asio::ssl::context tls(asio::ssl::context::tls_client);
    tls.set_default_verify_paths(); // the system's authorities, or the file that SSL_CERT_FILE names
    url->is_secure() ? network<tls_stream>{*url, line, tls}.run() : network<tcp_stream>{*url, line, tls}.run();
}

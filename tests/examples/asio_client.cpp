// tests/examples/asio_client.cpp: the client of talk.hpp on Boost.Asio, over TCP, or over TLS for https.
//
//     asio_client URL [text]
#include "examples/asio_network.hpp"
#include "examples/talk.hpp"

#include <socketless/core/system_random.hpp>
#include <socketless/http/url.hpp>
#include <socketless/wire/client.hpp>

#include <iostream>

using namespace socketless;

template <class Stream>
void run(http::url const& url, char const* line, asio::ssl::context& tls) {
    wire::client<> io(url, {}, {}, system_random(), now());
    talk application{io.protocol(), line};
    asio::io_context context;
    network<Stream, wire::client<>, talk> net{io, application, context, tls};
    net.drive();
    context.run(); // until nothing is left to wait for
}

int main(int argc, char** argv) {
    auto const url = http::parse_url(argc > 1 ? argv[1] : "http://localhost:3000");
    if (!url) return std::cerr << message(url.error().code) << '\n', 1;
    char const* const line = argc > 2 ? argv[2] : "hello";
    asio::ssl::context tls(asio::ssl::context::tls_client);
    tls.set_default_verify_paths(); // the system's authorities, or the file that SSL_CERT_FILE names
    url->is_secure() ? run<tls_stream>(*url, line, tls) : run<tcp::socket>(*url, line, tls);
}

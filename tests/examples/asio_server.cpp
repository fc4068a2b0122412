// tests/examples/asio_server.cpp: the chat of lobby.hpp on Boost.Asio, over TCP or TLS.
//
//     asio_server [port [cert.pem key.pem]]
#include "examples/asio_network.hpp"
#include "examples/lobby.hpp"

#include <socketless/core/system_random.hpp>
#include <socketless/wire/server.hpp>

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <utility>

using namespace socketless;

template <class Network>
void accept(tcp::acceptor& acceptor, Network& net, wire::connection_id id = 1) {
    acceptor.async_accept([&, id](error_code e, tcp::socket socket) {
        if (e) { // no descriptors are left, say
            auto const pause = std::make_shared<asio::steady_timer>(net.context, milliseconds(100));
            return pause->async_wait([&, id, pause](error_code) { accept(acceptor, net, id); });
        }
        net.io.accepted(id, "", now());
        net.begin(net.add(id, std::move(socket)), tls_stream::server);
        net.drive();
        accept(acceptor, net, id + 1);
    });
}

template <class Stream>
void serve(int port, asio::ssl::context& tls) {
    wire::server<> io({}, {.cors = {.origins = {"*"}}}, system_random(), now());
    lobby application{io.protocol()};
    asio::io_context context;
    network<Stream, wire::server<>, lobby> net{io, application, context, tls};
    tcp::acceptor acceptor(context, tcp::endpoint(tcp::v4(), static_cast<std::uint16_t>(port)));
    accept(acceptor, net);
    std::cout << "listening on " << port << std::endl;
    context.run();
}

int main(int argc, char** argv) {
    int const port = argc > 1 ? std::atoi(argv[1]) : 3000;
    asio::ssl::context tls(asio::ssl::context::tls_server);
    if (argc <= 3) return serve<tcp::socket>(port, tls), 0;
    tls.use_certificate_chain_file(argv[2]);
    tls.use_private_key_file(argv[3], asio::ssl::context::pem);
    serve<tls_stream>(port, tls);
}

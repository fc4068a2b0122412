// tests/examples/uv_server.cpp [port]: the chat of lobby.hpp on libuv.
#include "examples/lobby.hpp"
#include "examples/uv_network.hpp"

#include <socketless/core/system_random.hpp>
#include <socketless/wire/server.hpp>

#include <cstdlib>
#include <iostream>

using namespace socketless;

struct listener {
    network<wire::server<>, lobby>& net;
    uv_tcp_t tcp = {};
    wire::connection_id last_id = 0;

    bool listen(int port) { // on all addresses
        sockaddr_in address{};
        uv_ip4_addr("0.0.0.0", port, &address);
        uv_tcp_init(net.loop, &tcp), tcp.data = this;
        auto const accept = [](uv_stream_t* s, int status) {
            if (status == 0) static_cast<listener*>(s->data)->accept(s);
        };
        return uv_tcp_bind(&tcp, reinterpret_cast<sockaddr*>(&address), 0) == 0 &&
               uv_listen(reinterpret_cast<uv_stream_t*>(&tcp), 511, accept) == 0;
    }
    void accept(uv_stream_t* s) {
        auto& c = net.add(++last_id);
        if (uv_accept(s, c.stream()) != 0) return net.close(c);
        net.io.accepted(c.id, "", now());
        net.read(c);
        net.drive();
    }
};

int main(int argc, char** argv) {
    int const port = argc > 1 ? std::atoi(argv[1]) : 3000;
    wire::server<> io({}, {.cors = {.origins = {"*"}}}, system_random(), now());
    lobby application{io.protocol()};
    network net(io, application);
    listener clients{net};
    if (!clients.listen(port)) return 1;
    std::cout << "listening on " << port << std::endl;
    return uv_run(net.loop, UV_RUN_DEFAULT);
}

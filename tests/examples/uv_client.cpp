// tests/examples/uv_client.cpp URL [text]: the client of talk.hpp on libuv.
#include "examples/talk.hpp"
#include "examples/uv_network.hpp"

#include <socketless/core/system_random.hpp>
#include <socketless/http/url.hpp>
#include <socketless/wire/client.hpp>

#include <iostream>

using namespace socketless;

int main(int argc, char** argv) {
    auto const url = http::parse_url(argc > 1 ? argv[1] : "http://localhost:3000");
    if (!url) return std::cerr << message(url.error().code) << '\n', 1;
    wire::client<> io(*url, {}, {}, system_random(), now());
    talk application{io.protocol(), argc > 2 ? argv[2] : "hello"};
    network net(io, application);
    net.drive();
    return uv_run(net.loop, UV_RUN_DEFAULT); // until nothing is left to wait for
}

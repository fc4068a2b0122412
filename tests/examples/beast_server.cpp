// tests/examples/beast_server.cpp: the chat of lobby.hpp on Boost.Beast, a framework that brings its own HTTP and
// WebSocket: the library is driven with requests and messages.
//
//     beast_server [port]
#include "examples/beast_network.hpp"
#include "examples/lobby.hpp"

#include <socketless/core/system_random.hpp>
#include <socketless/server.hpp>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <iostream>

int main(int argc, char** argv) {
    auto const port = static_cast<std::uint16_t>(argc > 1 ? std::atoi(argv[1]) : 3000);
    socketless::server io({}, socketless::system_random(), std::chrono::steady_clock::now());
    lobby application{io};
    network net(io, application);
    std::cout << "listening on " << net.listen(port) << std::endl;
    net.run();
}

// tests/examples/beast_server.cpp: the chat of lobby.hpp on Boost.Beast, a framework that brings its own HTTP and
// WebSocket: the library is driven with requests and messages, as "The loop" in README.md has it.
//
//     beast_server [port]
#include "examples/lobby.hpp"
#include "interop/beast/server.hpp"

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
    boost::asio::io_context context;
    beast_driver::server network(context, io, application, {.cors = {.origins = {"*"}}});
    network.close_on_signal();
    std::cout << "listening on " << network.listen(port) << std::endl;
    context.run();
}

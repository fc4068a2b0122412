// tests/examples/first_server.cpp: a chat server. A page or a Node program talks to it with socket.io-client:
//
//     const socket = io("http://localhost:3000");
//     socket.on("said", (who, text) => console.log(who, text));
//     socket.emit("say", "hello", (answer) => console.log(answer));
#include "interop/beast/server.hpp"

#include <socketless/core/system_random.hpp>
#include <socketless/server.hpp>

#include <chrono>
#include <cstdint>
#include <iostream>
#include <string>

using namespace socketless;
using socketio::event_type;

struct chat { // sees events and acts on sockets; it never meets the network
    server& io;

    void handle(socketio::event& e) {
        if (e.type == event_type::connected) {
            io.join(e.socket, "lobby");
            io.emit(e.socket, "hello", "welcome", io.socket_count()).ignore(); // the socket may just have gone
        } else if (e.type == event_type::event && e.name() == "say") {
            auto const text = e.get<std::string>(); // or an error: the first argument is no string
            auto const sent =
                text ? io.to("lobby").except(e.socket).emit("said", io.sid(e.socket), *text) : text.error();
            if (e.ack) io.acknowledge(e.ack, sent ? "ok" : message(sent.error().code)).ignore();
        }
    }
};

int main(int argc, char** argv) {
    auto const port = static_cast<std::uint16_t>(argc > 1 ? std::stoi(argv[1]) : 3000);
    server io({}, system_random(), std::chrono::steady_clock::now());
    chat application{io};

    // Boost.Beast is the network: it passes requests and messages to `io`. Then it runs the loop (see "The loop" in
    // README.md): events go to the application, transmits to the network.
    boost::asio::io_context context;
    beast_driver::server network(context, io, application, {.cors = {.origins = {"*"}}});
    network.close_on_signal();
    std::cout << "listening on " << network.listen(port) << std::endl;
    context.run();
}

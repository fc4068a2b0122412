// tests/examples/poll_server.cpp: a chat server on POSIX sockets. A page or a Node program talks to it with
// socket.io-client:
//
//     const socket = io("http://localhost:3000");
//     socket.on("said", (who, text) => console.log(who, text));
//     socket.emit("say", "hello", (answer) => console.log(answer));
#include "examples/poll_network.hpp"

#include <socketless/core/system_random.hpp>
#include <socketless/wire/server.hpp>

#include <chrono>
#include <cstdlib>
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
    int const port = argc > 1 ? std::atoi(argv[1]) : 3000;
    wire::server<> io({}, {.cors = {.origins = {"*"}}}, system_random(), std::chrono::steady_clock::now());
    chat application{io.protocol()};
    network<decltype(io)> net{io}; // examples/poll_network.hpp: moves bytes with poll(2)
    if (!net.listen_on(port)) return 1;
    std::cout << "listening on " << port << std::endl;

    std::string buffer;
    for (;;) {
        if (auto e = io.poll_event()) // what does it mean?
            application.handle(*e);
        else if (net.take_input()) // what came in?
            continue;
        else if (auto const t = io.poll_transmit(buffer)) // what is to be sent?
            net.perform(*t);
        else // when to come back?
            net.wait(io.poll_timeout());
    }
}

// tests/examples/first_client.cpp: says something to a chat server and prints what others say.
#include "interop/beast/client.hpp"

#include <socketless/client.hpp>
#include <socketless/core/system_random.hpp>

#include <chrono>
#include <iostream>
#include <string>

using namespace socketless;
using socketio::event_type;

struct chat {
    client& io;
    std::string line;
    socketio::socket_handle lobby = io.connect("/", json::object("token", "abc")).value(); // a bad name is an error

    void handle(socketio::event& e) {
        if (e.type == event_type::open_failed) std::cout << "no connection: " << name(e.reason) << std::endl;
        if (e.type == event_type::connected) {
            std::cout << (e.recovered ? "connected again, nothing was missed" : "connected") << std::endl;
            io.emit_with_ack(lobby, std::chrono::seconds(5), "say", line).ignore(); // fails if it is not UTF-8
        } else if (e.type == event_type::ack) {
            bool const is_answered = e.outcome == socketio::ack_outcome::answered;
            std::cout << "answer: " << (is_answered ? e.get<std::string>().value_or("?") : "none") << std::endl;
        } else if (e.type == event_type::event && e.name() == "said") {
            if (auto const args = e.get<std::string, std::string>())
                std::cout << std::get<0>(*args) << ": " << std::get<1>(*args) << std::endl;
        } else if (e.type == event_type::disconnected) { // if the network failed, it connects again
            std::cout << "disconnected: " << name(e.reason) << std::endl;
        }
    }
};

int main(int argc, char** argv) {
    auto const url = beast_driver::parse_url(argc > 1 ? argv[1] : "http://localhost:3000").value();
    client io({}, system_random(), std::chrono::steady_clock::now());
    chat application{io, argc > 2 ? argv[2] : "hello"};

    boost::asio::io_context context;
    beast_driver::client network(context, io, application, {.origin = url.origin});
    network.drive(); // after what the application did; after each input the network runs it by itself
    context.run();
}

// tests/examples/poll_client.cpp: says something to a chat server and prints what others say.
#include "examples/poll_network.hpp"

#include <socketless/core/system_random.hpp>
#include <socketless/http/url.hpp>
#include <socketless/wire/client.hpp>

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
    auto const url = http::parse_url(argc > 1 ? argv[1] : "http://localhost:3000");
    if (!url) return std::cerr << message(url.error().code) << '\n', 1;
    wire::client<> io(*url, {}, {}, system_random(), std::chrono::steady_clock::now());
    chat application{io.protocol(), argc > 2 ? argv[2] : "hello"};
    network<decltype(io)> net{io};

    std::string buffer;
    for (;;) {
        if (auto e = io.poll_event())
            application.handle(*e);
        else if (net.take_input())
            continue;
        else if (auto const t = io.poll_transmit(buffer))
            net.perform(*t);
        else if (io.is_done()) // is there nothing left to wait for?
            return 0;
        else
            net.wait(io.poll_timeout());
    }
}

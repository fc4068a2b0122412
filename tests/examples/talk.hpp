// The application of the example clients, whatever their network: says something in the lobby, and prints the answer
// and what others say.
#pragma once

#include <socketless/client.hpp>

#include <chrono>
#include <iostream>
#include <string>
#include <tuple>

// Sees events and acts on its socket; it never meets the network.
struct talk {
    socketless::client& io;
    std::string line;
    socketless::socketio::socket_handle lobby =
        io.connect("/", socketless::json::object("token", "abc")).value(); // a bad name is an error

    void handle(socketless::socketio::event& e) {
        using socketless::socketio::event_type;
        if (e.type == event_type::open_failed) std::cout << "no connection: " << name(e.reason) << std::endl;
        if (e.type == event_type::connected) {
            std::cout << (e.recovered ? "connected again, nothing was missed" : "connected") << std::endl;
            io.emit_with_ack(lobby, std::chrono::seconds(5), "say", line).ignore(); // fails if it is not UTF-8
        } else if (e.type == event_type::ack) {
            bool const is_answered = e.outcome == socketless::socketio::ack_outcome::answered;
            std::cout << "answer: " << (is_answered ? e.get<std::string>().value_or("?") : "none") << std::endl;
        } else if (e.type == event_type::event && e.name() == "said") {
            if (auto const args = e.get<std::string, std::string>())
                std::cout << std::get<0>(*args) << ": " << std::get<1>(*args) << std::endl;
        } else if (e.type == event_type::disconnected) { // if the network failed, it connects again
            std::cout << "disconnected: " << name(e.reason) << std::endl;
        }
    }
};

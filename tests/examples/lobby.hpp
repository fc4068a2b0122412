// The application of the examples, whatever their network: who connects enters the lobby; what one says, the others
// hear; what one shouts, all hear; a message comes back.
#pragma once

#include <socketless/server.hpp>

#include <string>

// Sees events and acts on sockets; it never meets the network.
struct lobby {
    socketless::server& io;

    void handle(socketless::socketio::event& e) {
        using socketless::socketio::event_type;
        if (e.type == event_type::connected) {
            io.join(e.socket, "lobby");
            io.emit(e.socket, "hello", "welcome", io.socket_count()).ignore(); // the socket may just have gone
        } else if (e.type == event_type::event && e.name() == "say") {
            auto const text = e.get<std::string>(); // or an error: the first argument is no string
            auto const sent =
                text ? io.to("lobby").except(e.socket).emit("said", io.sid(e.socket), *text) : text.error();
            if (e.ack) io.acknowledge(e.ack, sent ? "ok" : message(sent.error().code)).ignore();
        } else if (e.type == event_type::event && e.name() == "shout") {
            io.to("lobby").emit("shouted", socketless::socketio::spread(e.args())).ignore();
        } else if (e.type == event_type::event && e.name() == "message") {
            io.emit(e.socket, "message-back", socketless::socketio::spread(e.args())).ignore();
        }
    }
};

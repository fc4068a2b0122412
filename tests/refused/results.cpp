// Whoever drops a result is warned: refused.cmake makes errors of these warnings, and looks for the words of each
// comment in the one at its line. A call that says `ignore()` compiles.
#include <socketless/client.hpp>
#include <socketless/engineio/client_session.hpp>
#include <socketless/engineio/server.hpp>
#include <socketless/server.hpp>
#include <socketless/socketio/client_session.hpp>
#include <socketless/socketio/dispatcher.hpp>
#include <socketless/socketio/server_session.hpp>

#include <optional>
#include <string>

using namespace socketless;

inline constexpr socketio::typed_event<std::string> greeting{"greeting"};

void act(server& io, socketio::socket_handle s, socketio::ack_request& ack) {
    io.accept(s);                                  // nodiscard
    io.refuse(s, "no");                            // nodiscard
    io.emit(s, "a", 1);                            // nodiscard
    io.emit(s, greeting, "Ada");                   // nodiscard
    io.emit_volatile(s, "a", 1);                   // nodiscard
    io.emit_with_ack(s, std::nullopt, "a");        // nodiscard
    io.send(s, "a");                               // nodiscard
    io.acknowledge(ack, "a");                      // nodiscard
    io.in("/").emit("a", 1);                       // nodiscard
    io.to("room").except(s).emit_volatile("a");    // nodiscard
    io.to("room").emit_with_ack(std::nullopt, ""); // nodiscard
    io.to("room").send("a");                       // nodiscard

    io.emit(s, "a", 1).ignore();
    io.to("room").emit("a").ignore();
    io.join(s, "room");
}

void act(client& io, socketio::socket_handle s, socketio::ack_request& ack, socketio::dispatcher& handlers) {
    io.connect();                                                                                    // nodiscard
    io.connect("/", json::object("token", 1));                                                       // nodiscard
    io.open();                                                                                       // nodiscard
    io.authenticate(s, 1);                                                                           // nodiscard
    io.emit(s, "a", 1);                                                                              // nodiscard
    io.emit_with_ack(s, std::nullopt, "a");                                                          // nodiscard
    io.acknowledge(ack);                                                                             // nodiscard
    handlers.on_ack(s, io.emit_with_ack(s, std::nullopt, "a"), [](socketio::event const& /*e*/) {}); // nodiscard

    io.open().ignore();
    handlers.on(greeting, [](std::string const& /*name*/) {});
}

void act(engineio::client_session& c, engineio::server& s, engineio::session_handle h, frame message, time_point now) {
    c.open(now);                 // nodiscard
    c.send(message, now);        // nodiscard
    s.send(h, message);          // nodiscard
    s.send_volatile(h, message); // nodiscard

    c.open(now).ignore();
}

void act(socketio::client_session& c, socketio::server_session& s, socketio::socket_handle h) {
    c.connect();        // nodiscard
    c.emit(h, "a");     // nodiscard
    s.accept(h, "sid"); // nodiscard
    s.emit(h, "a");     // nodiscard
}

void encode(std::string& out, json::text text) {
    json::write(out, 1); // nodiscard
    text.get<int>();     // nodiscard
}

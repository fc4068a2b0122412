// tests/examples/packet_fuzzer.cpp: sends broken packets to a server and looks whether it lives on. Engine.IO carries
// them as it carries any message: no Socket.IO session is there to refuse them.
//
//     packet_fuzzer [URL [packets [seed]]]
//
// A server may close the connection for a packet, and should for most; or it takes it, if it happens to be a good one.
#include "interop/posix/network.hpp"

#include <socketless/core/system_random.hpp>
#include <socketless/engineio/client_session.hpp>
#include <socketless/http/url.hpp>
#include <socketless/json/writer.hpp>
#include <socketless/socketio/encode.hpp>
#include <socketless/wire/client.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <iostream>
#include <random>
#include <string>
#include <string_view>

using namespace socketless;
using engineio::event_type;
static auto now() {
    return std::chrono::steady_clock::now();
}

struct fuzzer {
    engineio::client_session& io;
    int left; // packets to send; -1 when all have been answered
    std::mt19937 random;
    std::string packet = {};
    bool is_open = false;
    int taken = 0;
    int refused = 0;

    // After each packet comes the wish to join a namespace that no server has: the answer shows that it has read both.
    void handle(engineio::event const& e) {
        if (e.type == event_type::opened) {
            is_open = true;
            send("0"); // joins "/"
        } else if (e.type == event_type::message && e.message.data.starts_with("0{")) {
            attack();
        } else if (e.type == event_type::message && e.message.data.starts_with("4/nowhere")) {
            ++taken;
            attack();
        } else if (e.type == event_type::closed) {
            if (!is_open || left < 0 || e.reason == engineio::close_reason::ping_timeout) return; // down, or done
            ++refused;
            is_open = false;
            if (left == 0)
                left = -1;
            else
                io.open(now()).ignore();
        }
    }

    void attack() {
        if (left-- == 0) return io.close(now());
        packet = broken_packet();
        send(packet);
        send("0/nowhere,");
    }

    void send(std::string_view text) { io.send({frame_kind::text, text}, now()).ignore(); } // it may not be UTF-8

    // A good packet, in which some bytes are changed.
    std::string broken_packet() {
        constexpr std::array<std::string_view, 14> pieces = {
            "0", "5", "51-", "6", "[", "]", "{", "\"", "-", ",", "/", ".", "99999999999999999999", "\\ud800"};
        std::string text;
        attachment_list attachments;
        socketio::encode_event(text, attachments, {.nsp = "/", .id = below(100)}, "say", 1.5,
                               json::object("list", std::array{1, 2}, "text", "ä"))
            .ignore();
        for (std::size_t changes = 1 + below(3); changes != 0; --changes) {
            std::size_t const at = below(text.size());
            if (below(3) == 0)
                text.erase(at, 1 + below(4));
            else if (below(2) == 0)
                text.insert(at, pieces[below(pieces.size())]);
            else
                text[at] = static_cast<char>(' ' + below(95));
        }
        return text;
    }

    std::size_t below(std::size_t end) { return random() % end; }
};

int main(int argc, char** argv) {
    auto const url = http::parse_url(argc > 1 ? argv[1] : "http://localhost:3000");
    if (!url) return 2;
    wire::client<engineio::client_session> io(
        *url, {.path = "/socket.io/", .transports = {engineio::transport::websocket}}, {}, system_random(), now());
    fuzzer application{io.protocol(), argc > 2 ? std::stoi(argv[2]) : 1'000,
                       std::mt19937(argc > 3 ? std::stoul(argv[3]) : 1)};
    posix_driver::network net(io, application);
    io->open(now()).ignore();
    net.run([&io] { return !io.is_done(); });
    std::cout << application.refused << " refused, " << application.taken << " taken\n";
    if (application.left < 0) return 0;
    std::cout << "the server is down, after: " << application.packet << '\n';
    return 1;
}

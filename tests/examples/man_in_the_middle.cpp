// tests/examples/man_in_the_middle.cpp: stands between clients and a server, passes all bytes on, prints the packets in
// them. It uses the codec alone, and reads of HTTP and WebSocket what that needs: no TLS, no chunks, no compression.
//
//     man_in_the_middle 8000 3000      listens on port 8000, the server on port 3000 of this machine
#include <socketless/engineio/packet.hpp>
#include <socketless/engineio/payload.hpp>
#include <socketless/socketio/packet.hpp>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cctype>
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>

using namespace socketless;

// What one side says on a connection.
struct direction {
    void read(std::string_view more) {
        bytes += more;
        while (is_websocket ? read_frame() : read_http()) continue;
    }

    // Takes a head and its body, if both are there.
    bool read_http() {
        auto const end = bytes.find("\r\n\r\n");
        if (end == std::string::npos) return false;
        std::string head = bytes.substr(0, end);
        for (char& c : head) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        auto const length = head.find("\r\ncontent-length:");
        std::size_t const size = length == std::string::npos ? 0 : std::strtoul(head.data() + length + 17, nullptr, 10);
        if (bytes.size() - end - 4 < size) return false;
        std::string body = bytes.substr(end + 4, size);
        bytes.erase(0, end + 4 + size);
        is_websocket = head.find("\r\nupgrade: websocket") != std::string::npos;
        if (body.empty() || body == "ok") return true; // the server's answer to a POST
        engineio::payload_reader reader{std::span<char>(body)};
        while (auto const p = reader.next()) print(*p);
        return true;
    }

    // Takes a frame, if all of it is there.
    bool read_frame() {
        auto const byte = [this](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
        if (bytes.size() < 2) return false;
        std::size_t size = byte(1) & 0x7fu;
        std::size_t const mask = size < 126 ? 2 : size == 126 ? 4 : 10;
        std::size_t const begin = mask + (byte(1) < 0x80 ? 0 : 4);
        if (bytes.size() < begin) return false;
        for (std::size_t i = 2; i != mask; ++i) size = (i == 2 ? 0 : size << 8u) | byte(i);
        if (bytes.size() - begin < size) return false;
        std::string data = bytes.substr(begin, size);
        for (std::size_t i = 0; begin != mask && i != size; ++i)
            data[i] = static_cast<char>(data[i] ^ byte(mask + i % 4));
        auto const opcode = byte(0) & 0x0fu; // 1 is a text, 2 a binary message; the others are WebSocket's own
        bytes.erase(0, begin + size);
        if (opcode == 1 || opcode == 2) print(engineio::decode({static_cast<frame_kind>(opcode - 1), data}));
        return true;
    }

    void print(result<engineio::packet> const& p) {
        std::ostringstream line; // written at once: other threads print too
        line << who << ": ";
        if (!p) {
            line << "no packet: " << message(p.error().code);
        } else if (p->type != engineio::packet_type::message) {
            line << name(p->type) << ' ' << p->data;
        } else if (p->kind == frame_kind::binary) {
            line << "attachment of " << p->data.size() << " bytes"; // of the packet before
        } else if (auto const packet = socketio::decode(p->data)) {
            line << name(packet->type) << ' ' << packet->nsp << ' ' << packet->data.raw();
            if (packet->id) line << " id " << *packet->id;
        } else {
            line << "no packet: " << message(packet.error().code) << " at byte " << packet.error().offset;
        }
        std::cout << line.str() + '\n' << std::flush;
    }

    std::string_view who;
    std::string bytes = {};
    bool is_websocket = false;
};

void pass_on(int from, int to, std::string_view who) {
    direction what{.who = who};
    char buffer[65'536];
    for (ssize_t size = 0; (size = ::recv(from, buffer, sizeof buffer, 0)) > 0;) {
        what.read({buffer, static_cast<std::size_t>(size)});
        if (::send(to, buffer, static_cast<std::size_t>(size), MSG_NOSIGNAL) != size) break;
    }
    ::shutdown(to, SHUT_WR);
}

int main(int argc, char** argv) {
    if (argc != 3) return 2;
    auto const local = [](char const* port) {
        return sockaddr_in{AF_INET, htons(static_cast<in_port_t>(std::stoi(port))), {htonl(INADDR_LOOPBACK)}, {}};
    };
    auto const here = local(argv[1]);
    int const listener = ::socket(AF_INET, SOCK_STREAM, 0);
    if (::bind(listener, reinterpret_cast<sockaddr const*>(&here), sizeof here) != 0) return 1;
    if (::listen(listener, SOMAXCONN) == 0) std::cout << "listening on " << argv[1] << std::endl;
    for (int client = 0; (client = ::accept(listener, nullptr, nullptr)) >= 0;)
        std::thread([client, there = local(argv[2])] {
            int const server = ::socket(AF_INET, SOCK_STREAM, 0);
            if (::connect(server, reinterpret_cast<sockaddr const*>(&there), sizeof there) == 0) {
                std::jthread const up(pass_on, client, server, "client");
                pass_on(server, client, "server");
            }
            ::close(server);
            ::close(client);
        }).detach();
}

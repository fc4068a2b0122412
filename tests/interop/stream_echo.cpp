// Socket.IO over plain TCP and POSIX sockets: a server that sends each event back and acknowledges it with its
// arguments, and a client that tries it.
#include "command_line.hpp"
#include "posix/framed.hpp"
#include "posix/network.hpp"

#include <socketless/client.hpp>
#include <socketless/core/system_random.hpp>
#include <socketless/server.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace socketless;
using socketio::event_type;
using socketio::spread;

constexpr std::string_view usage = R"(stream_echo [--port N]
stream_echo --connect PORT [--address A]
Serves Socket.IO over TCP, framed as over WebTransport; or connects, sends 1,000 events, a binary one of 1 MB and one that
asks for an acknowledgement, checks what comes back, and leaves. The exit code is then 0 if all was well.)";

struct arguments {
    std::uint16_t port = 0;
    std::uint16_t connect = 0;
    std::string address = "127.0.0.1";
};

time_point now() {
    return std::chrono::steady_clock::now();
}

struct echo_server {
    server& io;

    void handle(socketio::event& e) {
        if (e.type != event_type::event) return;
        io.emit(e.socket, e.name().str(), spread(e.args())).ignore();
        if (e.ack) io.acknowledge(e.ack, spread(e.args())).ignore();
    }
};

class echo_client {
public:
    explicit echo_client(client& io) : io_(io), socket_(io.connect().value()) {}

    [[nodiscard]] bool is_content() const { return is_done_ && is_good_; }

    void handle(socketio::event& e) {
        if (e.type == event_type::connected) send_all();
        if (e.type == event_type::event && e.name() == "number") check(e.get<int>().value_or(-1) == received_++);
        if (e.type == event_type::event && e.name() == "picture") check(has_come_back(e.get<byte_view>()));
        if (e.type == event_type::ack) finish(e);
    }

private:
    static constexpr int numbers = 1'000;

    void send_all() {
        for (int i = 0; i != numbers; ++i) check(io_.emit(socket_, "number", i).has_value());
        check(io_.emit(socket_, "picture", picture_).has_value());
        check(io_.emit_with_ack(socket_, std::chrono::seconds(30), "question", "who?").has_value());
    }

    [[nodiscard]] bool has_come_back(result<byte_view> picture) {
        has_picture_ = picture && std::ranges::equal(*picture, picture_);
        return has_picture_;
    }

    // The acknowledgement was asked for behind all else, and comes back behind it.
    void finish(socketio::event const& e) {
        check(e.outcome == socketio::ack_outcome::answered && e.get<std::string>().value_or("") == "who?");
        check(received_ == numbers && has_picture_);
        is_done_ = true;
        std::puts(is_good_ ? "all came back as it was" : "something did not come back");
        io_.close();
    }

    void check(bool good) { is_good_ = is_good_ && good; }

    client& io_;
    socketio::socket_handle socket_;
    std::vector<std::byte> const picture_ = std::vector<std::byte>(std::size_t{1'000'000}, std::byte{0x5a});
    int received_ = 0;
    bool has_picture_ = false;
    bool is_good_ = true;
    bool is_done_ = false;
};

int serve(arguments const& a) {
    engineio::server_options const engine{.max_payload = std::size_t{4} * 1024 * 1024,
                                          .transports = {engineio::transport::webtransport}};
    server io({.engine = engine}, system_random(), now());
    echo_server application{io};
    posix_driver::framed streams(io);
    posix_driver::network network(streams, application);
    std::printf("listening on %u\n", static_cast<unsigned>(network.listen(a.port)));
    std::fflush(stdout);
    network.run([] { return true; });
    return 0;
}

int connect(arguments const& a) {
    client io({.transports = {engineio::transport::webtransport}, .reconnection = false}, system_random(), now());
    echo_client application(io);
    posix_driver::framed streams(io, a.address, a.connect);
    posix_driver::network network(streams, application);
    network.run([&] { return !streams.is_done(); });
    return application.is_content() ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) try {
    arguments a;
    command_line line(usage);
    line.option("--port", a.port);
    line.option("--connect", a.connect);
    line.option("--address", a.address);
    line.parse_options(argc, argv);
    return a.connect == 0 ? serve(a) : connect(a);
} catch (std::exception const& e) {
    std::fprintf(stderr, "stream_echo: %s\n", e.what());
    return 1;
}

// tests/examples/own_transport.cpp: Socket.IO over a transport of your own, here a socketpair, without Engine.IO. The
// sessions want a channel that keeps messages whole and in order, and nothing else.
//
//     own_transport      a server and a client, in two processes
//     own_transport 3    serves the program at the other end of file descriptor 3
#include <socketless/core/system_random.hpp>
#include <socketless/socketio/client_session.hpp>
#include <socketless/socketio/message_queue.hpp>
#include <socketless/socketio/server_session.hpp>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

using namespace socketless;
using socketio::event_type;
constexpr auto now = std::chrono::steady_clock::now;

// A message on the wire: its size in four bytes, as this machine has them, its kind (0 text, 1 binary), its bytes.
class channel {
public:
    explicit channel(int fd) : fd_(fd) {}

    void send(frame message) const {
        auto const size = static_cast<std::uint32_t>(message.data.size());
        std::string bytes(5, message.kind == frame_kind::binary ? '\1' : '\0');
        std::memcpy(bytes.data(), &size, sizeof size);
        bytes += message.data;
        for (std::string_view rest = bytes; !rest.empty();) {
            ssize_t const count = ::send(fd_, rest.data(), rest.size(), MSG_NOSIGNAL);
            if (count <= 0) return; // the peer has gone: receive tells
            rest.remove_prefix(static_cast<std::size_t>(count));
        }
    }

    // Whether something has come before it is time.
    [[nodiscard]] bool wait(std::optional<time_point> until) const {
        pollfd p{fd_, POLLIN, 0};
        auto const left = until ? std::chrono::ceil<milliseconds>(*until - now()).count() : 60'000;
        return ::poll(&p, 1, static_cast<int>(std::clamp<long long>(left, 0, 60'000))) > 0; // too early does no harm
    }

    // The next message, which lives in `bytes`; nothing if the peer has gone.
    std::optional<frame> receive(std::string& bytes) const {
        if (!read(bytes, 5)) return std::nullopt;
        std::uint32_t size = 0;
        std::memcpy(&size, bytes.data(), sizeof size);
        auto const kind = bytes[4] == 0 ? frame_kind::text : frame_kind::binary;
        if (size > 1'000'000 || !read(bytes, size)) return std::nullopt; // a limit for all that a peer makes long
        return frame{kind, bytes};
    }

private:
    bool read(std::string& bytes, std::size_t size) const {
        bytes.resize(size);
        return size == 0 || ::recv(fd_, bytes.data(), size, MSG_WAITALL) == static_cast<ssize_t>(size);
    }
    int fd_;
};

// The loop, the same for both roles. `handle` says whether to go on.
void drive(auto& io, channel const& wire, auto handle, auto lost) {
    std::string bytes;
    for (bool goes_on = true;;) {
        if (auto e = io.poll_event()) {
            goes_on = handle(*e) && goes_on;
        } else if (auto const t = io.poll_transmit(); t && t->type == socketio::transmit_type::message) {
            wire.send(t->message);
        } else if (t || !goes_on) {
            return;
        } else if (!wire.wait(io.poll_timeout())) {
            io.handle_timeout(now());
        } else if (auto const message = wire.receive(bytes)) {
            io.message_received(*message, now()); // `bytes` stays as it is until poll_event has returned nothing
        } else {
            lost();
        }
    }
}

void serve(int fd) {
    socketio::server_options const options;
    socketio::message_queue queue;
    socketio::server_session io(options, queue, socketio::revision::v5, now());
    auto const handle = [&](socketio::event& e) {
        if (e.type == event_type::connecting) io.accept(e.socket, view(make_random_id(system_random()))).ignore();
        if (e.type == event_type::event && e.ack) io.acknowledge(e.ack, socketio::spread(e.args())).ignore(); // an echo
        return e.type != event_type::closed;
    };
    drive(io, channel(fd), handle, [&] { io.connection_closed(socketio::disconnect_reason::transport_close, now()); });
}

void ask(int fd) {
    socketio::client_session io({}, now());
    io.opened(now());
    io.emit_with_ack(io.connect("/").value(), milliseconds(5'000), "say", "hello").ignore(); // once connected
    auto const handle = [&](socketio::event& e) {
        if (e.type == event_type::ack) std::printf("echo: %s\n", e.get<std::string>().value_or("none").c_str());
        return e.type != event_type::ack && e.type != event_type::closed;
    };
    drive(io, channel(fd), handle, [&] { io.closed(socketio::disconnect_reason::transport_close, now()); });
}

int main(int argc, char** argv) {
    if (argc > 1) return serve(std::stoi(argv[1])), 0;
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return 1;
    bool const is_server = ::fork() != 0;
    ::close(ends[is_server ? 1 : 0]); // so each notices that the other has gone
    is_server ? serve(ends[0]) : ask(ends[1]);
}

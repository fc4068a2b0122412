// tests/examples/microcontroller.cpp: a client on a small machine without an operating system. It connects, emits,
// hears an event and acknowledges it. CI links it for a Cortex-M4, without exceptions and RTTI, and limits its size.
#include <socketless/wire/client.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

// The board brings its random numbers, its clock and its network: TCP, of lwIP say.
extern "C" {
std::uint32_t board_random();
// Since it started. It never goes back: 32 bits would, after 49.7 days.
std::int64_t board_milliseconds();
void board_led(int is_on);
void board_sleep(std::uint32_t milliseconds);
// The number of the connection; negative where it could not be made.
int board_connect(char const* host, std::size_t size, std::uint16_t port);
// Returns when all is written: the connection need not be paused. If it fails, so does board_read.
void board_write(int tcp, char const* data, std::size_t size);
// How many bytes have come, 0 if none, negative if the connection is gone.
int board_read(int tcp, char* data, std::size_t size);
void board_close(int tcp);
}

using namespace socketless;
using socketio::event_type;
using wire::transmit_type;
using wire_client = wire::client<client>;

namespace {

time_point now() {
    return time_point(milliseconds(board_milliseconds()));
}

// The random source: system_random() is for those who have an operating system.
void fill(std::span<std::byte> bytes) {
    for (std::byte& b : bytes) b = static_cast<std::byte>(board_random());
}

void handle(wire_client& io, socketio::socket_handle socket, socketio::event& e) {
    if (e.type == event_type::connected) {
        io->emit(socket, "hello", "board", 7).ignore();
    } else if (e.type == event_type::event && e.name() == "led") {
        auto const is_on = e.get<int>();
        if (is_on) board_led(*is_on);
        if (e.ack) io->acknowledge(e.ack, is_on.has_value()).ignore();
    }
}

// Two at once, at most: one that closes, and the next.
struct connection {
    int tcp = -1;
    wire::connection_id id = 0;
};
connection connections[4];
char input[1024];

connection* find(wire::connection_id id) {
    auto* const found = std::ranges::find(connections, id, &connection::id);
    return found == std::end(connections) ? nullptr : found;
}

void forget(connection& c) {
    board_close(c.tcp);
    c = {};
}

void perform(wire_client& io, wire::transmit const& t) {
    if (t.type == transmit_type::connect) {
        connection* const c = find(0);
        int const tcp = c == nullptr || t.tls ? -1 : board_connect(t.host.data(), t.host.size(), t.port);
        if (tcp < 0) return io.closed(t.connection, now());
        *c = {tcp, t.connection};
        io.connected(t.connection, now());
    } else if (connection* const c = find(t.connection)) {
        if (t.type == transmit_type::send)
            board_write(c->tcp, t.data.data(), t.data.size());
        else
            forget(*c);
    }
}

// Reads once; false if nothing has come.
bool read(wire_client& io) {
    for (connection& c : connections) {
        int const size = c.tcp < 0 ? 0 : board_read(c.tcp, input, sizeof input);
        if (size > 0) return io.received(c.id, {input, static_cast<std::size_t>(size)}, now()), true;
        if (size < 0) return io.closed(c.id, now()), forget(c), true;
    }
    return false;
}

} // namespace

int main() {
    auto const url = http::parse_url("http://192.168.0.2:3000").value();
    client_options options;
    options.transports = {engineio::transport::websocket};
    options.max_payload = 4096;
    options.max_queued = options.max_buffered = 4096; // no more than this waits for the network
    wire_client io(url, std::move(options), {.max_write = 1024}, fill, now());
    auto const socket = io->connect("/").value();

    std::string buffer;
    for (;;) {
        if (auto e = io.poll_event()) {
            handle(io, socket, *e);
        } else if (auto const t = io.poll_transmit(buffer)) {
            perform(io, *t);
        } else if (!read(io)) {
            board_sleep(10);
            io.handle_timeout(now());
        }
    }
}

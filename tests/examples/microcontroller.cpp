// tests/examples/microcontroller.cpp: a client on a small machine without an operating system. It connects, emits,
// hears an event and acknowledges it. CI links it for a Cortex-M4, without exceptions and RTTI, and limits its size.
#include <socketless/client.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

// The board brings its random numbers, its clock and its network: a module that speaks WebSocket, say.
extern "C" {
std::uint32_t board_random();
// Since it started. It never goes back: 32 bits would, after 49.7 days.
std::int64_t board_milliseconds();
void board_led(int is_on);
// Opens the WebSocket: 0 where that fails.
int board_open(char const* target, std::size_t size);
// Returns when the frame has gone: the channel need not be paused.
void board_send(int is_text, char const* data, std::size_t size);
void board_close();
// The size of the frame that came, 0 if there is none, negative if the connection was lost.
int board_receive(char* frame, std::size_t size);
void board_sleep(std::uint32_t milliseconds);
}

using namespace socketless;
using engineio::transmit_type;
using socketio::event_type;

namespace {

time_point now() {
    return time_point(milliseconds(board_milliseconds()));
}

// The random source: system_random() is for those who have an operating system.
void fill(std::span<std::byte> bytes) {
    for (std::byte& b : bytes) b = static_cast<std::byte>(board_random());
}

void handle(client& io, socketio::socket_handle socket, socketio::event& e) {
    if (e.type == event_type::connected) {
        io.emit(socket, "hello", "board", 7).ignore();
    } else if (e.type == event_type::event && e.name() == "led") {
        auto const is_on = e.get<int>();
        if (is_on) board_led(*is_on);
        if (e.ack) io.acknowledge(e.ack, is_on.has_value()).ignore();
    }
}

} // namespace

int main() {
    client_options options;
    options.transports = {engineio::transport::websocket};
    options.max_payload = 4096;
    options.max_queued = options.max_buffered = 4096; // no more than this waits for the network
    client io(options, fill, now());
    auto const socket = io.connect("/").value();

    engineio::channel_id channel{};
    std::string buffer;
    char frame[4096];
    for (;;) {
        if (auto e = io.poll_event()) {
            handle(io, socket, *e);
        } else if (auto const t = io.poll_transmit(buffer)) {
            if (t->type == transmit_type::open_websocket) {
                channel = t->id;
                if (board_open(t->target.data(), t->target.size()) != 0)
                    io.channel_opened(channel, now());
                else
                    io.channel_closed(channel, now());
            } else if (t->type == transmit_type::send) {
                board_send(t->data.kind == frame_kind::text ? 1 : 0, t->data.data.data(), t->data.data.size());
            } else if (t->type == transmit_type::close) {
                board_close();
            }
        } else if (int const size = board_receive(frame, sizeof frame); size != 0) {
            if (size > 0)
                io.websocket_received(channel, {frame_kind::text, {frame, static_cast<std::size_t>(size)}}, now());
            else
                io.channel_closed(channel, now());
        } else {
            board_sleep(10);
            io.handle_timeout(now());
        }
    }
}

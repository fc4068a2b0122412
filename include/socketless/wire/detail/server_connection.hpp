// A connection of a wire server: its HTTP, and the WebSocket that it may become.
#pragma once

#include <socketless/core/detail/slot_map.hpp>
#include <socketless/core/time.hpp>
#include <socketless/engineio/session.hpp>
#include <socketless/http/limits.hpp>
#include <socketless/http/request.hpp>
#include <socketless/http/whole_body.hpp>
#include <socketless/websocket/connection.hpp>
#include <socketless/wire/transmit.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::wire::detail {

// What becomes of a request.
enum class exchange_phase : std::uint8_t {
    // It is on its way.
    reading,
    // It waits for the answer of the protocol, or of the application.
    waiting,
    // Its answer waits until it can be sent.
    answered,
};

// The HTTP of a connection. A connection that is a WebSocket has none.
struct server_http {
    server_http(http::limits const& limits, std::string_view client) : reader(limits), address(client) {}

    http::request_reader reader;
    http::whole_body body;
    std::string address;
    std::string early;                  // what came while a request waits for its answer
    std::string output;                 // answers that wait until a write has ended
    std::string origin;                 // the page that may read the answer
    engineio::exchange_id exchange = 0; // the request that is under way, or 0
    exchange_phase phase = exchange_phase::reading;
    bool is_started = false;       // the protocol knows that its body is on its way
    bool is_the_protocols = false; // and not the application's
    bool is_head = false;
    bool is_1_0 = false;
    bool is_last = false; // the connection ends with the answer
    bool is_cut = false;  // something behind `early` is lost
};

// What a connection is doing. It goes down this list, and may leave steps out.
enum class connection_phase : std::uint8_t {
    // It speaks HTTP, or is a WebSocket.
    open,
    // It sends what is due and then ends its side.
    ending,
    // It has ended its side, and waits for the client to do so.
    lingering,
    // It is to be closed.
    closing,
};

struct server_connection : core_detail::slot {
    connection_id id = 0;
    std::unique_ptr<server_http> http;
    std::optional<websocket::connection> websocket;
    connection_phase phase = connection_phase::open;
    bool is_gone = false; // the caller knows no such connection any more
    bool is_paused = false;
    bool has_channel = false; // the protocol knows its WebSocket
    bool has_ended = false;   // the client has ended its side
};

} // namespace socketless::inline v0::wire::detail

#include <socketless/core/detail/epilogue.hpp>

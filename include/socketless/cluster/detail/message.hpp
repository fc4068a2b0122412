// What nodes say to each other, whatever the bus: the message types of socket.io-adapter 2.5.
#pragma once

#include <socketless/core/frame.hpp>
#include <socketless/core/time.hpp>
#include <socketless/json/text.hpp>
#include <socketless/socketio/arguments.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::cluster::detail {

// The numbers are those of the wire. Source: socket.io-adapter 2.5.8, cluster-adapter.
enum class message_type : std::uint8_t {
    initial_heartbeat = 1,
    heartbeat,
    broadcast,
    sockets_join,
    sockets_leave,
    disconnect_sockets,
    fetch_sockets,
    fetch_sockets_response,
    server_side_emit,
    server_side_emit_response,
    broadcast_client_count,
    broadcast_ack,
    adapter_close,
};

// Bytes of the name of a node or a request. The reference's have 16; what is kept of others must not be as long as they
// like.
inline constexpr std::size_t max_id_size = 256;

// What all emitters call themselves. They are no nodes, and answer nothing.
inline constexpr std::string_view emitter_uid = "emitter";

// Adds a room that is not among them yet.
inline void add_room(std::vector<std::string>& rooms, std::string_view room) {
    if (std::ranges::find(rooms, room) == rooms.end()) rooms.emplace_back(room);
}

// One message. What comes is written over one object again and again. Attachments are borrowed: from what was emitted,
// or from the bytes that came.
struct message {
    message_type type = message_type::heartbeat;
    std::string uid; // of the sender; some do not say
    std::string nsp;
    std::string request_id; // empty: no answer is wanted

    // broadcast, sockets_..., disconnect_sockets, fetch_sockets: whom it is for.
    std::vector<std::string> rooms;
    std::vector<std::string> except;
    bool is_volatile = false;
    std::optional<milliseconds> timeout; // of acknowledgements

    std::vector<std::string> others; // sockets_join, sockets_leave: the rooms to join or to leave
    bool closes = false;             // disconnect_sockets: the connections too
    std::uint64_t count = 0;         // broadcast_client_count

    // JSON, with placeholders for the attachments:
    //   broadcast                   a whole packet, EVENT or BINARY_EVENT, without an id. Its array begins at
    //                               `payload_begin`
    //   server_side_emit            an array: the name and the arguments
    //   fetch_sockets_response      an array of sockets
    //   server_side_emit_response,  one value; empty if there is none
    //     broadcast_ack
    std::string text;
    std::size_t payload_begin = 0;
    attachment_list attachments;

    // broadcast: what clients that come back will say that they have heard of last. Empty where none is known.
    std::string offset;

    void clear() {
        type = message_type::heartbeat;
        uid.clear();
        nsp.clear();
        request_id.clear();
        rooms.clear();
        except.clear();
        is_volatile = false;
        timeout.reset();
        others.clear();
        closes = false;
        count = 0;
        text.clear();
        payload_begin = 0;
        attachments.clear();
        offset.clear();
    }

    // The JSON without the head of a packet.
    [[nodiscard]] json::text payload() const noexcept {
        return json::text::trusted(std::string_view(text).substr(payload_begin));
    }
    [[nodiscard]] socketio::argument value() const noexcept { return {payload(), attachments}; }
};

} // namespace socketless::inline v0::cluster::detail

#include <socketless/core/detail/epilogue.hpp>

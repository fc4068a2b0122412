// What a schedule knows of clients, audiences and requests: who must get what.
#pragma once

#include <socketless/cluster/detail/message.hpp>
#include <socketless/core/time.hpp>
#include <socketless/socketio/session.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace support {

inline constexpr std::string_view cluster_rooms[] = {"r0", "r1", "r2"};
inline constexpr std::string_view cluster_namespaces[] = {"/", "/n"};

struct cluster_client {
    std::size_t life; // of a node
    std::uint64_t channel;
    std::string_view nsp;
    bool is_open = true;       // the channel
    bool is_connected = false; // the socket
    socketless::socketio::socket_handle socket = {};
    std::string sid = {};
    std::array<bool, std::size(cluster_rooms)> rooms{};
    std::map<std::size_t, std::uint64_t> last = {}; // the number of its last event, by the life that sent it

    [[nodiscard]] bool is_in(std::string_view room) const {
        auto const found = std::ranges::find(cluster_rooms, room);
        return found == std::end(cluster_rooms) ? room == sid : rooms[static_cast<std::size_t>(found - cluster_rooms)];
    }
    void set(std::string_view room, bool is_in) {
        auto const found = std::ranges::find(cluster_rooms, room);
        if (found != std::end(cluster_rooms)) rooms[static_cast<std::size_t>(found - cluster_rooms)] = is_in;
    }
};

// Whom something is for.
struct cluster_audience {
    std::string nsp = {};
    std::vector<std::string> to = {};
    std::vector<std::string> except = {};
    std::optional<std::size_t> except_client = {}; // by its handle

    [[nodiscard]] bool has(cluster_client const& c, std::size_t number) const {
        auto const is_in = [&](std::string const& room) { return c.is_in(room); };
        return c.is_connected && c.nsp == nsp && (to.empty() || std::ranges::any_of(to, is_in)) &&
               std::ranges::none_of(except, is_in) && except_client != number;
    }
};

// An event that was emitted, to clients or to servers.
struct cluster_emission {
    std::size_t sender; // a life
    cluster_audience whom = {};
    bool is_published = false;
    std::size_t asked = 0;    // clients, for acknowledgements
    std::size_t answered = 0; // that a client or an application has sent
};

enum class cluster_request_kind : std::uint8_t { acks, replies, sockets };

struct cluster_request {
    cluster_request_kind kind;
    socketless::time_point deadline;
    std::uint64_t emission = 0; // acks, replies
    cluster_audience whom = {}; // sockets
    std::string wire_id = {};
    // sockets: by node, the ids that it may answer with: those at each time that it was asked.
    std::map<std::string, std::vector<std::vector<std::string>>, std::less<>> sids = {};
    std::size_t answers = 0;
    bool is_complete = false;
};

} // namespace support

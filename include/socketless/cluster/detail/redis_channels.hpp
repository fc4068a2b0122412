// The channels of Redis on which nodes meet, by the names that the adapters of Node give them.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::cluster::detail {

// What stands between the prefix and the namespace in the names of the channels of a namespace. What is empty is no
// channel.
struct redis_layout {
    std::string_view broadcasts; // and, for each room, one that begins like it
    std::string_view requests;
    std::string_view responses;
    std::string_view own_responses; // followed by the node that has asked
};

// Source: @socket.io/redis-adapter 8.3.0, index.js.
inline constexpr std::string_view of_broadcasts = "#";
inline constexpr std::string_view of_requests = "-request#";
inline constexpr std::string_view of_responses = "-response#";
inline constexpr redis_layout pubsub_layout{of_broadcasts, of_requests, of_responses, of_responses};
// Source: @socket.io/redis-streams-adapter 0.3.1, adapter.js.
inline constexpr redis_layout streams_layout{"", "#", "", "#"};

// A channel of a namespace. `last` is a room, which may be empty, or the node for which responses are.
[[nodiscard]] inline std::string channel_of(std::string_view prefix, std::string_view kind, std::string_view nsp,
                                            std::optional<std::string_view> last = std::nullopt) {
    std::string channel;
    channel.reserve(prefix.size() + kind.size() + nsp.size() + (last ? last->size() + 2 : 1));
    channel.append(prefix).append(kind).append(nsp).append(1, '#');
    if (last) channel.append(*last).append(1, '#');
    return channel;
}

// That of a broadcast: one room has its own channel, so that nodes without it need not read the message.
[[nodiscard]] inline std::string broadcast_channel(std::string_view prefix, std::string_view nsp,
                                                   std::vector<std::string> const& rooms) {
    return channel_of(prefix, of_broadcasts, nsp,
                      rooms.size() == 1 ? std::optional<std::string_view>(rooms.front()) : std::nullopt);
}

// A pattern of PSUBSCRIBE that matches exactly this name.
[[nodiscard]] inline std::string escape_glob(std::string_view name) {
    std::string pattern;
    pattern.reserve(name.size());
    for (char const c : name) {
        if (std::string_view("*?[]^\\").find(c) != std::string_view::npos) pattern += '\\';
        pattern += c;
    }
    return pattern;
}

// The name that such a pattern matches.
[[nodiscard]] inline std::string unescape_glob(std::string_view pattern) {
    std::string name;
    name.reserve(pattern.size());
    for (std::size_t i = 0; i != pattern.size(); ++i) {
        if (pattern[i] == '\\' && i + 1 != pattern.size()) ++i;
        name += pattern[i];
    }
    return name;
}

} // namespace socketless::inline v0::cluster::detail

#include <socketless/core/detail/epilogue.hpp>

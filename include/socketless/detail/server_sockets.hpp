// The sockets of a server, by number.
#pragma once

#include <socketless/core/detail/slot_map.hpp>
#include <socketless/core/random.hpp>
#include <socketless/engineio/server.hpp>
#include <socketless/socketio/recovery.hpp>
#include <socketless/socketio/session.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::detail {

enum class server_socket_state : std::uint8_t {
    asked,     // the client waits for an answer to its CONNECT
    refused,   // its acknowledgements are about to end
    connected, // it has joined its namespace
    ended,     // its last event is being handled
};

// What recovery knows of a socket: its own secret; before it is connected what its client claims.
struct recovery_claim {
    std::string pid;
    std::string offset;
    // See recoverable_session.
    socketio::recovery_offset since = {};
    std::vector<std::string> left = {};
    bool is_promised = false; // the application was told that the state will be recovered

    // Enough for who comes and goes; whoever returns an offset of an older one gets a fresh session.
    static constexpr std::size_t max_left = 64;

    void note_left(std::string_view room) {
        if (std::ranges::find(left, room) != left.end()) return;
        if (left.size() == max_left) left.erase(left.begin());
        left.emplace_back(room);
    }
};

// What few sockets have: it is kept apart, or all would be larger.
struct server_socket_details {
    std::optional<recovery_claim> recovery;
    std::string long_sid; // of a client of revision 4, in another namespace than "/"
};

struct server_socket : slot {
    std::uint32_t nsp = 0;
    socketio::socket_handle local; // what its session calls it
    engineio::session_handle connection;
    server_socket_state state = server_socket_state::asked;
    bool may_recover = true; // nobody has disconnected it
    random_id short_sid{};
    std::unique_ptr<server_socket_details> details;
    std::shared_ptr<void> data;

    [[nodiscard]] bool has_long_sid() const noexcept { return details && !details->long_sid.empty(); }
    [[nodiscard]] std::string_view sid() const noexcept {
        return has_long_sid() ? std::string_view(details->long_sid) : view(short_sid);
    }
    [[nodiscard]] recovery_claim* recovery() const noexcept {
        return details && details->recovery ? &*details->recovery : nullptr;
    }
    // What it is found by.
    [[nodiscard]] std::uint64_t key() const noexcept { return key_of(view(short_sid), has_long_sid() ? nsp : 0); }
    // The same for an id, without what stands before it in a long one; `nsp` is 0 in a short one.
    [[nodiscard]] static std::uint64_t key_of(std::string_view id, std::uint32_t nsp) noexcept {
        return detail::key_of(id) + nsp * std::uint64_t{0x9e3779b97f4a7c15}; // sockets of a connection differ in it
    }
};

// Precondition: as long as an id.
inline random_id id_from(std::string_view text) noexcept {
    random_id id{};
    std::copy_n(text.begin(), id.size(), id.begin());
    return id;
}

class server_sockets {
public:
    [[nodiscard]] server_socket& operator[](std::uint32_t number) noexcept { return all_[number]; }
    [[nodiscard]] server_socket const& operator[](std::uint32_t number) const noexcept { return all_[number]; }

    [[nodiscard]] socketio::socket_handle handle(std::uint32_t number) const noexcept {
        return {number, all_[number].generation()};
    }

    // The socket, or null where it is gone.
    [[nodiscard]] server_socket const* find(socketio::socket_handle socket) const noexcept { return all_.find(socket); }
    [[nodiscard]] server_socket* find(socketio::socket_handle socket) noexcept { return all_.find(socket); }

    // The same, null also where it is in another state.
    [[nodiscard]] server_socket const* find(socketio::socket_handle socket, server_socket_state wanted) const noexcept {
        auto const* const s = find(socket);
        return s != nullptr && s->state == wanted ? s : nullptr;
    }
    [[nodiscard]] server_socket* find(socketio::socket_handle socket, server_socket_state wanted) noexcept {
        return const_cast<server_socket*>(std::as_const(*this).find(socket, wanted));
    }

    // Nothing changes where it throws.
    [[nodiscard]] std::uint32_t make() { return all_.make(); }
    void free(std::uint32_t number) noexcept { all_.free(number); }

private:
    slot_map<server_socket> all_;
};

} // namespace socketless::inline v0::detail

#include <socketless/core/detail/epilogue.hpp>

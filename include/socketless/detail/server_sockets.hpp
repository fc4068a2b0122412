// The sockets of a server, by their numbers and by their ids.
#pragma once

#include <socketless/core/detail/index_table.hpp>
#include <socketless/core/detail/slot_map.hpp>
#include <socketless/core/random.hpp>
#include <socketless/detail/server_recovery.hpp>
#include <socketless/engineio/server.hpp>
#include <socketless/socketio/session.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::detail {

enum class server_socket_state : std::uint8_t {
    restoring, // its client claims a session that is looked for elsewhere: the application does not know it yet
    asked,     // the client waits for an answer to its CONNECT
    refused,   // its acknowledgements are about to end
    connected, // it has joined its namespace
    ended,     // the application handles its last event
};

// What few sockets have, kept apart so that the others are smaller.
struct server_socket_details {
    std::optional<recovery_claim> recovery = {};
    std::string auth = {};     // of a client that waits for its session
    std::string long_sid = {}; // of a client of revision 4, in another namespace than "/"
    std::shared_ptr<void> data = {};
};

struct server_socket : core_detail::slot {
    std::uint32_t nsp = 0;
    socketio::socket_handle local; // what its session calls it
    engineio::session_handle connection;
    server_socket_state state = server_socket_state::asked;
    bool may_recover = true; // the application has not disconnected it, nor was its client misled
    random_id short_sid{};
    std::unique_ptr<server_socket_details> details;

    [[nodiscard]] bool has_long_sid() const noexcept { return details && !details->long_sid.empty(); }
    [[nodiscard]] std::string_view sid() const noexcept {
        return has_long_sid() ? std::string_view(details->long_sid) : view(short_sid);
    }
    [[nodiscard]] recovery_claim* recovery() const noexcept {
        return details && details->recovery ? &*details->recovery : nullptr;
    }
    [[nodiscard]] std::shared_ptr<void> data() const noexcept { return details ? details->data : nullptr; }
    void set_data(std::shared_ptr<void> data) {
        if (!details && data) details = std::make_unique<server_socket_details>();
        if (details) details->data = std::move(data);
    }
    // The key under which its id is filed.
    [[nodiscard]] std::uint64_t key() const noexcept { return key_of(view(short_sid), has_long_sid() ? nsp : 0); }
    // The key of an id, without the `/nsp#` of a long id; `nsp` is 0 for a short one.
    [[nodiscard]] static std::uint64_t key_of(std::string_view id, std::uint32_t nsp) noexcept {
        std::uint64_t const salt = nsp * std::uint64_t{0x9e3779b97f4a7c15}; // sockets of a connection differ in it
        return core_detail::key_of(id) + salt;
    }
};

// Precondition: `text` is as long as an id.
inline random_id id_from(std::string_view text) noexcept {
    random_id id{};
    std::copy_n(text.begin(), id.size(), id.begin());
    return id;
}

class server_sockets {
    static constexpr std::uint32_t none = core_detail::index_table::none;

    // The socket that is filed under this key, or `none`.
    [[nodiscard]] std::uint32_t find_key(std::uint64_t key) const noexcept {
        return by_sid_.find(key, [&](std::uint32_t i) { return all_[i].key() == key; });
    }
    [[nodiscard]] auto key_of_socket() const noexcept {
        return [this](std::uint32_t i) { return all_[i].key(); };
    }

public:
    [[nodiscard]] server_socket& operator[](std::uint32_t number) noexcept { return all_[number]; }
    [[nodiscard]] server_socket const& operator[](std::uint32_t number) const noexcept { return all_[number]; }

    [[nodiscard]] socketio::socket_handle handle(std::uint32_t number) const noexcept {
        return {number, all_[number].generation()};
    }

    // The socket, or null if it is gone.
    [[nodiscard]] server_socket const* find(socketio::socket_handle socket) const noexcept { return all_.find(socket); }
    [[nodiscard]] server_socket* find(socketio::socket_handle socket) noexcept { return all_.find(socket); }

    // The same, null also if it is in another state.
    [[nodiscard]] server_socket const* find(socketio::socket_handle socket, server_socket_state wanted) const noexcept {
        auto const* const s = find(socket);
        return s != nullptr && s->state == wanted ? s : nullptr;
    }
    [[nodiscard]] server_socket* find(socketio::socket_handle socket, server_socket_state wanted) noexcept {
        return const_cast<server_socket*>(std::as_const(*this).find(socket, wanted));
    }

    // Nothing has changed if it throws.
    [[nodiscard]] std::uint32_t make() { return all_.make(); }
    void free(std::uint32_t number) noexcept {
        server_socket const& s = all_[number];
        if (find_number(s.nsp, s.sid()) == number) by_sid_.erase(number, key_of_socket());
        all_.free(number);
    }

    // The numbers of all sockets are less.
    [[nodiscard]] std::uint32_t numbers() const noexcept { return static_cast<std::uint32_t>(all_.indices()); }

    //=== ids ===//

    // How many sockets are found by their ids.
    [[nodiscard]] std::size_t count() const noexcept { return by_sid_.size(); }

    // A new id, other than those of all sockets and of the connection.
    [[nodiscard]] random_id new_sid(random_source const& random, std::string_view id_of_connection) const {
        for (;;) {
            random_id const id = make_random_id(random);
            if (view(id) != id_of_connection && find_key(core_detail::key_of(view(id))) == none) return id;
        }
    }

    // Files the socket under its id. Returns the socket that was there: the application handles its end.
    std::optional<std::uint32_t> file(std::uint32_t number) {
        std::uint64_t const key = all_[number].key();
        std::uint32_t const before = find_key(key);
        if (before != none) return by_sid_.replace(before, number, key), std::optional(before);
        by_sid_.reserve(key_of_socket());
        by_sid_.insert(number, key);
        return std::nullopt;
    }
    // Undoes `file`.
    void unfile(std::uint32_t number, std::optional<std::uint32_t> before) noexcept {
        if (before)
            by_sid_.replace(number, *before, all_[number].key());
        else
            by_sid_.erase(number, key_of_socket());
    }

    // The socket with this id in a namespace, if both are there.
    [[nodiscard]] std::optional<std::uint32_t> find_number(std::optional<std::uint32_t> nsp,
                                                           std::string_view sid) const {
        constexpr std::size_t size = random_id{}.size();
        if (!nsp || sid.size() < size) return std::nullopt;
        bool const is_long = sid.size() != size;
        if (is_long && (sid.front() != '/' || sid[sid.size() - size - 1] != '#')) return std::nullopt;
        std::uint32_t const found = find_key(server_socket::key_of(sid.substr(sid.size() - size), is_long ? *nsp : 0));
        if (found == none) return std::nullopt;
        server_socket const& s = all_[found];
        if (s.nsp != *nsp || s.sid() != sid) return std::nullopt;
        return found;
    }

    // Whether a connected socket has this id; a socket gives it up when its end is handled.
    [[nodiscard]] bool is_taken(std::string_view sid) const {
        std::uint32_t const found = find_key(core_detail::key_of(sid));
        return found != none && all_[found].state == server_socket_state::connected;
    }

private:
    core_detail::slot_map<server_socket> all_;
    core_detail::index_table by_sid_; // by `key`, each key once
};

} // namespace socketless::inline v0::detail

#include <socketless/core/detail/epilogue.hpp>

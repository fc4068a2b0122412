// What a client keeps for each of its sockets, connected or not.
#pragma once

#include <socketless/core/detail/fifo.hpp>
#include <socketless/core/result.hpp>
#include <socketless/core/time.hpp>
#include <socketless/json/text.hpp>
#include <socketless/json/writer.hpp>
#include <socketless/socketio/arguments.hpp>
#include <socketless/socketio/detail/stored_packet.hpp>
#include <socketless/socketio/session.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::socketio::detail {

enum class client_socket_state : std::uint8_t {
    idle,           // nothing is under way
    authenticating, // its auth has been asked for
    connecting,     // CONNECT is sent
    leaving,        // CONNECT is sent, and the socket not wanted any more
    connected,
    ending, // its last events are yet to be taken
};

struct client_socket {
    // An event that waits until the socket is connected.
    struct waiting_event {
        stored_packet packet;
        std::uint64_t ack_id = 0; // none if 0
    };
    // An event that is sent until it is acknowledged.
    struct retried_event {
        stored_packet packet;
        std::uint64_t ack_id = 0; // for the application; none if 0
        std::optional<milliseconds> timeout = std::nullopt;
        std::uint32_t tries = 0;
        bool is_pending = false;
        std::uint64_t try_id = 0; // on the wire
    };

    client_socket(std::uint32_t own_index, std::string_view nsp) : index(own_index), name_(nsp) {}

    std::uint32_t index;
    client_socket_state state = client_socket_state::idle;
    disconnect_reason reason{};
    std::uint64_t last_ack_id = 0; // of those that are awaited up to the end, not beyond it
    std::uint32_t connection = 0;  // how often it has been connected
    bool wanted = false;
    bool was_left = false; // DISCONNECT was sent on this connection
    bool asks_for_auth = false;
    bool question_due = false;
    std::optional<std::string> query; // of revision 4
    std::string auth;                 // a JSON object or nothing
    std::string sid;
    std::string pid;
    std::string offset;
    std::vector<waiting_event> waiting;
    std::deque<retried_event> retries;
    socketless::detail::fifo<stored_packet> early;

    [[nodiscard]] socket_handle handle() const noexcept { return {index, 1}; }

    // The namespace: always the same, for events borrow it. What revision 4 may send behind a '?' is the query's.
    [[nodiscard]] std::string_view name() const noexcept { return name_; }

    // An auth of null is none, as in JavaScript.
    template <class Auth>
    result<void> set_auth(Auth const& value, packet_bounds const& bounds) {
        std::string text;
        if (auto const written = json::write(text, value); !written) return written.error();
        if (text == "null") text.clear();
        if (!text.empty() && !json::text::trusted(text).is(json::kind::object)) return error{errc::invalid_payload};
        if (text.size() > bounds.max_size - std::min(bounds.max_size, name_.size()))
            return error{errc::message_too_large};
        if (json::detail::is_deeper(text, bounds.limits.max_depth)) return error{errc::depth_exceeded};
        auth = std::move(text);
        asks_for_auth = false;
        return {};
    }

    // The payload of CONNECT: the secrets of recovery, if there are any, before the auth, whose members override them.
    friend void write_json(json::writer& out, client_socket const& s) {
        out.begin_object();
        if (!s.pid.empty()) out.member("pid", s.pid);
        if (!s.pid.empty() && !s.offset.empty()) out.member("offset", s.offset);
        for (json::member const m : json::text::trusted(s.auth).members()) out.raw_key(m.key).raw_known(m.value);
        out.end_object();
    }

    // With recovery each event ends with its offset, unless it asks for an acknowledgement or is volatile. Whatever
    // string stands there is taken for it: servers differ in what theirs look like, and know their own.
    void note_offset(arguments const& args) {
        constexpr std::size_t longest = 256; // no server's is; what is kept for each socket is bounded
        json::text last;
        for (argument const a : args) last = a.json();
        if (!last.is(json::kind::string) || last.raw().size() > longest) return;
        if (auto text = last.get<std::string>()) offset = std::move(*text);
    }

    [[nodiscard]] bool awaits_try(std::uint64_t id) const noexcept {
        return !retries.empty() && retries.front().is_pending && retries.front().try_id == id;
    }

    // Drops the event that asked for this acknowledgement, if it still waits; returns its size.
    std::size_t forget_waiting(std::uint64_t ack_id) {
        auto const found = std::ranges::find_if(waiting, [=](waiting_event const& w) { return w.ack_id == ack_id; });
        if (found == waiting.end()) return 0;
        std::size_t const size = found->packet.size();
        waiting.erase(found);
        return size;
    }

    // Drops what came before the answer to CONNECT, and takes its size off.
    void drop_early(std::size_t& early_size) {
        for (; !early.empty(); early.pop()) early_size -= early.front().size();
        early = {};
    }

private:
    std::string name_;
};

} // namespace socketless::inline v0::socketio::detail

#include <socketless/core/detail/epilogue.hpp>

// Connection state recovery by sessions that are kept elsewhere, where other servers find them too.
#pragma once

#include <socketless/core/result.hpp>
#include <socketless/engineio/outbox.hpp>
#include <socketless/json/detail/values.hpp>
#include <socketless/socketio/recovery.hpp>
#include <socketless/socketio/session.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::detail {

// The form of an offset of sessions that are kept elsewhere, `1700000000000-0`, read character by character.
class offset_form {
public:
    constexpr void read(char c) noexcept {
        if (c >= '0' && c <= '9')
            part_ = part_ == part::start ? part::first : part_ == part::hyphen ? part::second : part_;
        else
            part_ = c == '-' && part_ == part::first ? part::hyphen : part::broken;
    }
    [[nodiscard]] constexpr bool is_whole() const noexcept { return part_ == part::second; }

private:
    enum class part : std::uint8_t { start, first, hyphen, second, broken };
    part part_ = part::start;
};

[[nodiscard]] constexpr bool is_offset(std::string_view text) noexcept {
    offset_form form;
    for (char const c : text) form.read(c);
    return form.is_whole();
}

// Whether clients take the end of an event for an offset, which it is not: they remember the last element of any event
// that does not ask for an acknowledgement if it is a string. `event` is the text of such a packet.
[[nodiscard]] constexpr bool misleads(std::string_view event) noexcept {
    constexpr std::string_view space = " \t\r\n";
    auto end = event.find_last_not_of(space);
    if (end == std::string_view::npos || end == 0 || event[end] != ']') return false;
    end = event.find_last_not_of(space, end - 1);
    if (end == std::string_view::npos || event[end] != '"') return false;
    std::string_view const before = event.substr(0, end);
    auto const begin = before.find_last_not_of("0123456789-\\uDd"); // what an offset is written with, escaped or not
    if (begin == std::string_view::npos || begin == 0 || before[begin] != '"' || before[begin - 1] == '\\')
        return false;
    offset_form form;
    for (std::string_view text = before.substr(begin + 1); !text.empty();) {
        bool const is_escape = text.front() == '\\';
        if (!is_escape) {
            form.read(text.front());
        } else if (text.size() >= 6 && text.starts_with("\\u003")) {
            form.read(text[5]); // a digit, or else the form is broken
        } else if (text.size() >= 6 && (text.starts_with("\\u002d") || text.starts_with("\\u002D"))) {
            form.read('-');
        } else {
            return false;
        }
        text.remove_prefix(is_escape ? 6 : 1);
    }
    return form.is_whole();
}

// An event that a client has missed: its text ends with the offset.
struct missed_packet {
    std::string text;
    std::vector<engineio::shared_message> attachments;

    [[nodiscard]] std::size_t size() const noexcept {
        std::size_t n = text.size();
        for (auto const& a : attachments) n += a.wire().size();
        return n;
    }
};

// A session that was found elsewhere, and all that it has missed.
struct restored_elsewhere {
    socketio::recoverable_session session; // without the number of the namespace, and what only a store needs
    std::vector<missed_packet> missed;
    bool is_of_namespace = true; // otherwise that is not known: if the namespace asks, it asks again
};

// Whoever keeps the sessions, and the events for them: the server gives each event to it, which gives it back to be
// delivered with its offset.
class recovery_elsewhere {
public:
    recovery_elsewhere() = default;
    recovery_elsewhere(recovery_elsewhere const&) = delete;
    recovery_elsewhere& operator=(recovery_elsewhere const&) = delete;
    virtual ~recovery_elsewhere() = default;

    // The socket of a client that claims a session; the pid has the form of a random_id, and the offset its own. False
    // if the session cannot be had now. Otherwise the client waits for server_core::end_restoring, which comes after
    // this call.
    [[nodiscard]] virtual bool restore(socketio::socket_handle socket, std::string_view nsp, std::string_view pid,
                                       std::string_view offset) = 0;
    // A socket is lost: its client may come back with this pid. `since` is the `position` at which its session has
    // begun, or an offset that its client has had since. The socket can still be read. May throw: then the session is
    // lost.
    virtual void persist(socketio::socket_handle socket, std::string_view nsp, std::string_view pid,
                         std::string_view since) = 0;
    // The application wants a client out whose session is kept.
    virtual void forget_session(std::string_view pid) = 0;
    // The offset of the last event so far: a new socket gets only later ones. Empty if there is none.
    [[nodiscard]] virtual std::string position() const = 0;
    // Emits an event to one socket: to the room of its id.
    virtual result<void> emit(std::string_view nsp, std::string_view sid, std::string_view name,
                              json::detail::values const& args) = 0;
};

} // namespace socketless::inline v0::detail

#include <socketless/core/detail/epilogue.hpp>

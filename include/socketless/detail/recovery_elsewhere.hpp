// Connection state recovery by sessions that are kept elsewhere, where other servers find them too.
#pragma once

#include <socketless/core/result.hpp>
#include <socketless/engineio/outbox.hpp>
#include <socketless/json/detail/values.hpp>
#include <socketless/socketio/recovery.hpp>
#include <socketless/socketio/session.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::detail {

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
};

// Whoever keeps the sessions, and the events for them: the server gives each event to it, which gives it back to be
// delivered with its offset.
class recovery_elsewhere {
public:
    recovery_elsewhere() = default;
    recovery_elsewhere(recovery_elsewhere const&) = delete;
    recovery_elsewhere& operator=(recovery_elsewhere const&) = delete;
    virtual ~recovery_elsewhere() = default;

    // The socket of a client that claims a session. False if that cannot be had now. Otherwise the client waits for
    // server_core::end_restoring.
    [[nodiscard]] virtual bool restore(socketio::socket_handle socket, std::string_view nsp, std::string_view pid,
                                       std::string_view offset) = 0;
    // A socket is lost: its client may come back with this pid.
    virtual void persist(socketio::socket_handle socket, std::string_view nsp, std::string_view pid) = 0;
    // Emits an event to one socket.
    virtual result<void> emit(std::string_view nsp, std::string_view sid, std::string_view name,
                              json::detail::values const& args) = 0;
};

} // namespace socketless::inline v0::detail

#include <socketless/core/detail/epilogue.hpp>

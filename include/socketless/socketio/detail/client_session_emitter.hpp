// Sending by a client_session: events, now or once their socket is connected, and acknowledgements.
#pragma once

#include <socketless/core/detail/rollback.hpp>
#include <socketless/core/result.hpp>
#include <socketless/core/time.hpp>
#include <socketless/json/detail/values.hpp>
#include <socketless/socketio/detail/client_session_core.hpp>
#include <socketless/socketio/detail/client_socket.hpp>
#include <socketless/socketio/session.hpp>

#include <cstdint>
#include <optional>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::socketio::detail {

class client_session_emitter : protected client_session_core {
protected:
    using client_session_core::client_session_core;

    result<void> emit_event(socket_handle handle, ack_wish const& wish, std::string_view event,
                            json::detail::values const& args) {
        socket* const s = find(handle);
        if (s == nullptr) return error{errc::not_connected};
        if (out_.options.retries == 0)
            return s->state == socket_state::connected ? emit_now(*s, wish, event, args)
                                                       : s->emit_later(out_, wish, event, args);
        if (auto const kept = s->emit_retried(out_, wish, event, args); !kept) return kept;
        try_next(*s);
        check_queue().ignore(); // the event is sent again
        return {};
    }

    result<void> emit_at_once(socket_handle handle, std::string_view event, json::detail::values const& args) {
        socket const* const s = find(handle);
        if (s == nullptr) return error{errc::not_connected};
        if (s->state != socket_state::connected || !out_.queue.empty()) return error{errc::would_wait};
        return put_event(*s, std::nullopt, event, args);
    }

    result<std::uint64_t> emit_awaited(socket_handle handle, std::optional<milliseconds> timeout,
                                       std::string_view event, json::detail::values const& args) {
        due_ = true; // its time may be up already
        std::size_t const awaited = out_.options.retries == 0 ? out_.acks.size() : out_.wishes;
        if (awaited >= out_.options.max_pending_acks) return error{errc::too_many_acks};
        ack_wish const wish{++out_.last_ack_id, timeout ? timeout : out_.options.ack_timeout};
        if (auto const emitted = emit_event(handle, wish, event, args); !emitted) return emitted.error();
        return wish.id;
    }

    result<void> acknowledge_with(ack_request& request, json::detail::values const& args) {
        if (!request) return error{errc::already_acknowledged};
        socket const* const s = find(request.socket());
        bool const good = s != nullptr && s->state == socket_state::connected && request.connection() == s->connection;
        if (!good) return error{errc::not_connected};
        if (auto const put = out_.queue.put_ack(out_.bounds(), {s->name(), request.id()}, args); !put) return put;
        request.clear();
        return check_queue();
    }

private:
    result<void> emit_now(socket const& s, ack_wish const& wish, std::string_view event,
                          json::detail::values const& args) {
        if (wish.id == 0) return put_event(s, std::nullopt, event, args);
        out_.await(s.index, wish);
        core_detail::rollback undo([&]() noexcept { out_.forget(s.index, wish.id); });
        if (auto const put = put_event(s, wish.id, event, args); !put) return put;
        undo.commit();
        return {};
    }

    result<void> put_event(socket const& s, std::optional<std::uint64_t> id, std::string_view event,
                           json::detail::values const& args) {
        if (auto const put = out_.queue.put_event(out_.bounds(), {s.name(), id}, event, args); !put) return put;
        return check_queue();
    }
};

} // namespace socketless::inline v0::socketio::detail

#include <socketless/core/detail/epilogue.hpp>

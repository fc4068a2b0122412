// What a wire server sends and when it closes, part of wire/server.hpp. Only impl/wire_server.hpp includes it.
#pragma once

#include <socketless/core/detail/must.hpp>
#include <socketless/core/detail/rollback.hpp>
#include <socketless/core/detail/separate.hpp>
#include <socketless/engineio/session.hpp>
#include <socketless/websocket/connection.hpp>
#include <socketless/websocket/frame.hpp>
#include <socketless/wire/detail/connection_handle.hpp>
#include <socketless/wire/detail/server_connection.hpp>
#include <socketless/wire/detail/server_core.hpp>
#include <socketless/wire/transmit.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::wire::detail {

SOCKETLESS_INLINE std::optional<transmit> server_core::poll_transmit(std::string& buffer) {
    buffer.clear();
    piece p{buffer};
    core_detail::rollback undo([&]() noexcept { keep(p); });
    if (auto const next = std::exchange(next_, std::nullopt); next && is_reachable(*next)) {
        p.receiver = next->index;
        std::swap(buffer, spare_);
        p.lead = std::exchange(next_lead_, {});
    }
    gather(p);
    undo.commit();
    if (p.receiver != none) return send(p);
    shared_.clear();
    auto t = poll_own(buffer);
    if (!t) shrink();
    return t;
}

// Writes what the protocol has for one connection. What it has for the next one is begun with, and waits.
SOCKETLESS_INLINE void server_core::gather(piece& p) {
    do {
        auto const t = protocol_.next_transmit(scratch_);
        if (!t) return;
        std::uint32_t const index = receiver_of(*t);
        if (index == none) continue;
        core_detail::rollback undo([&]() noexcept { try_close(index); }); // a part of what is for it is lost
        if (p.receiver == none) begin(p, index);
        if (index == p.receiver) {
            put(p, *t);
            undo.commit();
            continue;
        }
        spare_.clear();
        piece next{spare_};
        begin(next, index);
        put(next, *t);
        undo.commit();
        next_ = handle(index);
        next_lead_ = next.lead;
        return;
    } while (p.receiver == none || p.size() < options_.max_write);
}

// Something has been thrown: what was gathered waits, unless it is the part of a connection that ends for that.
SOCKETLESS_INLINE void server_core::keep(piece& p) noexcept {
    if (p.receiver == none || connections_[p.receiver].phase == connection_phase::closing) return;
    std::swap(p.buffer, spare_);
    next_ = handle(p.receiver);
    next_lead_ = p.lead;
}

// Whether something may still be sent.
SOCKETLESS_INLINE bool server_core::is_reachable(connection_handle h) const noexcept {
    server_connection const* const c = connections_.find(h);
    return c != nullptr && !c->is_gone && c->phase != connection_phase::closing;
}

// The connection that a transmit of the protocol is for; none if it is not to be sent now.
SOCKETLESS_INLINE std::uint32_t server_core::receiver_of(engineio::transmit const& t) {
    auto const h = connection_handle::of(t.id);
    if (t.type == engineio::transmit_type::respond) {
        if (h.index >= connections_.indices()) return none;
        server_connection& c = connections_[h.index];
        if (!c.http || c.http->exchange != t.id || c.http->phase != exchange_phase::waiting) return none; // aborted
        if (!c.is_paused && !c.is_gone) return h.index;
        core_detail::rollback undo([&]() noexcept { try_close(h.index); });
        put_answer(h.index, answer_of(t));
        undo.commit();
        return none;
    }
    server_connection const* const c = connections_.find(h);
    if (c == nullptr || !c->has_channel) return none; // it has gone
    if (t.type == engineio::transmit_type::send) return c->is_gone ? none : h.index;
    close_channel(h.index);
    return none;
}

SOCKETLESS_INLINE server_core::answer server_core::answer_of(engineio::transmit const& t) {
    return {.status = t.status, .content_type = name(t.content), .body = t.data.data, .sid = t.sid};
}

SOCKETLESS_INLINE void server_core::begin(piece& p, std::uint32_t receiver) {
    p.receiver = receiver;
    put_own(receiver, p.buffer);
}

SOCKETLESS_INLINE void server_core::put(piece& p, engineio::transmit const& t) {
    if (t.type == engineio::transmit_type::respond) {
        write_answer(*connections_[p.receiver].http, answer_of(t), p.buffer);
        return end_exchange(p.receiver);
    }
    // A shared frame is copied only if something else goes with it.
    p.buffer.append(std::exchange(p.lead, {}));
    if (t.shared == nullptr)
        core_detail::must(websocket::write_frame(p.buffer, websocket::opcode_of(t.data.kind), t.data.data));
    else if (p.buffer.empty())
        p.lead = shared_.of(t);
    else
        p.buffer.append(shared_.of(t));
}

SOCKETLESS_INLINE transmit server_core::send(piece const& p) const {
    return {.type = transmit_type::send,
            .connection = connections_[p.receiver].id,
            .data = p.lead.empty() ? std::string_view(p.buffer) : p.lead};
}

// What the wire itself has to say: answers that had to wait, and control frames.
SOCKETLESS_INLINE void server_core::put_own(std::uint32_t index, std::string& out) {
    server_connection& c = connections_[index];
    if (c.http && !c.http->output.empty()) {
        out += c.http->output;
        std::string().swap(c.http->output);
        if (c.http->phase == exchange_phase::answered) end_exchange(index);
    }
    if (!c.websocket) return;
    c.http.reset();
    if (c.websocket->has_output()) c.websocket->write_output(out);
}

SOCKETLESS_INLINE std::optional<transmit> server_core::poll_own(std::string& buffer) {
    for (;;) {
        while (!with_output_.empty()) {
            std::uint32_t const index = with_output_.front();
            with_output_.pop();
            if (!connections_[index].is_used()) continue;
            core_detail::rollback undo([&]() noexcept { try_close(index); });
            auto const t = next_step(index, buffer);
            undo.commit();
            if (t) return t;
        }
        for (auto const& u : unanswered_) inputs_.push({input_type::unanswered, u.connection, {}, now_, u.exchange});
        unanswered_.clear();
        if (!end_idle_connections()) return std::nullopt;
    }
}

// What the connection does next by itself.
SOCKETLESS_INLINE std::optional<transmit> server_core::next_step(std::uint32_t index, std::string& buffer) {
    server_connection& c = connections_[index];
    connection_id const id = c.id;
    if (c.phase == connection_phase::closing) {
        bool const is_known = !c.is_gone;
        forget(index);
        if (!is_known) return std::nullopt;
        return transmit{.type = transmit_type::close, .connection = id};
    }
    if (c.is_paused || c.is_gone) return std::nullopt;
    put_own(index, buffer);
    if (c.websocket && c.websocket->is_done()) end(index);
    if (!buffer.empty()) {
        mark_busy(index); // it may end next
        return transmit{.type = transmit_type::send, .connection = id, .data = buffer};
    }
    if (c.phase != connection_phase::ending) return std::nullopt;
    if (c.has_ended) {
        forget(index);
        return transmit{.type = transmit_type::close, .connection = id};
    }
    c.phase = connection_phase::lingering;
    arm(index, options_.closing_timeout);
    return transmit{.type = transmit_type::end, .connection = id};
}

// Nothing is left to do: a large message leaves no memory behind.
SOCKETLESS_INLINE void server_core::shrink() noexcept {
    constexpr std::size_t kept = std::size_t{128} * 1024;
    if (scratch_.capacity() > kept) std::string().swap(scratch_);
    if (spare_.capacity() > kept) std::string().swap(spare_);
    if (inputs_.empty() && early_.capacity() > kept) std::string().swap(early_);
}

// Once the last session has ended, a server that closes needs no connection any more. Returns whether it ends some.
SOCKETLESS_INLINE bool server_core::end_idle_connections() {
    if (!is_closing_ || are_idle_ended_ || protocol_.session_count() != 0) return false;
    are_idle_ended_ = true;
    for (std::uint32_t index = 0; index != connections_.indices(); ++index) {
        server_connection& c = connections_[index];
        if (!c.is_used() || c.phase != connection_phase::open || !c.http || c.websocket) continue;
        if (c.http->phase == exchange_phase::reading)
            end(index);
        else
            c.http->is_last = true;
    }
    return true;
}

} // namespace socketless::inline v0::wire::detail

#include <socketless/core/detail/epilogue.hpp>

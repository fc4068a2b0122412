// The functions of a wire server, part of wire/server.hpp. With SOCKETLESS_SEPARATE_COMPILATION only source.hpp
// includes them.
#pragma once

#include <socketless/core/detail/must.hpp>
#include <socketless/core/detail/rollback.hpp>
#include <socketless/core/detail/separate.hpp>
#include <socketless/engineio/session.hpp>
#include <socketless/impl/wire_server_requests.hpp>
#include <socketless/websocket/connection.hpp>
#include <socketless/websocket/frame.hpp>
#include <socketless/wire/detail/server_core.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::wire::detail {

SOCKETLESS_INLINE server_core::server_core(server_protocol& protocol, server_options options, time_point now)
    : protocol_(protocol), options_(std::move(options)), now_(now) {
    options_.limits.max_body = std::min<std::uint64_t>(options_.limits.max_body, protocol.engine_options().max_payload);
}

//=== what happened ===//

SOCKETLESS_INLINE void server_core::accepted(connection_id id, std::string_view address, time_point now) {
    now_ = now;
    closed(id, now); // harmless if the caller uses a name again without a word
    std::uint32_t const index = connections_.make();
    core_detail::rollback undo([&]() noexcept { connections_.free(index); });
    with_output_.reserve(connections_.indices());
    timers_.reserve(connections_.indices());
    server_connection& c = connections_[index];
    c.id = id;
    c.http = std::make_unique<server_http>(options_.limits, address);
    by_id_.emplace(id, index);
    undo.commit();
    if (!check(options_)) return close_now(index);
    arm(index, is_closing_ ? options_.closing_timeout : options_.request_timeout);
}

SOCKETLESS_INLINE void server_core::received(connection_id id, std::span<char> bytes, time_point now) {
    input_for(input_type::bytes, id, bytes, now);
}
SOCKETLESS_INLINE void server_core::ended(connection_id id, time_point now) {
    input_for(input_type::ended, id, {}, now);
}
SOCKETLESS_INLINE void server_core::closed(connection_id id, time_point now) {
    std::uint32_t const index = find(id);
    if (index == none) return;
    by_id_.erase(id);                   // the name is free: another connection may have it
    connections_[index].is_gone = true; // before what it has sent is read
    push_input(input_type::closed, index, {}, now);
}

SOCKETLESS_INLINE void server_core::input_for(input_type type, connection_id id, std::span<char> bytes,
                                              time_point now) {
    std::uint32_t const index = find(id);
    if (index != none) push_input(type, index, bytes, now);
}

SOCKETLESS_INLINE void server_core::push_input(input_type type, std::uint32_t index, std::span<char> bytes,
                                               time_point now) {
    now_ = now;
    core_detail::rollback undo([&]() noexcept { try_close(index); }); // a part of what it sends would be missing
    inputs_.push({type, handle(index), bytes, now});
    undo.commit();
}

SOCKETLESS_INLINE std::uint32_t server_core::find(connection_id id) const {
    auto const found = by_id_.find(id);
    return found == by_id_.end() ? none : found->second;
}

SOCKETLESS_INLINE void server_core::pause(connection_id id) {
    std::uint32_t const index = find(id);
    if (index == none) return;
    server_connection& c = connections_[index];
    if (!std::exchange(c.is_paused, true) && c.has_channel) protocol_.pause_channel(handle(index).number());
    set_deadline(index);
}

SOCKETLESS_INLINE void server_core::resume(connection_id id) {
    std::uint32_t const index = find(id);
    if (index == none) return;
    server_connection& c = connections_[index];
    if (!std::exchange(c.is_paused, false)) return;
    if (c.has_channel) protocol_.resume_channel(handle(index).number());
    set_deadline(index);
    mark_busy(index);
}

SOCKETLESS_INLINE void server_core::handle_timeout(time_point now) {
    now_ = now;
    if (inputs_.empty()) return pass_time(now);
    inputs_.push({input_type::timeout, {}, {}, now}); // after what came before
}

SOCKETLESS_INLINE void server_core::pass_time(time_point now) {
    protocol_.pass_time(now);
    timers_.advance(now, [this](std::uint32_t index) {
        if (connections_[index].is_used()) expire(index);
    });
}

//=== the connections ===//

SOCKETLESS_INLINE void server_core::arm(std::uint32_t index, milliseconds wait) {
    timers_.set(index, deadline(now_, wait));
}

// A write has begun, has gone on, or has ended: what the connection waits for now has a time of its own.
SOCKETLESS_INLINE void server_core::set_deadline(std::uint32_t index) {
    server_connection const& c = connections_[index];
    if (c.phase != connection_phase::open) return arm(index, options_.closing_timeout);
    if (c.websocket) {
        if (!c.websocket->is_open()) arm(index, options_.closing_timeout);
        return;
    }
    if (c.http->phase == exchange_phase::waiting && !c.is_paused) return timers_.cancel(index);
    arm(index, options_.request_timeout);
}

// The deadline of what the connection is doing has passed.
SOCKETLESS_INLINE void server_core::expire(std::uint32_t index) {
    server_connection& c = connections_[index];
    core_detail::rollback undo([&]() noexcept { try_close(index); });
    bool const is_reading =
        c.phase == connection_phase::open && !c.is_paused && c.http && c.http->phase == exchange_phase::reading;
    if (!is_reading)
        close_now(index);
    else if (c.http->reader.is_idle())
        end(index);
    else
        refuse(index, 408);
    undo.commit();
}

// Sends what is due, and ends.
SOCKETLESS_INLINE void server_core::end(std::uint32_t index) {
    server_connection& c = connections_[index];
    if (c.phase != connection_phase::open) return;
    c.phase = connection_phase::ending;
    arm(index, options_.closing_timeout);
    mark_busy(index);
}

SOCKETLESS_INLINE void server_core::close_now(std::uint32_t index) {
    connections_[index].phase = connection_phase::closing; // first: if the protocol throws, it hears of it later
    mark_busy(index);
    let_go(index);
}

// The same where something has been thrown already.
SOCKETLESS_INLINE void server_core::try_close(std::uint32_t index) noexcept {
    core_detail::attempt([&] { close_now(index); });
}

// The protocol hears that its request or its channel is gone.
SOCKETLESS_INLINE void server_core::let_go(std::uint32_t index) {
    end_channel(index);
    if (!connections_[index].http) return;
    server_http& h = *connections_[index].http;
    bool const is_waiting = h.phase == exchange_phase::waiting && h.is_the_protocols;
    if (h.exchange != 0 && (h.is_started || is_waiting)) protocol_.http_aborted(h.exchange, now_);
    h.exchange = 0;
}

// The connection is gone, and the caller knows.
SOCKETLESS_INLINE void server_core::forget(std::uint32_t index) {
    let_go(index);
    timers_.cancel(index);
    if (find(connections_[index].id) == index) by_id_.erase(connections_[index].id);
    connections_.free(index);
}

//=== what comes ===//

SOCKETLESS_INLINE bool server_core::take_input() {
    while (!inputs_.empty()) {
        input& i = inputs_.front();
        if (i.type == input_type::timeout) {
            auto const now = i.now;
            inputs_.pop();
            pass_time(now);
            return true;
        }
        if (connections_.find(i.connection) == nullptr) {
            inputs_.pop();
            continue;
        }
        core_detail::rollback undo([&]() noexcept { fail(i.connection.index); }); // what was not read is lost
        bool const has_more = take(i.connection.index, i);
        undo.commit();
        if (!has_more) inputs_.pop();
        return true;
    }
    return false;
}

// Memory ran out, or a callback has thrown, while an input was read: its connection ends.
SOCKETLESS_INLINE void server_core::fail(std::uint32_t index) noexcept {
    inputs_.pop();
    try_close(index);
}

// Reads the next request or message; false if the input holds no other.
SOCKETLESS_INLINE bool server_core::take(std::uint32_t index, input& i) {
    server_connection& c = connections_[index];
    switch (i.type) {
    case input_type::bytes:
        if (!c.http || c.http->early.empty()) return take_bytes(index, i);
        return keep_early(*c.http, i.bytes), false; // others came before
    case input_type::early:
        if (!c.http) return false;
        early_ = std::exchange(c.http->early, {});
        i.bytes = early_;
        i.type = input_type::early_bytes;
        return take_bytes(index, i);
    case input_type::early_bytes: return take_bytes(index, i);
    case input_type::ended:
        if (!c.http || c.http->early.empty() || c.http->phase != exchange_phase::reading) return take_end(index), false;
        inputs_.push({i.type, i.connection, {}, i.now}); // `early` comes before, and is in the queue
        return false;
    case input_type::unanswered: return take_silence(index, i.exchange), false;
    default: return forget(index), false;
    }
}

SOCKETLESS_INLINE bool server_core::take_bytes(std::uint32_t index, input& i) {
    server_connection& c = connections_[index];
    if (c.phase != connection_phase::open) return false; // they come too late
    if (c.websocket) return take_message(index, i);
    if (c.http->phase != exchange_phase::reading) return keep_early(*c.http, i.bytes), false;
    return take_request(index, i);
}

// The client has ended its side. What it has asked for by then is answered, if the answer is there at once; so is its
// close frame. An answer that is being written goes out.
SOCKETLESS_INLINE void server_core::take_end(std::uint32_t index) {
    server_connection& c = connections_[index];
    c.has_ended = true;
    if (c.phase == connection_phase::ending) return;
    if (c.phase != connection_phase::open) return close_now(index);
    if (c.websocket) {
        bool const owes_close = !c.websocket->is_open() && c.websocket->has_output();
        return owes_close ? end(index) : close_now(index);
    }
    if (c.http->phase == exchange_phase::reading) return close_after_write(index);
    if (c.http->phase == exchange_phase::waiting && c.http->is_the_protocols)
        unanswered_.push_back({handle(index), c.http->exchange});
}

// No request follows. An answer that is being written goes out, until the deadline of the pause.
SOCKETLESS_INLINE void server_core::close_after_write(std::uint32_t index) {
    if (!connections_[index].is_paused) return close_now(index);
    connections_[index].phase = connection_phase::ending;
}

// The client has ended its side, and the protocol had nothing to say by then.
SOCKETLESS_INLINE void server_core::take_silence(std::uint32_t index, engineio::exchange_id exchange) {
    server_connection const& c = connections_[index];
    if (c.http && c.http->exchange == exchange && c.http->phase == exchange_phase::waiting) close_after_write(index);
}

//=== WebSocket ===//

SOCKETLESS_INLINE bool server_core::take_message(std::uint32_t index, input& i) {
    server_connection& c = connections_[index];
    while (auto const e = c.websocket->read(i.bytes)) {
        if (e->type == websocket::connection_event_type::closed) {
            end_channel(index);
            arm(index, options_.closing_timeout); // the client may not read the answer
            mark_busy(index);
            return true;
        }
        if (!c.has_channel) continue; // the protocol has closed it
        protocol_.websocket_received(handle(index).number(), e->message(), i.now);
        return true;
    }
    if (c.websocket->has_output()) mark_busy(index);
    return false;
}

// The WebSocket is gone: the protocol hears of it.
SOCKETLESS_INLINE void server_core::end_channel(std::uint32_t index) {
    if (!connections_[index].has_channel) return;
    protocol_.channel_closed(handle(index).number(), now_);
    connections_[index].has_channel = false;
}

// The protocol closes a WebSocket.
SOCKETLESS_INLINE void server_core::close_channel(std::uint32_t index) {
    server_connection& c = connections_[index];
    c.has_channel = false;
    c.websocket->close().ignore();
    arm(index, options_.closing_timeout);
    mark_busy(index);
}

//=== what the application wants ===//

SOCKETLESS_INLINE result<void> server_core::respond(std::uint64_t exchange, response const& r, time_point now) {
    now_ = now;
    if (auto const good = check(r); !good) return good.error();
    auto const index = static_cast<std::uint32_t>(exchange);
    if (index >= connections_.indices() || !connections_[index].http || connections_[index].is_gone)
        return errc::not_open;
    server_http const& h = *connections_[index].http;
    if (h.exchange != exchange || h.phase != exchange_phase::waiting || h.is_the_protocols) return errc::not_open;
    put_answer(index, {.status = r.status, .content_type = r.content_type, .body = r.body, .fields = r.fields});
    return {};
}

SOCKETLESS_INLINE void server_core::close() {
    if (is_closing_) return;
    protocol_.close_sessions();
    is_closing_ = true;
}

//=== what to do, when to come back ===//

SOCKETLESS_INLINE std::optional<request> server_core::poll_request() {
    if (requests_.empty()) return std::nullopt;
    request r = std::move(requests_.front());
    requests_.pop();
    return r;
}

SOCKETLESS_INLINE std::optional<time_point> server_core::poll_timeout() const noexcept {
    if (!inputs_.empty()) return now_;
    return earlier(protocol_.next_timeout(), timers_.next());
}

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

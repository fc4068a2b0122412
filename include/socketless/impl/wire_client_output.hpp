// What a wire client sends, and when it connects, part of wire/client.hpp. Only impl/wire_client.hpp includes it.
#pragma once

#include <socketless/core/assert.hpp>
#include <socketless/core/detail/must.hpp>
#include <socketless/core/detail/rollback.hpp>
#include <socketless/core/detail/separate.hpp>
#include <socketless/engineio/session.hpp>
#include <socketless/websocket/connection.hpp>
#include <socketless/websocket/frame.hpp>
#include <socketless/wire/detail/client_connection.hpp>
#include <socketless/wire/detail/client_core.hpp>
#include <socketless/wire/transmit.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::wire::detail {

SOCKETLESS_INLINE std::optional<transmit> client_core::poll_transmit(std::string& buffer) {
    buffer.clear();
    std::uint32_t receiver = none;
    core_detail::rollback undo([&]() noexcept { // what was gathered is lost
        if (receiver != none) try_close(connections_[receiver]);
    });
    do {
        auto const t = protocol_.next_transmit(scratch_);
        if (!t) break;
        if (t->type != engineio::transmit_type::send) {
            perform(*t);
            continue;
        }
        std::uint32_t const index = find_exchange(t->id);
        if (index == none || connections_[index].is_gone) continue;
        SOCKETLESS_ASSERT(receiver == none || receiver == index); // a session sends on one WebSocket at a time
        receiver = index;
        core_detail::must(connections_[index].websocket->write_message(buffer, t->data, next_key()));
    } while (receiver == none || buffer.size() < options_.max_write);
    if (receiver != none) write_control_frames(*connections_[receiver].websocket, buffer);
    undo.commit();
    if (receiver != none) return send(receiver, buffer);
    for (std::uint32_t index = 0; index != connections_.indices(); ++index) {
        client_connection const& c = connections_[index];
        if (!c.is_used() || (c.is_gone && c.phase != client_phase::closing)) continue;
        if (auto const t = next_step(index, buffer)) return t;
    }
    constexpr std::size_t kept = std::size_t{128} * 1024;
    if (scratch_.capacity() > kept) std::string().swap(scratch_); // a large message leaves no memory behind
    return std::nullopt;
}

SOCKETLESS_INLINE websocket::mask_key client_core::next_key() {
    websocket::mask_key key{};
    if (random_used_ == random_bytes_.size()) {
        random_(random_bytes_);
        random_used_ = 0;
    }
    std::memcpy(key.data(), random_bytes_.data() + random_used_, key.size());
    random_used_ += key.size();
    return key;
}

SOCKETLESS_INLINE transmit client_core::send(std::uint32_t index, std::string_view data) const noexcept {
    return {.type = transmit_type::send, .connection = handle(index).number(), .data = data};
}

// What the connection does next by itself.
SOCKETLESS_INLINE std::optional<transmit> client_core::next_step(std::uint32_t index, std::string& buffer) {
    client_connection& c = connections_[index];
    transmit next = send(index, {});
    if (is_idle(c) && !protocol_.is_polling()) c.phase = client_phase::closing; // no request will come any more
    if (c.phase == client_phase::closing) {
        if (c.exchange != 0) { // to say so has thrown before
            let_go(c);
            inputs_.push({input_type::timeout, {}, 0, {}, now_}); // the protocol has something to say
        }
        bool const is_known = c.is_known && !c.is_gone;
        connections_.free(index);
        if (!is_known) return std::nullopt;
        next.type = transmit_type::close;
        return next;
    }
    if (c.is_paused) return std::nullopt;
    if (c.websocket) return send_frames(index, buffer);
    if (!c.is_due) return std::nullopt;
    if (c.phase == client_phase::tunnelling) write_tunnel_request(buffer);
    c.is_due = false;
    switch (c.phase) {
    case client_phase::connecting: connect(c, next); break;
    case client_phase::tunnelling: next.data = buffer; break;
    case client_phase::securing:
        next.type = transmit_type::start_tls;
        next.host = host_;
        next.tls = true;
        break;
    default: send_request(c, next);
    }
    return next;
}

// A pong, a close frame.
SOCKETLESS_INLINE void client_core::write_control_frames(websocket::connection& ws, std::string& out) {
    if (ws.has_output()) ws.write_output(out, [this] { return next_key(); });
}

SOCKETLESS_INLINE std::optional<transmit> client_core::send_frames(std::uint32_t index, std::string& buffer) {
    client_connection& c = connections_[index];
    write_control_frames(*c.websocket, buffer);
    if (!buffer.empty()) return send(index, buffer);
    if (!c.has_ended) return std::nullopt;
    close_now(c);
    return next_step(index, buffer);
}

SOCKETLESS_INLINE void client_core::connect(client_connection& c, transmit& t) noexcept {
    c.is_known = true;
    arm(c, options_.connect_timeout);
    bool const is_direct = options_.proxy.empty();
    t.type = transmit_type::connect;
    t.host = is_direct ? std::string_view(host_) : proxy_.host;
    t.port = is_direct ? port_ : proxy_.port;
    t.tls = is_direct ? is_secure_ : proxy_.is_secure();
}

SOCKETLESS_INLINE void client_core::send_request(client_connection& c, transmit& t) {
    c.reader.expect(c.kind == request_kind::post ? "POST" : "GET");
    arm(c, options_.answer_timeout);
    if (c.kind == request_kind::get) c.deadline.reset();
    t.data = c.request;
}

} // namespace socketless::inline v0::wire::detail

#include <socketless/core/detail/epilogue.hpp>

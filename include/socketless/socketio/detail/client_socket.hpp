// What a client keeps for each of its sockets, connected or not: its state, the events that wait for its connection,
// and those that are sent until they are acknowledged.
#pragma once

#include <socketless/core/detail/fifo.hpp>
#include <socketless/core/detail/must.hpp>
#include <socketless/core/detail/rollback.hpp>
#include <socketless/core/result.hpp>
#include <socketless/core/time.hpp>
#include <socketless/json/detail/values.hpp>
#include <socketless/json/text.hpp>
#include <socketless/json/writer.hpp>
#include <socketless/socketio/acks.hpp>
#include <socketless/socketio/arguments.hpp>
#include <socketless/socketio/client_options.hpp>
#include <socketless/socketio/detail/stored_packet.hpp>
#include <socketless/socketio/message_queue.hpp>
#include <socketless/socketio/session.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::socketio::detail {

// The acknowledgement that an event asks for; an id of 0 asks for none.
struct ack_wish {
    std::uint64_t id = 0;
    std::optional<milliseconds> timeout = std::nullopt;
};

// What the sockets of a client share: the queue of what they send, and the acknowledgements that they await.
struct client_outbox {
    client_options options;
    time_point now{};
    message_queue queue = {};
    pending_acks acks = {};
    std::uint64_t last_ack_id = 0;
    std::size_t buffered = 0; // bytes of the events that sockets keep
    std::size_t wishes = 0;   // acknowledgements that the application awaits of events with `retries`

    [[nodiscard]] packet_bounds bounds() const noexcept { return {options.max_queued, options.limits}; }

    void await(std::uint32_t socket, ack_wish const& wish) {
        acks.await({wish.id, socket, wish.timeout ? std::optional(deadline(now, *wish.timeout)) : std::nullopt});
    }
    void forget(std::uint32_t socket, std::uint64_t id) noexcept { static_cast<void>(acks.take(id, socket)); }
};

enum class client_socket_state : std::uint8_t {
    idle,           // nothing is under way
    authenticating, // the application has been asked for the auth
    connecting,     // CONNECT is sent
    leaving,        // CONNECT is sent, and the application does not want the socket any more
    connected,
    ending, // its last events have not been polled yet
};

class client_socket {
public:
    client_socket(std::uint32_t own_index, std::string_view nsp) : index(own_index), name_(nsp) {}

    std::uint32_t index;
    client_socket_state state = client_socket_state::idle;
    disconnect_reason reason{};
    std::uint64_t last_ack_id = 0; // acknowledgements up to this one end with the socket, later ones do not
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
    core_detail::fifo<stored_packet> early; // events that came before the answer to CONNECT

    [[nodiscard]] socket_handle handle() const noexcept { return {index, 1}; }

    // The namespace. It never moves: events borrow it. In revision 4 it ends before the '?', which begins the query.
    [[nodiscard]] std::string_view name() const noexcept { return name_; }

    //=== joining ===//

    // As in JavaScript, an auth of null is no auth.
    result<void> set_auth(json::detail::values const& value, packet_bounds const& bounds) {
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

    // With recovery the server puts an offset behind the arguments of each event, except of those that ask for an
    // acknowledgement or are volatile. Any string in the last place is taken for it: only the server knows its form.
    void note_offset(arguments const& args) {
        constexpr std::size_t longest = 256; // no server's is longer; it bounds what each socket keeps
        json::text last;
        for (argument const a : args) last = a.json();
        if (!last.is(json::kind::string) || last.raw().size() > longest) return;
        if (auto text = last.get<std::string>()) offset = std::move(*text);
    }

    // Drops the early events, and subtracts their size.
    void drop_early(std::size_t& early_size) {
        for (; !early.empty(); early.pop()) early_size -= early.front().size();
        early = {};
    }

    //=== events that wait until the socket is connected ===//

    // Errors: those of stored_packet::event, errc::buffer_full.
    result<void> emit_later(client_outbox& out, ack_wish const& wish, std::string_view event,
                            json::detail::values const& args) {
        auto const id = wish.id != 0 ? std::optional(wish.id) : std::nullopt;
        // They go together.
        auto packet = store(out, id, event, args, std::min(out.options.max_buffered, out.options.max_queued));
        if (!packet) return packet.error();
        std::size_t const size = packet->size();
        waiting_.push_back({std::move(*packet), wish});
        core_detail::rollback undo([this]() noexcept { waiting_.pop_back(); });
        if (id) out.await(index, wish);
        undo.commit();
        out.buffered += size;
        return {};
    }

    // The socket is connected: queues them; then forgets them.
    void put_waiting(client_outbox& out) const {
        for (auto const& waiting : waiting_) put_stored(out, waiting.packet, std::nullopt);
    }
    void forget_waiting(client_outbox& out) noexcept {
        for (auto const& waiting : waiting_) out.buffered -= waiting.packet.size();
        std::vector<kept_event>().swap(waiting_);
    }

    // Drops the event that asked for this acknowledgement, if it still waits.
    void drop_waiting(client_outbox& out, std::uint64_t ack_id) {
        auto const found = std::ranges::find_if(waiting_, [=](kept_event const& w) { return w.wish.id == ack_id; });
        if (found == waiting_.end()) return;
        out.buffered -= found->packet.size();
        waiting_.erase(found);
    }

    //=== events that are sent until they are acknowledged ===//

    // Errors: as `emit_later`. The event has its turn in `send_next_try`.
    result<void> emit_retried(client_outbox& out, ack_wish const& wish, std::string_view event,
                              json::detail::values const& args) {
        auto packet = store(out, std::nullopt, event, args, out.options.max_buffered);
        if (!packet) return packet.error();
        std::size_t const size = packet->size();
        retries_.push({std::move(*packet), {wish.id, wish.timeout ? wish.timeout : out.options.ack_timeout}});
        out.buffered += size;
        if (wish.id != 0) ++out.wishes;
        return {};
    }

    // Sends the first of them, unless the socket is not connected or the event is under way.
    void send_next_try(client_outbox& out) {
        if (state != client_socket_state::connected || retries_.empty() || retries_.front().is_pending) return;
        auto& first = retries_.front();
        auto const id = ++out.last_ack_id;
        out.await(index, {id, first.wish.timeout});
        core_detail::rollback undo([&]() noexcept { out.forget(index, id); });
        put_stored(out, first.packet, id);
        undo.commit();
        first.is_pending = true;
        ++first.tries;
        first.try_id = id;
    }

    // Whether this is the acknowledgement of the event that is under way.
    [[nodiscard]] bool awaits_try(std::uint64_t id) const noexcept {
        return !retries_.empty() && retries_.front().is_pending && retries_.front().try_id == id;
    }

    // The try under way has ended. Returns the id of the acknowledgement that has ended with it for the application; 0
    // if the application asked for none or another try follows.
    std::uint64_t end_try(client_outbox& out, bool is_answered) {
        auto& first = retries_.front();
        first.is_pending = false;
        if (!is_answered && first.tries <= out.options.retries) return 0;
        std::uint64_t const id = first.wish.id;
        if (id != 0) --out.wishes;
        out.buffered -= first.packet.size();
        stored_packet const freed = std::move(first.packet); // the queue may keep what it pops
        retries_.pop();
        return id;
    }

private:
    struct kept_event {
        stored_packet packet;
        ack_wish wish; // of the application
        // Of one that is sent until it is acknowledged:
        std::uint32_t tries = 0;
        bool is_pending = false;
        std::uint64_t try_id = 0; // on the wire
    };

    [[nodiscard]] result<stored_packet> store(client_outbox& out, std::optional<std::uint64_t> id,
                                              std::string_view event, json::detail::values const& args,
                                              std::size_t max_buffered) const {
        auto packet = stored_packet::event(out.bounds(), {name_, id}, event, args);
        if (packet && out.queue.has_parser()) [[unlikely]]
            if (auto const good = packet->check(out.queue.parsed(), out.options.max_queued); !good) return good.error();
        if (packet && packet->size() > max_buffered - out.buffered) return error{errc::buffer_full};
        return packet;
    }

    static void put_stored(client_outbox& out, stored_packet const& packet, std::optional<std::uint64_t> id) {
        core_detail::must(packet.put(out.queue, id)); // it has been encoded before
    }

    std::string name_;
    std::vector<kept_event> waiting_;
    core_detail::fifo<kept_event> retries_;
};

} // namespace socketless::inline v0::socketio::detail

#include <socketless/core/detail/epilogue.hpp>

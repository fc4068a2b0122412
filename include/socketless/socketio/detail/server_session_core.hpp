// How a server_session works: what packets of the client, calls of the application and the end of the connection do to
// its namespaces, and which events come of that.
#pragma once

#include <socketless/core/detail/inlining.hpp>
#include <socketless/core/detail/must.hpp>
#include <socketless/core/detail/slot_map.hpp>
#include <socketless/core/detail/small_vector.hpp>
#include <socketless/core/error.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/core/result.hpp>
#include <socketless/core/time.hpp>
#include <socketless/json/detail/values.hpp>
#include <socketless/json/writer.hpp>
#include <socketless/socketio/acks.hpp>
#include <socketless/socketio/detail/inbox.hpp>
#include <socketless/socketio/encode.hpp>
#include <socketless/socketio/message_queue.hpp>
#include <socketless/socketio/packet.hpp>
#include <socketless/socketio/server_options.hpp>
#include <socketless/socketio/session.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::socketio::detail {

class server_session_core {
protected:
    static constexpr std::size_t no_bound = std::numeric_limits<std::size_t>::max();
    static constexpr std::uint32_t no_tag = 0xffffffff;

    enum class state : std::uint8_t { free, asked, connected, ending, left };

    // The name of a namespace. Most sockets are in "/", which takes no memory.
    class nsp_name {
    public:
        nsp_name() noexcept = default;
        explicit nsp_name(std::string_view text) : size_(static_cast<std::uint32_t>(text.size())) {
            if (text == "/") return;
            text_ = std::make_unique<char[]>(text.size());
            std::ranges::copy(text, text_.get());
        }

        [[nodiscard]] std::string_view view() const noexcept {
            return text_ ? std::string_view(text_.get(), size_) : std::string_view("/");
        }

    private:
        std::unique_ptr<char[]> text_;
        std::uint32_t size_ = 1;
    };

    // A namespace that the client has asked for, is in, or has left.
    struct slot : core_detail::slot {
        std::uint32_t tag = no_tag;
        [[no_unique_address]] nsp_name nsp;
        server_session_core::state state = state::free;
        disconnect_reason reason{};
    };

    server_session_core(server_options const& options, message_queue& queue, revision r, time_point now) noexcept
        : options_(&options), queue_(&queue), now_(now), connect_deadline_(deadline(now, options.connect_timeout)),
          revision_(r), root_due_(r == revision::v4) {
        queue.use(options.parser, sender::server);
    }

    [[nodiscard]] packet_bounds bounds() const noexcept { return {options_->max_queued, options_->limits}; }

    [[nodiscard]] socket_handle handle(slot const& s) const noexcept {
        return {static_cast<std::uint32_t>(&s - slots_.data()), s.generation()};
    }

    [[nodiscard]] slot const* find(socket_handle socket, state wanted) const noexcept {
        if (socket.index >= slots_.size()) return nullptr;
        slot const& s = slots_[socket.index];
        return s.generation() == socket.generation && s.state == wanted ? &s : nullptr;
    }
    [[nodiscard]] slot* find(socket_handle socket, state wanted) noexcept {
        return const_cast<slot*>(std::as_const(*this).find(socket, wanted));
    }

    // The slot of that namespace in any state but free.
    [[nodiscard]] slot* find(std::string_view nsp) noexcept {
        for (slot& s : slots_)
            if (s.state != state::free && is_same_namespace(s.nsp.view(), nsp)) return &s;
        return nullptr;
    }

    // Whether a client may send events to that namespace.
    [[nodiscard]] bool takes_events(std::string_view nsp) noexcept {
        slot const* const s = find(nsp);
        return s != nullptr && (s->state == state::connected || s->state == state::left);
    }

    // The name stays until the application has handled the event that borrows it.
    void free(slot& s) noexcept {
        vacated_ = true;
        s.state = state::free;
        s.vacate();
    }

    // Gives back the long names that peers have left behind.
    void forget_names() noexcept {
        constexpr std::size_t largest_idle_name = 64;
        vacated_ = false;
        for (slot& s : slots_)
            if (s.state == state::free && s.nsp.view().size() > largest_idle_name) s.nsp = nsp_name();
    }

    //=== events ===//

    // Does one step of work, which may produce an event; false if there is nothing to do.
    [[nodiscard]] bool step(std::optional<event>& e) {
        if (vacated_) forget_names();
        if (inbox_.go_on(now_)) check_deadline();
        if (acks_) {
            if (auto const expired = acks_->take_expired(now_))
                return end_ack(e, *expired, ack_outcome::timed_out), true;
        }
        if (ending_ != 0) return end_socket(e), true;
        if (closed_due_) {
            closed_due_ = false;
            inbox_.clear(); // not before: the application may have been handling an event in it
            e.emplace().reason = reason_;
            return true;
        }
        if (is_closed_) return false;
        if (root_due_) {
            root_due_ = false;
            ask(e, slots_.emplace_back(), "/");
            return true;
        }
        if (!inbox_.has_next()) {
            if (!inbox_.empty()) return true;
            inbox_.release();
            queue_->shrink_parsed();
            if (!lost_) return false;
            return lose(*lost_), true;
        }
        auto const is_welcome = [this](packet const& p) { return takes_events(p.nsp); };
        auto const take = [&](packet const& p, std::span<byte_view const> attachments) {
            take_packet(e, p, attachments);
        };
        if (auto const read = inbox_.next(*queue_, revision_, options_->limits, is_welcome, take); !read) {
            cause_ = read.error().code;
            end(reason_for(*cause_));
        }
        return true;
    }

    event& make_event(std::optional<event>& e, event_type type, slot const& s) const noexcept {
        event& made = e.emplace();
        made.type = type;
        made.socket = handle(s);
        made.nsp = s.nsp.view();
        return made;
    }
    event& make_event(std::optional<event>& e, event_type type, slot const& s, packet const& p,
                      std::span<byte_view const> attachments) const noexcept {
        return e.emplace(type, handle(s), s.nsp.view(), p, attachments);
    }

    result<void> await(socket_handle socket, std::uint64_t id, std::optional<milliseconds> timeout) {
        if (!acks_) acks_ = std::make_unique<pending_acks>();
        if (acks_->size() >= options_->max_pending_acks) return error{errc::too_many_acks};
        auto const until = timeout ? std::optional(deadline(now_, *timeout)) : std::nullopt;
        acks_->await({id, socket.index, until});
        return {};
    }

    //=== ends ===//

    void begin_end(slot& s, disconnect_reason reason) noexcept {
        s.state = state::ending;
        s.reason = reason;
        ++ending_;
    }

    // The connection is gone.
    void lose(disconnect_reason reason) {
        lost_.reset();
        end(reason);
        close_due_ = false;
        if (!queue_->empty()) queue_->clear();
    }

    // Ends the connection if its client has joined nothing in time.
    void check_deadline() {
        if (is_awaited_ && now_ >= connect_deadline_) end(disconnect_reason::forced_server_close);
    }

    // Why the connection ends after a message that cannot be read.
    static disconnect_reason reason_for(errc code) noexcept {
        if (code == errc::not_connected) return disconnect_reason::forced_server_close;
        return code == errc::queue_overflow ? disconnect_reason::queue_overflow : disconnect_reason::parse_error;
    }

    // The connection ends: the session reads nothing more.
    void end(disconnect_reason reason) noexcept {
        if (std::exchange(is_closed_, true)) return;
        reason_ = reason;
        closed_due_ = true;
        close_due_ = !lost_.has_value();
        if (lost_ && !queue_->empty()) queue_->clear();
        lost_.reset();
        root_due_ = false;
        is_awaited_ = false;
        inbox_.stop(); // but keeps the event that the application may be handling
        for (slot& s : slots_) {
            if (s.state == state::connected || s.state == state::asked)
                begin_end(s, reason);
            else if (s.state == state::left)
                free(s);
        }
    }

    // A message was lost because there was no memory: ends the connection as if it were cut.
    void break_off() noexcept {
        queue_->clear();
        end(disconnect_reason::transport_error);
    }

    // The next event of the sockets that are ending: for each the acknowledgements that it owes, then its end.
    // Precondition: at least one is ending.
    void end_socket(std::optional<event>& e) {
        slot* s = slots_.data();
        while (s->state != state::ending) ++s;
        if (acks_) {
            if (auto const owed = acks_->take_of(handle(*s).index)) return end_ack(e, *owed, ack_outcome::disconnected);
        }
        --ending_;
        make_event(e, event_type::disconnected, *s).reason = s->reason;
        bool const by_server = s->reason == disconnect_reason::server_namespace_disconnect && !is_closed_;
        free(*s);
        if (by_server) s->state = state::left;
    }

    void end_ack(std::optional<event>& e, pending_ack const& ack, ack_outcome outcome) const noexcept {
        event& made = make_event(e, event_type::ack, slots_[ack.socket]);
        made.id = ack.id;
        made.outcome = outcome;
    }

    //=== packets in ===//

    void take_packet(std::optional<event>& e, packet const& p, std::span<byte_view const> attachments) {
        if (p.type == packet_type::connect) return take_connect(e, p);
        slot* const s = find(p.nsp);
        if (s != nullptr && s->state == state::left) {
            if (p.type == packet_type::disconnect) free(*s);
            return;
        }
        if (s == nullptr || s->state != state::connected || p.type == packet_type::connect_error)
            return end(disconnect_reason::forced_server_close);
        if (p.type == packet_type::disconnect) return begin_end(*s, disconnect_reason::client_namespace_disconnect);
        if (is_event(p.type)) {
            event& made = make_event(e, event_type::event, *s, p, attachments);
            if (p.id) made.ack = ack_request(made.socket, *p.id);
        } else if (acks_ && acks_->take(*p.id, handle(*s).index)) { // otherwise nobody awaits it
            make_event(e, event_type::ack, *s, p, attachments).id = *p.id;
        }
    }

    void take_connect(std::optional<event>& e, packet const& p) {
        slot* s = find(p.nsp);
        if (s != nullptr && s->state != state::left) return end(disconnect_reason::forced_server_close);
        if (s == nullptr) s = free_slot();
        if (s == nullptr) {
            constexpr std::string_view why = "Too many namespaces";
            // The name may leave no room for an answer.
            if (!put_refusal(p.nsp, why, nullptr)) end(disconnect_reason::forced_server_close);
            return;
        }
        event& made = ask(e, *s, p.nsp);
        made.data = p.data;
        made.query = p.query.value_or(std::string_view());
    }

    // Asks the application to let the client into a namespace.
    event& ask(std::optional<event>& e, slot& s, std::string_view nsp) const {
        s.nsp = nsp_name(nsp);
        s.tag = no_tag;
        s.state = state::asked;
        s.occupy();
        return make_event(e, event_type::connecting, s);
    }

    // A slot for another namespace; null if the client is in as many as it may be. The session remembers which
    // namespaces were left as long as there is room.
    [[nodiscard]] slot* free_slot() {
        for (slot& s : slots_)
            if (s.state == state::free) return &s;
        if (slots_.size() < options_->max_sockets) return &slots_.emplace_back();
        for (slot& s : slots_)
            if (s.state == state::left) return &s;
        return nullptr;
    }

    //=== packets out ===//

    result<void> emit_event(socket_handle socket, std::string_view event, json::detail::values const& args) {
        slot const* const s = find(socket, state::connected);
        if (s == nullptr) return error{errc::not_connected};
        if (auto const put = queue_->put_event(bounds(), {s->nsp.view(), std::nullopt}, event, args); !put) return put;
        return check_queue();
    }

    result<void> emit_awaited(socket_handle socket, std::uint64_t id, std::optional<milliseconds> timeout,
                              std::string_view event, json::detail::values const& args) {
        slot const* const s = find(socket, state::connected);
        if (s == nullptr) return error{errc::not_connected};
        if (auto const may = await(socket, id, timeout); !may) return may;
        core_detail::rollback undo([&]() noexcept { forget_ack(socket, id); });
        if (auto const put = queue_->put_event(bounds(), {s->nsp.view(), id}, event, args); !put) return put;
        if (auto const fits = check_queue(); !fits) return fits;
        undo.commit();
        return {};
    }

    void forget_ack(socket_handle socket, std::uint64_t id) noexcept {
        if (acks_) static_cast<void>(acks_->take(id, socket.index));
    }

    result<void> acknowledge_with(ack_request& request, json::detail::values const& args) {
        if (!request) return error{errc::already_acknowledged};
        slot const* const s = find(request.socket(), state::connected);
        if (s == nullptr) return error{errc::not_connected};
        if (auto const put = queue_->put_ack(bounds(), {s->nsp.view(), request.id()}, args); !put) return put;
        request.clear();
        return check_queue();
    }

    // With data if there is any.
    result<void> refuse_with(socket_handle socket, std::string_view message, json::detail::values const* data) {
        slot* const s = find(socket, state::asked);
        if (s == nullptr) return error{errc::not_connected};
        if (auto const put = put_refusal(s->nsp.view(), message, data); !put) return put;
        if (acks_ && acks_->is_owed_by(socket.index))
            begin_end(*s, disconnect_reason::forced_server_close);
        else
            free(*s);
        check_queue().ignore(); // the client is refused even if the connection ends
        return {};
    }

    result<void> put_refusal(std::string_view nsp, std::string_view message, json::detail::values const* data) {
        return queue_->put(options_->max_queued, [&](std::string& text, attachment_list&) {
            if (revision_ == revision::v4) return encode_connect_error(text, nsp, message);
            limits const& bounds = options_->limits;
            if (data == nullptr) return encode_connect_error(text, bounds, nsp, json::object("message", message));
            return encode_connect_error(text, bounds, nsp, json::object("message", message, "data", *data));
        });
    }

    void put_disconnect(slot const& s) {
        auto const encode_it = [&](std::string& text, attachment_list&) {
            return encode_disconnect(text, s.nsp.view());
        };
        core_detail::must(queue_->put(no_bound, encode_it)); // the namespace came from a packet
    }

    result<void> check_queue() { return queue_->exceeds(options_->max_queued) ? overflow() : result<void>(); }
    SOCKETLESS_NEVER_INLINE result<void> overflow() {
        queue_->clear();
        end(disconnect_reason::queue_overflow);
        return error{errc::queue_overflow};
    }

    // A server has one of these for each connection. The small members lie together, and where the compiler can, it
    // puts them into the padding of others.
    server_options const* options_;
    message_queue* queue_;
    time_point now_;
    time_point connect_deadline_; // if is_awaited_
    std::unique_ptr<pending_acks> acks_;
    core_detail::small_vector<slot> slots_;
    std::uint32_t ending_ = 0;
    bool is_awaited_ = true; // the first socket
    socketio::revision revision_;
    disconnect_reason reason_{};
    std::optional<disconnect_reason> lost_; // the connection, while the inbox holds messages that came before
    bool is_closed_ = false;
    bool closed_due_ = false; // the event
    bool close_due_ = false;  // the transmit
    std::optional<errc> cause_;
    bool root_due_;        // revision 4: the connection itself asks for "/"
    bool vacated_ = false; // slots have become free
    [[no_unique_address]] inbox inbox_;
};

} // namespace socketless::inline v0::socketio::detail

#include <socketless/core/detail/epilogue.hpp>

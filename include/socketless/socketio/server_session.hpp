// socketio::server_session: the server's side of one connection: the namespaces that its client has joined.
#pragma once

#include <socketless/core/detail/must.hpp>
#include <socketless/core/detail/rollback.hpp>
#include <socketless/core/limits.hpp>
#include <socketless/core/result.hpp>
#include <socketless/core/time.hpp>
#include <socketless/json/writer.hpp>
#include <socketless/socketio/acks.hpp>
#include <socketless/socketio/detail/inbox.hpp>
#include <socketless/socketio/encode.hpp>
#include <socketless/socketio/message_queue.hpp>
#include <socketless/socketio/packet.hpp>
#include <socketless/socketio/session.hpp>
#include <socketless/socketio/typed_event.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::socketio {

/// How the sessions of a server behave; the defaults are the reference's where it has any.
struct server_options {
    /// How long a connection may be in no namespace before it has joined its first one.
    milliseconds connect_timeout{45'000};
    /// Namespaces that one connection may be in at once; a CONNECT for another is refused ("Too many namespaces").
    std::size_t max_sockets = 100;
    /// Acknowledgements that one connection may owe; asking for another is refused (errc::too_many_acks).
    std::size_t max_pending_acks = 65'536;
    /// Bytes that may wait for `poll_transmit`; more ends the connection (disconnect_reason::queue_overflow). A packet
    /// that is larger alone is refused (errc::message_too_large).
    std::size_t max_queued = std::size_t{16} * 1024 * 1024;
    socketless::limits limits = {};
};

/// The server's side of one connection: messages in, messages out, over any channel that keeps their order.
///
///     A namespace, on this connection:
///
///              CONNECT            accept()                 DISCONNECT, or the connection ends
///     (none) ---------> asked ----------------> connected -----------------------------------> (none)
///        ^                | refuse()                |                                             ^
///        '----------------'                         '---- disconnect() ----> left ----------------'
///                                                          (what was on its way is ignored until
///                                                           the client has heard: CONNECT or DISCONNECT)
///
///     Anything else from the client, for any namespace, ends the connection: "forced server close"; what cannot be
///     decoded: "parse error". Revision 4: "/" is asked for by the connection itself.
///
/// The loop is that of every session: after each input, or several (see `max_unread_inputs`), take events, then
/// transmits, until both run dry; then wait for input or `poll_timeout`. Packets are borrowed from the messages. The
/// time of a call that takes none is that of the last call that took one.
///
/// The application's write_json may throw, and so may an allocation. Then the call has done nothing; where it is
/// poll_event that throws, the connection ends (transport_error), since a message is lost.
class server_session {
public:
    /// `options` and `queue` outlive the session. See `message_queue` for how many sessions one may serve.
    server_session(server_options const& options, message_queue& queue, revision r, time_point now) noexcept
        : options_(&options), queue_(&queue), revision_(r), root_due_(r == revision::v4), now_(now),
          connect_deadline_(deadline(now, options.connect_timeout)) {}

    //=== what happened ===//

    /// A message of the client.
    void message_received(frame message, time_point now) {
        if (!is_closed_ && !lost_)
            inbox_.push(message, now, now_);
        else
            now_ = now;
    }

    /// The connection is gone. Nothing is sent any more.
    void connection_closed(disconnect_reason reason, time_point now) {
        bool const is_unread = !inbox_.empty();
        inbox_.pass_time(now, now_);
        if (!is_unread) return lose(reason);
        lost_ = reason; // once that has been read
    }

    /// Time has passed: to be called when `poll_timeout` is due. A spurious call is harmless.
    void handle_timeout(time_point now) {
        bool const is_unread = !inbox_.empty();
        inbox_.pass_time(now, now_);
        if (!is_unread) check_deadline();
    }

    //=== what the application wants ===//

    /// Lets the client into the namespace that it asked for. `sid` is the socket's id, of at least 120 random bits;
    /// `pid`, if there is one, the secret by which its state can be recovered. Errors: errc::not_connected where
    /// nothing is asked for (any more); errc::invalid_utf8; errc::message_too_large; errc::queue_overflow.
    result<void> accept(socket_handle socket, std::string_view sid, std::string_view pid = {}) {
        slot* const s = find(socket, state::asked);
        if (s == nullptr) return error{errc::not_connected};
        auto const put = queue_->put(options_->max_queued, [&](std::string& text, attachment_list&) {
            if (revision_ == revision::v4) return encode_connect(text, s->nsp);
            if (pid.empty()) return encode_connect(text, s->nsp, json::object("sid", sid));
            return encode_connect(text, s->nsp, json::object("sid", sid, "pid", pid));
        });
        if (!put) return put;
        s->state = state::connected;
        connect_deadline_.reset();
        return check_queue();
    }

    /// Keeps the client out: CONNECT_ERROR with a message for people and, if there is any, data for programs (a client
    /// of revision 4 is told the message only). Errors: errc::not_connected; errc::invalid_utf8, errc::depth_exceeded,
    /// errc::message_too_large, after which it may be tried again.
    result<void> refuse(socket_handle socket, std::string_view message) {
        return refuse_with(socket, message, json::object("message", message));
    }
    template <class T>
    result<void> refuse(socket_handle socket, std::string_view message, T const& data) {
        return refuse_with(socket, message, json::object("message", message, "data", data));
    }

    /// Keeps the client out and tells it nothing: where its name leaves no room for an answer
    /// (errc::message_too_large).
    void drop(socket_handle socket) noexcept {
        if (slot* const s = find(socket, state::asked)) free(*s);
    }

    /// Emits an event. Errors: errc::not_connected; errc::reserved_event_name, errc::invalid_utf8; what no receiver
    /// with the same limits takes: errc::too_many_attachments, errc::attachments_too_large, errc::depth_exceeded;
    /// errc::message_too_large: it is larger than `max_queued` alone; errc::queue_overflow: with it more than
    /// `max_queued` bytes would wait, and the connection ends.
    template <class... Args, event_name_for<Args...> Name>
    result<void> emit(socket_handle socket, Name const& name, Args const&... args) {
        slot const* const s = find(socket, state::connected);
        if (s == nullptr) return error{errc::not_connected};
        if (auto const put = queue_->put_event(bounds(), {s->nsp, std::nullopt}, detail::name_of(name),
                                               json::detail::passed_on(args)...);
            !put)
            return put;
        return check_queue();
    }

    /// Emits an event and asks for its acknowledgement, which ends in one event_type::ack. `id` is the caller's choice,
    /// at most `max_ack_id`. Errors: as above, and errc::too_many_acks. Precondition: `id` is greater than any one
    /// before.
    template <class... Args, event_name_for<Args...> Name>
    result<void> emit_with_ack(socket_handle socket, std::uint64_t id, std::optional<milliseconds> timeout,
                               Name const& name, Args const&... args) {
        slot const* const s = find(socket, state::connected);
        if (s == nullptr) return error{errc::not_connected};
        if (auto const may = expect_ack(socket, id, timeout); !may) return may;
        socketless::detail::rollback undo([&]() noexcept { forget_ack(socket, id); });
        if (auto const put =
                queue_->put_event(bounds(), {s->nsp, id}, detail::name_of(name), json::detail::passed_on(args)...);
            !put)
            return put;
        if (auto const fits = check_queue(); !fits) return fits;
        undo.commit();
        return {};
    }

    /// Awaits the acknowledgement of an event that the caller sends by itself, as in a broadcast. Errors and
    /// precondition: as above.
    result<void> expect_ack(socket_handle socket, std::uint64_t id, std::optional<milliseconds> timeout) {
        if (find(socket, state::connected) == nullptr) return error{errc::not_connected};
        return await(socket, id, timeout);
    }
    /// Awaits it no more: the event was not sent. No event comes of that.
    void forget_ack(socket_handle socket, std::uint64_t id) noexcept {
        if (acks_) static_cast<void>(acks_->take(id, socket.index));
    }
    /// The same as `expect_ack` for a client that has not been let in yet: its event is sent when it is. Where it is
    /// refused instead, its acknowledgements end, and `disconnected` follows.
    result<void> expect_early_ack(socket_handle socket, std::uint64_t id, std::optional<milliseconds> timeout) {
        if (find(socket, state::asked) == nullptr) return error{errc::not_connected};
        return await(socket, id, timeout);
    }

    /// Acknowledges an event, once: `request` is empty afterwards. Errors: errc::already_acknowledged; those of `emit`,
    /// after which it may be tried again.
    template <class... Args>
    result<void> acknowledge(ack_request& request, Args const&... args) {
        if (!request) return error{errc::already_acknowledged};
        slot const* const s = find(request.socket(), state::connected);
        if (s == nullptr) return error{errc::not_connected};
        if (auto const put = queue_->put_ack(bounds(), {s->nsp, request.id()}, json::detail::passed_on(args)...); !put)
            return put;
        request.clear();
        return check_queue();
    }

    /// Disconnects the socket: "server namespace disconnect". Harmless if it is gone.
    void disconnect(socket_handle socket) {
        slot* const s = find(socket, state::connected);
        if (s == nullptr) return;
        put_disconnect(*s);
        begin_end(*s, disconnect_reason::server_namespace_disconnect);
    }

    /// Closes the connection. Precondition: `reason` is server_namespace_disconnect, and each namespace is told to
    /// disconnect first, or another of a server's, and none is.
    void close(disconnect_reason reason) {
        if (is_closed_) return;
        if (reason == disconnect_reason::server_namespace_disconnect)
            for (slot& s : slots_) {
                if (s.state != state::connected) continue;
                put_disconnect(s);
                begin_end(s, reason);
            }
        end(reason);
    }

    //=== what it means, what to do, when to come back ===//

    /// The next event, or nothing until there is other input: connecting, event, ack, disconnected, and once closed.
    [[nodiscard]] std::optional<event> poll_event() {
        std::optional<event> e = detail::no_event();
        poll_event(e);
        return e;
    }
    /// The same in place, for the layers above: events are large. Precondition: `e` is empty.
    void poll_event(std::optional<event>& e) {
        socketless::detail::rollback undo([this]() noexcept { break_off(); });
        while (!e && step(e)) {
        }
        undo.commit();
    }

    /// The next thing to do, or nothing until there is other input.
    [[nodiscard]] std::optional<transmit> poll_transmit() noexcept {
        if (lost_) return std::nullopt;
        if (!queue_->empty()) {
            frame const message = queue_->front();
            queue_->pop();
            return transmit{transmit_type::message, message};
        }
        if (std::exchange(close_due_, false)) return transmit{transmit_type::close, {}};
        return std::nullopt;
    }

    /// Whether `poll_transmit` has something to give.
    [[nodiscard]] bool has_transmit() const noexcept { return !lost_ && (close_due_ || !queue_->empty()); }

    /// When `handle_timeout` is to be called, if ever. Changes with every input and every acknowledgement asked for.
    [[nodiscard]] std::optional<time_point> poll_timeout() const noexcept {
        if (is_closed_) return std::nullopt;
        return acks_ ? earlier(connect_deadline_, acks_->next_deadline()) : connect_deadline_;
    }

    //=== what it is ===//

    /// What was wrong with what the client sent, if it could not be read and the connection was closed for that.
    [[nodiscard]] std::optional<errc> cause() const noexcept { return cause_; }

    [[nodiscard]] socketio::revision revision() const noexcept { return revision_; }
    /// Whether the connection has ended, as far as this side can tell.
    [[nodiscard]] bool is_closed() const noexcept { return is_closed_; }
    [[nodiscard]] bool is_connected(socket_handle socket) const noexcept {
        return find(socket, state::connected) != nullptr;
    }
    /// Why the socket ends, from then on until the end is told; nothing for any other socket.
    [[nodiscard]] std::optional<disconnect_reason> ending(socket_handle socket) const noexcept {
        auto const* const s = find(socket, state::ending);
        return s == nullptr ? std::nullopt : std::optional(s->reason);
    }
    /// The socket's namespace; empty if it is gone.
    [[nodiscard]] std::string_view nsp(socket_handle socket) const noexcept {
        for (state const s : {state::asked, state::connected})
            if (auto const* const found = find(socket, s)) return found->nsp;
        return {};
    }

    /// A number of the caller's own for a socket, kept until another takes its index; `no_tag` if none was set.
    /// Precondition: the handle came from this session.
    static constexpr std::uint32_t no_tag = 0xffffffff;
    void set_tag(socket_handle socket, std::uint32_t tag) noexcept { slots_[socket.index].tag = tag; }
    [[nodiscard]] std::uint32_t tag(socket_handle socket) const noexcept { return slots_[socket.index].tag; }

private:
    static constexpr std::size_t no_bound = std::numeric_limits<std::size_t>::max();

    enum class state : std::uint8_t { free, asked, connected, ending, left };

    // A namespace that the client is in, or has to do with.
    struct slot {
        std::string nsp;
        server_session::state state = state::free;
        disconnect_reason reason{};
        std::uint32_t generation = 1; // 0 is nobody's: that of a handle that was not set
        std::uint32_t tag = no_tag;
    };

    [[nodiscard]] packet_bounds bounds() const noexcept { return {options_->max_queued, options_->limits}; }

    [[nodiscard]] socket_handle handle(slot const& s) const noexcept {
        return {static_cast<std::uint32_t>(&s - slots_.data()), s.generation};
    }

    [[nodiscard]] slot const* find(socket_handle socket, state wanted) const noexcept {
        if (socket.index >= slots_.size()) return nullptr;
        slot const& s = slots_[socket.index];
        return s.generation == socket.generation && s.state == wanted ? &s : nullptr;
    }
    [[nodiscard]] slot* find(socket_handle socket, state wanted) noexcept {
        return const_cast<slot*>(std::as_const(*this).find(socket, wanted));
    }

    // The slot of that namespace, whatever its state, if the client has to do with it.
    [[nodiscard]] slot* find(std::string_view nsp) noexcept {
        for (slot& s : slots_)
            if (s.state != state::free && s.nsp == nsp) return &s;
        return nullptr;
    }

    // Whether what a client sends to that namespace is no mistake.
    [[nodiscard]] bool takes_events(std::string_view nsp) noexcept {
        slot const* const s = find(nsp);
        return s != nullptr && (s->state == state::connected || s->state == state::left);
    }

    // The name stays until the event that borrows it has been handled.
    void free(slot& s) noexcept {
        vacated_ = true;
        s.state = state::free;
        if (++s.generation == 0) s.generation = 1;
    }

    // Gives back the long names that peers have left behind.
    void forget_names() noexcept {
        constexpr std::size_t largest_idle_name = 64;
        vacated_ = false;
        for (slot& s : slots_)
            if (s.state == state::free && s.nsp.capacity() > largest_idle_name) std::string().swap(s.nsp);
    }

    //=== events ===//

    // Does the next thing that is to be done, of which an event may come. Returns false where there is nothing.
    [[nodiscard]] bool step(std::optional<event>& e) {
        if (vacated_) forget_names();
        if (inbox_.go_on(now_)) check_deadline();
        if (acks_) {
            if (auto const expired = acks_->take_expired(now_))
                return end_ack(e, *expired, ack_outcome::timed_out), true;
        }
        if (ending_ != 0) return end_socket(e), true;
        if (std::exchange(closed_due_, false)) {
            inbox_.clear(); // not before: the event that was being handled may have been in it
            e.emplace().reason = reason_;
            return true;
        }
        if (is_closed_) return false;
        if (std::exchange(root_due_, false)) {
            slots_.push_back({"/", state::asked});
            tell(e, event_type::connecting, slots_.back());
            return true;
        }
        if (!inbox_.has_next()) {
            if (!inbox_.empty()) return true;
            inbox_.release();
            if (!lost_) return false;
            return lose(*lost_), true;
        }
        message m;
        auto const is_welcome = [this](header const& h) { return takes_events(h.nsp); };
        auto const complete = inbox_.next(m, revision_, options_->limits, is_welcome);
        if (!complete) {
            cause_ = complete.error().code;
            end(reason_for(*cause_));
        } else if (*complete) {
            take(e, m);
        }
        return true;
    }

    event& tell(std::optional<event>& e, event_type type, slot const& s) const noexcept {
        event& told = e.emplace();
        told.type = type;
        told.socket = handle(s);
        told.nsp = s.nsp;
        return told;
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

    // Nothing was joined in time.
    void check_deadline() {
        if (connect_deadline_ && now_ >= *connect_deadline_) end(disconnect_reason::forced_server_close);
    }

    // Why the connection ends after a message that cannot be read.
    static disconnect_reason reason_for(errc code) noexcept {
        if (code == errc::not_connected) return disconnect_reason::forced_server_close;
        return code == errc::queue_overflow ? disconnect_reason::queue_overflow : disconnect_reason::parse_error;
    }

    // The connection ends: nothing is read any more.
    void end(disconnect_reason reason) noexcept {
        if (std::exchange(is_closed_, true)) return;
        reason_ = reason;
        closed_due_ = true;
        close_due_ = !lost_.has_value();
        if (lost_ && !queue_->empty()) queue_->clear();
        lost_.reset();
        root_due_ = false;
        connect_deadline_.reset();
        inbox_.stop(); // the event that is being handled may be in it
        for (slot& s : slots_) {
            if (s.state == state::connected || s.state == state::asked)
                begin_end(s, reason);
            else if (s.state == state::left)
                free(s);
        }
    }

    // A message was lost because memory was: the connection is worth no more than one that is cut.
    void break_off() noexcept {
        queue_->clear();
        end(disconnect_reason::transport_error);
    }

    // The next event of the sockets that are ending: each with the acknowledgements that it owes. Precondition: some
    // are.
    void end_socket(std::optional<event>& e) {
        slot* s = slots_.data();
        while (s->state != state::ending) ++s;
        if (acks_) {
            if (auto const owed = acks_->take_of(handle(*s).index)) return end_ack(e, *owed, ack_outcome::disconnected);
        }
        --ending_;
        tell(e, event_type::disconnected, *s).reason = s->reason;
        bool const by_server = s->reason == disconnect_reason::server_namespace_disconnect && !is_closed_;
        free(*s);
        if (by_server) s->state = state::left;
    }

    void end_ack(std::optional<event>& e, pending_ack const& ack, ack_outcome outcome) const noexcept {
        event& told = tell(e, event_type::ack, slots_[ack.socket]);
        told.id = ack.id;
        told.outcome = outcome;
    }

    //=== packets in ===//

    void take(std::optional<event>& e, message const& m) {
        packet const& p = m.packet;
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
            event& told = tell(e, event_type::event, *s);
            told.packet = m;
            if (p.id) told.ack = ack_request(told.socket, *p.id);
        } else if (acks_ && acks_->take(*p.id, handle(*s).index)) { // else nobody awaits it
            event& told = tell(e, event_type::ack, *s);
            told.packet = m;
            told.id = *p.id;
        }
    }

    void take_connect(std::optional<event>& e, packet const& p) {
        slot* s = find(p.nsp);
        if (s != nullptr && s->state != state::left) return end(disconnect_reason::forced_server_close);
        if (s == nullptr) s = free_slot();
        if (s == nullptr) {
            constexpr std::string_view why = "Too many namespaces";
            // Not even told where its name leaves no room for an answer.
            if (!put_refusal(p.nsp, why, json::object("message", why))) end(disconnect_reason::forced_server_close);
            return;
        }
        s->nsp = p.nsp;
        s->tag = no_tag;
        s->state = state::asked;
        event& told = tell(e, event_type::connecting, *s);
        told.data = p.data;
        told.query = p.query.value_or(std::string_view());
    }

    // A slot for another namespace; null where there are as many as there may be. What the client has left is
    // remembered as long as there is room.
    [[nodiscard]] slot* free_slot() {
        for (slot& s : slots_)
            if (s.state == state::free) return &s;
        if (slots_.size() < options_->max_sockets) return &slots_.emplace_back();
        for (slot& s : slots_)
            if (s.state == state::left) return &s;
        return nullptr;
    }

    //=== packets out ===//

    template <class Payload>
    result<void> refuse_with(socket_handle socket, std::string_view message, Payload const& payload) {
        slot* const s = find(socket, state::asked);
        if (s == nullptr) return error{errc::not_connected};
        if (auto const put = put_refusal(s->nsp, message, payload); !put) return put;
        if (acks_ && acks_->is_owed_by(socket.index))
            begin_end(*s, disconnect_reason::forced_server_close);
        else
            free(*s);
        static_cast<void>(check_queue()); // it is refused even so
        return {};
    }

    template <class Payload>
    result<void> put_refusal(std::string_view nsp, std::string_view message, Payload const& payload) {
        return queue_->put(options_->max_queued, [&](std::string& text, attachment_list&) {
            return revision_ == revision::v4 ? encode_connect_error(text, nsp, message)
                                             : encode_connect_error(text, options_->limits, nsp, payload);
        });
    }

    void put_disconnect(slot const& s) {
        auto const encode_it = [&](std::string& text, attachment_list&) { return encode_disconnect(text, s.nsp); };
        socketless::detail::must(queue_->put(no_bound, encode_it)); // the namespace came from a packet
    }

    result<void> check_queue() {
        if (!queue_->exceeds(options_->max_queued)) return {};
        queue_->clear();
        end(disconnect_reason::queue_overflow);
        return error{errc::queue_overflow};
    }

    server_options const* options_;
    message_queue* queue_;
    socketio::revision revision_;
    disconnect_reason reason_{};
    std::optional<disconnect_reason> lost_; // the connection, while the inbox holds what came before
    bool is_closed_ = false;
    bool closed_due_ = false; // the event
    bool close_due_ = false;  // the transmit
    std::optional<errc> cause_;
    bool root_due_;        // revision 4: "/" is asked for
    bool vacated_ = false; // slots have become free
    std::uint32_t ending_ = 0;
    time_point now_;
    std::optional<time_point> connect_deadline_;
    detail::inbox inbox_;
    std::unique_ptr<pending_acks> acks_;
    std::vector<slot> slots_;
};

} // namespace socketless::inline v0::socketio

#include <socketless/core/detail/epilogue.hpp>

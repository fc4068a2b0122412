// How a client_session works: what packets of the server, calls of the application and the ends of connections do to
// its sockets, and which events come of that.
#pragma once

#include <socketless/core/detail/function_ref.hpp>
#include <socketless/core/detail/must.hpp>
#include <socketless/core/detail/rollback.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/core/result.hpp>
#include <socketless/core/time.hpp>
#include <socketless/json/detail/values.hpp>
#include <socketless/json/text.hpp>
#include <socketless/socketio/acks.hpp>
#include <socketless/socketio/client_options.hpp>
#include <socketless/socketio/detail/client_socket.hpp>
#include <socketless/socketio/detail/inbox.hpp>
#include <socketless/socketio/detail/stored_packet.hpp>
#include <socketless/socketio/encode.hpp>
#include <socketless/socketio/packet.hpp>
#include <socketless/socketio/session.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::socketio::detail {

class client_session_core {
protected:
    using socket = client_socket;
    using socket_state = client_socket_state;

    static constexpr std::size_t no_bound = std::numeric_limits<std::size_t>::max();

    // Revision 4: the server joins "/" unasked. Its CONNECT is awaited, has arrived, or "/" was left since.
    enum class root_state : std::uint8_t { awaited, joined, left };

    client_session_core(client_options const& options, time_point now) : out_{options, now} {
        out_.queue.use(options.parser, sender::client);
        if (options.parser != nullptr) limit_messages_only(out_.options.limits);
    }

    //=== sockets ===//

    [[nodiscard]] socket const* find(socket_handle handle) const noexcept {
        return handle.generation == 1 && handle.index < sockets_.size() ? sockets_[handle.index].get() : nullptr;
    }
    [[nodiscard]] socket* find(socket_handle handle) noexcept {
        return const_cast<socket*>(std::as_const(*this).find(handle));
    }
    [[nodiscard]] socket* find(std::string_view nsp) noexcept {
        for (auto const& s : sockets_)
            if (is_same_namespace(s->name(), nsp)) return s.get();
        return nullptr;
    }

    using set_auth_function = core_detail::function_ref<result<void>(socket&)>;

    result<socket_handle> connect_with(std::string_view nsp, set_auth_function set_auth) {
        if (auto const good = check_namespace(nsp); !good) return good.error();
        // Long-polling of revision 4 cannot carry it.
        if (auto const separator = nsp.find('\x1e'); separator != std::string_view::npos)
            return error{errc::invalid_namespace, separator};
        auto const question = out_.options.revision == revision::v4 ? nsp.find('?') : std::string_view::npos;
        auto const name = nsp.substr(0, question);
        socket* s = find(name);
        if (s != nullptr && s->wanted) return error{errc::already_connected};
        bool const is_new = s == nullptr;
        if (is_new) {
            auto const index = static_cast<std::uint32_t>(sockets_.size());
            s = sockets_.emplace_back(std::make_unique<socket>(index, name)).get();
        }
        core_detail::rollback undo([&]() noexcept {
            s->wanted = false;
            if (is_new) sockets_.pop_back();
        });
        s->query.reset();
        if (question != std::string_view::npos) s->query.emplace(nsp.substr(question + 1));
        if (auto const set = set_auth(*s); !set) return set.error();
        s->wanted = true;
        if (is_open_ && s->state == socket_state::idle) begin_connect(*s);
        undo.commit();
        return s->handle();
    }

    result<void> authenticate_with(socket_handle handle, json::detail::values const& auth) {
        socket* const s = find(handle);
        if (s == nullptr || s->state != socket_state::authenticating) return error{errc::already_connected};
        if (auto const set = s->set_auth(auth, out_.bounds()); !set) return set;
        s->asks_for_auth = true;
        send_connect(*s);
        return {};
    }

    void begin_connect(socket& s) {
        due_ = true;
        if (!s.asks_for_auth) return send_connect(s);
        s.state = socket_state::authenticating;
        if (!std::exchange(s.question_due, true)) ++asking_; // it may be due since before the socket was left
    }

    void send_connect(socket& s) {
        due_ = true;
        if (out_.options.revision == revision::v4 && s.name() == "/" && root_ != root_state::left) {
            s.state = socket_state::connecting;
            root_due_ = root_ == root_state::joined;
            return;
        }
        auto const put = out_.queue.put(no_bound, [&](std::string& text, attachment_list&) {
            bool const bare = out_.options.revision == revision::v4 || (s.auth.empty() && s.pid.empty());
            if (!bare)
                return encode_payload(text, nullptr, no_limits, packet_type::connect, {s.name(), std::nullopt},
                                      json::detail::values_of(s)); // an object
            packet connect;
            connect.type = packet_type::connect;
            connect.nsp = s.name();
            connect.query = s.query;
            return encode(text, connect);
        });
        core_detail::must(put); // the namespace and the auth were checked when they were given
        s.state = socket_state::connecting;
    }

    void leave(socket& s) {
        if (s.state == socket_state::connected) put_disconnect(s);
        s.wanted = false;
        if (s.state == socket_state::connected) {
            begin_end(s, disconnect_reason::io_client_disconnect);
        } else if (s.state == socket_state::connecting) {
            s.state = socket_state::leaving; // the answer to CONNECT is on its way
            s.drop_early(early_size_);
        } else if (s.state == socket_state::authenticating) {
            s.state = socket_state::idle;
        }
    }

    void put_disconnect(socket& s) {
        core_detail::must(out_.queue.put(no_bound, [&](std::string& text, attachment_list&) {
            packet leave;
            leave.type = packet_type::disconnect;
            leave.nsp = s.name();
            return encode(text, leave);
        }));
        s.was_left = true;
        if (s.name() == "/") root_ = root_state::left;
    }

    //=== events out ===//

    // Sends the socket's next event that is sent until it is acknowledged. Where it cannot, the connection ends, and
    // the event has its turn on the next one.
    void try_next(socket& s) noexcept {
        due_ = true;
        if (!core_detail::attempt([&] { s.send_next_try(out_); })) break_off();
    }

    result<void> check_queue() {
        if (!out_.queue.exceeds(out_.options.max_queued)) return {};
        out_.queue.clear();
        end(disconnect_reason::queue_overflow);
        return error{errc::queue_overflow};
    }

    //=== events in ===//

    // Does one step of work, which may produce an event; false if there is nothing to do.
    [[nodiscard]] bool step(std::optional<event>& e) {
        inbox_.go_on(out_.now);
        if (auto const expired = out_.acks.take_expired(out_.now))
            return end_ack(e, *expired, ack_outcome::timed_out), check_queue().ignore(), true; // it may send a try
        if (ending_ != 0) return end_socket(e), true;
        if (closed_due_) {
            closed_due_ = false;
            inbox_.clear(); // not before: the application may have been handling an event in it
            e.emplace().reason = reason_;
            return true;
        }
        if (!is_open_) return false;
        if (asking_ != 0) return ask(e), true;
        if (early_ != 0) return deliver_early(e), true;
        if (root_due_) {
            root_due_ = false;
            packet connect; // the server's, once more: the socket did not exist when it came
            connect.type = packet_type::connect;
            return take_packet(e, connect, {}), true;
        }
        if (!inbox_.has_next()) {
            if (!inbox_.empty()) return true;
            release();
            if (!lost_) return false;
            return lose(*lost_), true;
        }
        auto const any = [](packet const&) { return true; };
        auto const take = [&](packet const& p, std::span<byte_view const> attachments) {
            take_packet(e, p, attachments);
        };
        auto const read = inbox_.next(out_.queue, out_.options.revision, out_.options.limits, any, take);
        if (!read && read.error().code == errc::queue_overflow)
            end(disconnect_reason::queue_overflow);
        else if (!read && !take_other_revision(e))
            end(disconnect_reason::parse_error);
        return true;
    }

    // Whether `step` may have something to do behind an event: another event, or memory to give back.
    [[nodiscard]] bool has_more() const noexcept {
        return ending_ != 0 || asking_ != 0 || early_ != 0 || closed_due_ || root_due_ || is_current_ || lost_ ||
               !inbox_.is_idle() || !out_.acks.empty();
    }

    // The application has handled what the last events borrowed.
    void release() noexcept {
        inbox_.release();
        if (!is_current_) return;
        is_current_ = false;
        stored_packet handled; // a string that is assigned an empty one would keep its memory
        std::swap(current_, handled);
        current_attachments_ = {};
    }

    static event& make_event(std::optional<event>& e, event_type type, socket const& s) noexcept {
        event& made = e.emplace();
        made.type = type;
        made.socket = s.handle();
        made.nsp = s.name();
        return made;
    }

    // Asks for the auth of a socket.
    void ask(std::optional<event>& e) {
        for (auto const& kept : sockets_) {
            socket& s = *kept;
            if (!std::exchange(s.question_due, false)) continue;
            --asking_;
            if (s.state != socket_state::authenticating) continue;
            make_event(e, event_type::connecting, s);
            return;
        }
    }

    // Delivers, after the answer to CONNECT, what came before it.
    void deliver_early(std::optional<event>& e) {
        for (auto const& kept : sockets_) {
            socket& s = *kept;
            if (s.state != socket_state::connected || s.early.empty()) continue;
            current_ = std::move(s.early.front());
            is_current_ = true;
            s.early.pop();
            early_size_ -= current_.size();
            if (s.early.empty()) {
                s.early = {}; // gives the memory back
                --early_;
            }
            message const kept_event = current_.view(current_attachments_);
            return take_event(e, s, kept_event.packet, kept_event.attachments);
        }
    }

    //=== ends ===//

    void begin_end(socket& s, disconnect_reason reason) noexcept {
        due_ = true;
        s.state = socket_state::ending;
        s.reason = reason;
        s.last_ack_id = out_.last_ack_id;
        if (!s.early.empty()) --early_;
        s.drop_early(early_size_);
        ++ending_;
    }

    // The connection is gone.
    void lose(disconnect_reason reason) {
        due_ = true;
        lost_.reset();
        end(reason);
        close_due_ = false;
        out_.queue.clear();
    }

    // The connection ends: the session reads nothing more.
    void end(disconnect_reason reason) noexcept {
        if (!std::exchange(is_open_, false)) return;
        due_ = true;
        reason_ = reason;
        closed_due_ = true;
        close_due_ = !lost_.has_value();
        if (lost_) out_.queue.clear();
        lost_.reset();
        inbox_.stop(); // but keeps the event that the application may be handling
        root_due_ = false;
        asking_ = 0;
        for (auto const& kept : sockets_) {
            socket& s = *kept;
            s.question_due = false;
            if (s.state == socket_state::connected) {
                begin_end(s, reason);
            } else if (s.state != socket_state::ending) {
                s.state = socket_state::idle;
                s.drop_early(early_size_);
            }
        }
    }

    // A message was lost because there was no memory: ends the connection as if it were cut.
    void break_off() noexcept {
        out_.queue.clear();
        end(disconnect_reason::transport_error);
    }

    // The next event of the sockets that are ending: for each the acknowledgements that it owes, then its end.
    void end_socket(std::optional<event>& e) {
        for (auto const& kept : sockets_) {
            socket& s = *kept;
            if (s.state != socket_state::ending) continue;
            if (auto const awaited = out_.acks.take_of(s.index, s.last_ack_id))
                return static_cast<void>(end_ack(e, *awaited, ack_outcome::disconnected));
            --ending_;
            make_event(e, event_type::disconnected, s).reason = s.reason;
            s.state = socket_state::idle;
            // The application has asked for it again meanwhile.
            if (is_open_ && s.wanted && !core_detail::attempt([&] { begin_connect(s); })) break_off();
            return;
        }
    }

    // Returns the event that says so, unless the application is not told.
    event* end_ack(std::optional<event>& e, pending_ack const& ack, ack_outcome outcome) {
        socket& s = *sockets_[ack.socket];
        auto id = ack.id;
        if (s.awaits_try(id)) {
            id = s.end_try(out_, outcome == ack_outcome::answered);
            try_next(s);
            if (id == 0) return nullptr;
        } else if (outcome == ack_outcome::timed_out) {
            s.drop_waiting(out_, id);
        }
        event& made = make_event(e, event_type::ack, s);
        made.id = id;
        made.outcome = outcome;
        return &made;
    }

    //=== packets in ===//

    void take_packet(std::optional<event>& e, packet const& p, std::span<byte_view const> attachments) {
        if (p.nsp.size() == 1) note_root(p.type);
        socket* const s = find(p.nsp);
        if (s == nullptr) return;
        if (p.type == packet_type::connect) return take_connect(e, *s, p);
        if (p.type == packet_type::connect_error) return take_connect_error(e, *s, p);
        // We sent DISCONNECT: until the next CONNECT is answered, whatever arrives was sent before the server knew.
        bool const is_early = s->state == socket_state::connecting && !s->was_left;
        if (is_early && is_event(p.type)) return keep_early(*s, p, attachments);
        if (s->state != socket_state::connected) return;
        if (is_event(p.type)) return take_event(e, *s, p, attachments);
        if (p.type == packet_type::disconnect) {
            s->wanted = false;
            return begin_end(*s, disconnect_reason::io_server_disconnect);
        }
        if (auto const awaited = out_.acks.take(*p.id, s->index))
            if (event* const made = end_ack(e, *awaited, ack_outcome::answered)) made->packet = {p, attachments};
    }

    // What the server says of "/" in revision 4.
    void note_root(packet_type type) noexcept {
        if (type == packet_type::connect) root_ = root_state::joined;
        if (type == packet_type::disconnect) root_ = root_state::left;
        // After a refusal the server does not join it any more. If it has joined it before, this is an error that the
        // application has sent.
        if (type == packet_type::connect_error && root_ == root_state::awaited) root_ = root_state::left;
    }

    void take_connect(std::optional<event>& e, socket& s, packet const& p) {
        if (s.state == socket_state::leaving) {
            put_disconnect(s);
            return has_left(s);
        }
        if (s.state != socket_state::connecting) return;
        auto sid = json::detail::string_member(p.data, "sid");
        if (sid.empty() && out_.options.revision == revision::v5) return refuse_revision(e, s);
        bool const recovered = join(s, std::move(sid), json::detail::string_member(p.data, "pid"));
        try_next(s);
        event& made = make_event(e, event_type::connected, s);
        made.sid = s.sid;
        made.recovered = recovered;
    }

    // The server has let the socket in: it sends what waits. Returns whether its state is recovered.
    bool join(socket& s, std::string sid, std::string pid) {
        s.put_waiting(out_); // may throw; then nothing of the socket has changed
        bool const recovered = !pid.empty() && pid == s.pid;
        if (!recovered) s.offset.clear();
        s.sid = std::move(sid);
        s.pid = out_.options.recovery ? std::move(pid) : std::string();
        s.state = socket_state::connected;
        ++s.connection;
        if (!s.early.empty()) ++early_;
        s.forget_waiting(out_);
        check_queue().ignore();
        return recovered;
    }

    // The server speaks another revision: 4 answers CONNECT without an id, 5 in a way that revision 4 cannot read.
    void refuse_revision(std::optional<event>& e, socket& s) {
        constexpr std::string_view of_v4 = R"("the server speaks revision 5 of Socket.IO, this client revision 4")";
        constexpr std::string_view of_v5 = R"("the server speaks revision 4 of Socket.IO, this client revision 5")";
        refuse(s);
        event& made = make_event(e, event_type::connect_error, s);
        made.reason = disconnect_reason::unsupported_revision;
        made.message = json::text::trusted(out_.options.revision == revision::v4 ? of_v4 : of_v5);
    }

    // Whether the message that could not be read is the answer of revision 5 to CONNECT.
    [[nodiscard]] bool take_other_revision(std::optional<event>& e) {
        frame const last = inbox_.last();
        if (out_.options.revision != revision::v4 || last.kind != frame_kind::text) return false;
        auto const p = decode(last.data, revision::v5, out_.options.limits);
        if (!p || p->type != packet_type::connect || !p->data.find("sid")) return false;
        socket* const s = find(p->nsp.substr(0, p->nsp.find('?')));
        if (s == nullptr || s->state != socket_state::connecting) return false;
        refuse_revision(e, *s);
        return true;
    }

    void take_connect_error(std::optional<event>& e, socket& s, packet const& p) {
        if (s.state == socket_state::leaving) return has_left(s);
        if (s.state != socket_state::connecting) return;
        refuse(s);
        event& made = make_event(e, event_type::connect_error, s);
        if (!p.data.is(json::kind::object)) {
            made.message = p.data;
        } else if (out_.options.revision == revision::v4) { // the data of the error instead of its message
            made.data = p.data;
        } else {
            made.message = p.data.find("message").value_or(json::text());
            made.data = p.data.find("data").value_or(json::text());
        }
    }

    // The server does not let the socket in.
    void refuse(socket& s) {
        s.wanted = false;
        s.state = socket_state::idle;
        s.drop_early(early_size_);
    }

    // The application left before the server let the socket in; it may have asked for the socket again since.
    void has_left(socket& s) {
        s.state = socket_state::idle;
        if (s.wanted) begin_connect(s);
    }

    static void take_event(std::optional<event>& e, socket& s, packet const& p,
                           std::span<byte_view const> attachments) {
        if (!s.pid.empty() && !p.id) s.note_offset(arguments(p, attachments));
        event& made = e.emplace(event_type::event, s.handle(), s.name(), p, attachments);
        if (p.id) made.ack = ack_request(made.socket, *p.id, s.connection);
    }

    void keep_early(socket& s, packet const& p, std::span<byte_view const> attachments) {
        auto copy = stored_packet::copy_of(p, attachments);
        std::size_t const size = copy.size();
        s.early.push(std::move(copy));
        early_size_ += size;
        if (early_size_ > out_.options.max_early) end(disconnect_reason::queue_overflow);
    }

    client_outbox out_;
    bool due_ = false; // `step` may have something to do: set by all that gives it something
    disconnect_reason reason_{};
    std::optional<disconnect_reason> lost_; // the connection, while the inbox holds messages that came before
    bool is_open_ = false;
    bool closed_due_ = false; // the event
    bool close_due_ = false;  // the transmit
    root_state root_ = root_state::awaited;
    bool root_due_ = false; // the server has joined "/", and its socket does not know
    // How many sockets are ending, have a question to ask, have early events to deliver.
    std::size_t ending_ = 0;
    std::size_t asking_ = 0;
    std::size_t early_ = 0;
    std::size_t early_size_ = 0;
    std::vector<std::unique_ptr<socket>> sockets_; // events borrow from them: they stay where they are
    inbox inbox_;
    stored_packet current_; // the early event that was delivered last, if the application may still borrow it
    bool is_current_ = false;
    attachment_list current_attachments_;
};

} // namespace socketless::inline v0::socketio::detail

#include <socketless/core/detail/epilogue.hpp>

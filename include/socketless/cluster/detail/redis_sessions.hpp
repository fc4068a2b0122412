// Sessions of lost sockets, kept in Redis: a client has its state again on whatever server it comes back to, and misses
// nothing. As @socket.io/redis-streams-adapter 0.3.1 does it.
#pragma once

#include <socketless/cluster/detail/message.hpp>
#include <socketless/cluster/detail/node_core.hpp>
#include <socketless/cluster/detail/redis_bus.hpp>
#include <socketless/cluster/detail/redis_channels.hpp>
#include <socketless/cluster/detail/stored_session.hpp>
#include <socketless/cluster/detail/stream_entry.hpp>
#include <socketless/cluster/redis_command.hpp>
#include <socketless/cluster/redis_options.hpp>
#include <socketless/core/detail/digits.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/core/result.hpp>
#include <socketless/core/time.hpp>
#include <socketless/detail/recovery_elsewhere.hpp>
#include <socketless/engineio/outbox.hpp>
#include <socketless/json/detail/values.hpp>
#include <socketless/server.hpp>
#include <socketless/socketio/recovery.hpp>
#include <socketless/socketio/session.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::cluster::detail {

// What a client has missed is in the stream: from the entry behind its offset to the last one that this node has read.
// All later ones reach its socket as they are read. Redis tells what the stream holds at one moment; the reader may be
// ahead of that, or behind. So what the reader brings while a client waits is kept too.
//
//     a client claims a session -> GETDEL of its key                        -- nothing there -->  a new session
//                                  XRANGE from its offset on, page by page  -- not there -->  a new session
//                                  ... up to where the reader was  -->  it is let in
class redis_sessions : public redis_bus, private socketless::detail::recovery_elsewhere {
public:
    redis_sessions(redis_sessions const&) = delete;
    redis_sessions& operator=(redis_sessions const&) = delete;
    ~redis_sessions() override {
        if (recovers_) core().here().keep_elsewhere(nullptr);
    }

protected:
    redis_sessions(redis_layout const& layout, redis_options const& options)
        : redis_bus(layout, options), stream_(options.stream_name), key_prefix_(options.session_prefix) {}

    // The core is known. From now on the server keeps no sessions of its own.
    void begin_sessions() {
        auto const& options = core().here().options().recovery;
        if (!options) return;
        recovers_ = true;
        lifetime_ = std::string(core_detail::decimal_text(options->max_disconnection_duration.count()).view());
        core().here().keep_elsewhere(this);
    }

    [[nodiscard]] socketless::detail::server_emitter& sockets() const noexcept { return core().here().emitter(); }
    [[nodiscard]] std::string const& stream() const noexcept { return stream_; }
    // Whether clients have their state again.
    [[nodiscard]] bool recovers() const noexcept { return recovers_; }
    // Whether all entries that are added now will be read.
    [[nodiscard]] bool is_complete() const noexcept { return is_up() && is_ready(); }
    // The last entry that was read.
    [[nodiscard]] stream_id last_read() const noexcept { return position_; }
    void set_position(stream_id id) noexcept { position_ = id; }

    // What this node adds, and what it has acted upon, it tells apart by generations: see redis_streams.
    [[nodiscard]] std::uint64_t generation() const noexcept { return generation_; }
    void begin_generation() {
        forget_answered(); // who was let in before knows that from now on
        ++generation_;
    }

    // The next entry is read. It has yet to be delivered.
    void note_read(stream_id id, stream_fields const& fields) {
        position_ = id;
        if ((paging_ == 0 && waiting_.empty()) || !is_event(fields)) return;
        if (paging_ != 0) keep_recent(id, fields);
        forget_answered();
        std::optional<bool> is_readable; // thousands of clients may wait: it is read once
        for (waiting& w : waiting_) {
            if (fields.nsp != w.nsp) continue;
            if (!is_readable) is_readable = read_event(fields.nsp, fields.data);
            if (!*is_readable) return;
            if (is_for(event_, w.rooms)) add_missed(w, id);
        }
    }
    // It was delivered.
    void note_delivered() {
        for (std::size_t i = held_.size(); i != 0; --i) {
            auto const r = std::move(held_.front());
            held_.pop_front();
            r->known > position_ ? held_.push_back(r) : let_in(*r);
        }
    }
    // An event of this node that was acted upon before it is read. Whoever came since then has missed it.
    void note_former(stream_id id, stream_fields const& fields, std::uint64_t generation) {
        if (returned_.empty() || !is_event(fields) || !read_event(fields.nsp, fields.data)) return;
        server const& io = core().here().io();
        std::vector<std::string> missing;
        for (returned const& r : returned_) {
            if (r.generation <= generation || r.nsp != fields.nsp || !io.is_connected(r.socket)) continue;
            std::string const sid(io.sid(r.socket));
            std::vector<std::string> rooms{sid};
            for (auto const room : io.rooms_of(r.socket)) rooms.emplace_back(room);
            std::ranges::sort(rooms);
            if (is_for(event_, rooms)) missing.push_back(sid);
        }
        if (missing.empty()) return;
        event_.rooms = std::move(missing);
        event_.except.clear();
        event_.offset = id.text();
        core().came_back(event_);
    }
    // All former entries have been read.
    void note_current() noexcept { returned_.clear(); }

    void note_sockets_changed() override {
        forget_answered();
        if (returned_.size() < many_returned_) return;
        std::erase_if(returned_, [this](returned const& r) { return sockets().sid_of(r.socket).empty(); });
        many_returned_ = std::max(many_returned_, 2 * returned_.size());
    }

    // What was emitted is not where sessions are found: nobody gets one that misses it.
    void refuse_sessions() {
        for (restoring_ptr const& r : order_) r->is_refused = true;
        for (waiting const& w : waiting_)
            if (sockets().awaits_answer(w.socket)) sockets().forget_restored(w.socket);
    }
    // Redis is lost: nobody finds a session.
    void give_up_sessions() {
        refuse_sessions();
        awaited_.clear();
        held_.clear();
        for (; !order_.empty(); order_.pop_front()) end(*order_.front(), nullptr);
    }

    void take_session_reply(std::uint64_t token, redis_reply const& reply) {
        auto const found = awaited_.find(token);
        if (found == awaited_.end()) return;
        auto const r = std::move(found->second);
        awaited_.erase(found);
        if (r->session)
            take_page(*r, reply);
        else
            take_session(*r, reply);
        go_on(r);
    }

    void handle_session_timeouts(time_point now) {
        forget_answered();
        while (!order_.empty() && (order_.front()->is_ended || order_.front()->deadline <= now)) {
            auto const r = std::move(order_.front());
            order_.pop_front();
            put_back(*r); // also a session that is found later
        }
    }
    [[nodiscard]] std::optional<time_point> next_session_timeout() const noexcept {
        auto const next = order_.empty() ? std::nullopt : std::optional(order_.front()->deadline);
        return waiting_.empty() ? next : earlier(next, deadline(core().now(), std::chrono::seconds(1)));
    }

private:
    static constexpr std::size_t few = 64;
    static constexpr std::string_view page = "100"; // entries that Redis tells at once: more than one

    // A client that waits for its session.
    struct restoring {
        socketio::socket_handle socket;
        std::string nsp;
        std::string pid;
        stream_id known;   // of what the client has heard
        stream_id reached; // what Redis has told
        time_point deadline;
        stream_id asked_at = {}; // what was read when Redis was asked: the rest is kept as the reader brings it
        bool is_paging = false;  // Redis was asked
        bool is_whole = false;   // Redis has told all that the reader does not
        bool is_refused = false; // it gets a new session
        bool is_ended = false;   // it does not wait any more
        std::string value = {};  // of the key, until that is put back, or the session is given
        std::optional<stored_session> session = {};
        std::vector<std::pair<stream_id, socketless::detail::missed_packet>> missed = {};
        std::size_t size = 0; // bytes of these and of the value
    };
    using restoring_ptr = std::shared_ptr<restoring>;

    // An event that the reader has brought.
    struct recent_event {
        stream_id id;
        std::string nsp;
        std::string data;
    };

    // A client that has its session again if the application lets it in.
    struct waiting {
        socketio::socket_handle socket;
        std::string nsp;
        std::vector<std::string> rooms;
        std::string pid;
        std::string value;    // what Redis has kept
        std::size_t size = 0; // bytes of this, and of what it has missed
    };

    // A client that has its session again, as long as it may have missed former events of this node.
    struct returned {
        socketio::socket_handle socket;
        std::string nsp;
        std::uint64_t generation; // when it was let in
    };

    //=== what the server wants ===//

    [[nodiscard]] bool restore(socketio::socket_handle socket, std::string_view nsp, std::string_view pid,
                               std::string_view offset) override {
        auto const from = stream_id::read(offset);
        forget_ended();
        bool const is_full = awaited_.size() + held_.size() >= core().options().max_requests;
        if (!from || !is_complete() || is_full) return false;
        auto const r = std::make_shared<restoring>(
            restoring{.socket = socket,
                      .nsp = std::string(nsp),
                      .pid = std::string(pid),
                      .known = *from,
                      .reached = *from,
                      .deadline = deadline(core().now(), core().options().request_timeout)});
        order_.push_back(r);
        awaited_.emplace(push({"GETDEL", key_prefix_ + r->pid}), r);
        return true;
    }

    void persist(socketio::socket_handle socket, std::string_view, std::string_view pid,
                 std::string_view since) override {
        std::string value;
        if (encode_session(value, core().here().io(), socket, pid, since, core().options()) && !is_too_large(value))
            put(pid, std::move(value));
    }
    void forget_session(std::string_view pid) override { push_message({"DEL", key_prefix_ + std::string(pid)}); }
    [[nodiscard]] std::string position() const override {
        return is_ready() ? position_.text() : std::string(); // without a place in the stream, nothing can be missed
    }
    void put(std::string_view pid, std::string value) {
        push_message({"SET", key_prefix_ + std::string(pid), std::move(value), "PX", lifetime_});
    }

    result<void> emit(std::string_view nsp, std::string_view sid, std::string_view name,
                      json::detail::values const& args) override {
        return core().emit_to(nsp, sid, name, args);
    }

    //=== what Redis says ===//

    // The reply to GETDEL. A client that has had no event of its session yet may claim an older offset.
    void take_session(restoring& r, redis_reply const& reply) {
        bool const is_value = reply.type == redis_reply::kind::text && !is_too_large(reply.text);
        if (is_value && count(reply.text.size(), r.size)) r.value = reply.text;
        r.session = decode_session(r.value, r.pid, core().bounds(), core().options());
        if (!r.session) {
            r.is_refused = true;
            return;
        }
        if (r.session->nsp.empty()) return; // of a server of Node
        auto const since = stream_id::read(r.session->since);
        if (since)
            r.reached = r.known = std::max(r.known, *since);
        else
            r.is_refused = true;
    }

    // A page begins with the client's offset, or with the last entry of the page before: if that is there, nothing was
    // trimmed behind it.
    void take_page(restoring& r, redis_reply const& reply) {
        bool has_begun = false;
        bool has_new = false;
        for (redis_reply const& e : reply.elements) {
            auto const id = e.elements.size() == 2 ? stream_id::read(e.elements[0].text) : std::nullopt;
            if (!id) continue;
            has_begun = has_begun || *id == r.reached;
            if (*id <= r.reached) continue;
            has_new = true;
            r.reached = *id;
            auto const fields = stream_fields::of(e.elements[1]);
            if (is_event(fields) && fields.nsp == r.nsp) keep_missed(r, *id, fields.data);
        }
        if (!has_begun) r.is_refused = true;
        r.is_whole = !has_new || r.reached >= r.asked_at;
    }

    // A reply has come.
    void go_on(restoring_ptr const& r) {
        bool const is_elsewhere = r->session && !r->session->nsp.empty() && r->session->nsp != r->nsp;
        if (r->is_ended || is_elsewhere || !sockets().is_restoring(r->socket)) return put_back(*r);
        if (r->is_refused || !is_complete()) return end(*r, nullptr);
        if (r->is_whole && r->known <= position_) return let_in(*r);
        if (r->is_whole) return held_.push_back(r); // the reader has yet to bring what the client has heard of
        if (!r->is_paging) {
            r->asked_at = position_;
            r->is_paging = true;
            ++paging_;
        }
        awaited_.emplace(push({"XRANGE", stream_, r->reached.text(), "+", "COUNT", std::string(page)}), r);
    }

    // The client has gone, or comes to another namespace: it may come back once more.
    void put_back(restoring& r) {
        if (!r.value.empty()) put(r.pid, std::exchange(r.value, {}));
        end(r, nullptr);
    }

    void let_in(restoring& r) {
        if (r.is_ended || !sockets().is_restoring(r.socket)) return put_back(r);
        std::erase_if(r.missed, [this](auto const& m) { return m.first > position_; }); // the reader will bring it
        for (recent_event const& e : recent_)
            if (e.id > r.reached && e.nsp == r.nsp) keep_missed(r, e.id, e.data);
        if (r.is_refused) return end(r, nullptr);
        auto found = std::make_unique<socketless::detail::restored_elsewhere>();
        for (auto& [id, packet] : r.missed) found->missed.push_back(std::move(packet));
        waiting w{r.socket, r.nsp, r.session->session.rooms, r.pid, std::move(r.value)};
        found->is_of_namespace = !r.session->nsp.empty();
        found->session = std::move(r.session->session);
        std::size_t const size = r.size;
        end(r, std::move(found));
        if (!sockets().awaits_answer(w.socket)) return note_returned(w);
        static_cast<void>(count(size, w.size)); // there is room: `end` has just made it
        waiting_.push_back(std::move(w));
    }
    void note_returned(waiting const& w) {
        if (sockets().was_let_in(w.socket)) returned_.push_back({w.socket, w.nsp, generation_});
    }

    // Nothing was found, or all.
    void end(restoring& r, std::unique_ptr<socketless::detail::restored_elsewhere> found) {
        r.missed = {};
        r.value = {};
        release(r.size);
        if (std::exchange(r.is_paging, false) && --paging_ == 0) forget_recent();
        bool const waits = !std::exchange(r.is_ended, true) && sockets().is_restoring(r.socket);
        if (r.session) r.session->session = {};
        if (waits) sockets().end_restoring(r.socket, std::move(found));
    }

    //=== what was missed ===//

    static constexpr std::string_view type_of_events = "3"; // message_type::broadcast
    [[nodiscard]] static bool is_event(stream_fields const& fields) noexcept { return fields.type == type_of_events; }

    // Those that do not wait any more, behind one that does: there are no more of them than of those that do, or few.
    void forget_ended() {
        if (order_.size() < many_restoring_) return;
        std::erase_if(order_, [](restoring_ptr const& r) { return r->is_ended; });
        many_restoring_ = std::max(few, 2 * order_.size());
    }

    // Reads an event that may be missed into event_.
    [[nodiscard]] bool read_event(std::string_view nsp, std::string_view data) {
        stream_fields const fields{"?", nsp, type_of_events, data};
        return decode(fields, buffer_, event_, core().bounds(), core().options().max_rooms) && !event_.is_volatile &&
               event_.request_id.empty();
    }

    // The packet of the event that was read, with its offset.
    [[nodiscard]] socketless::detail::missed_packet packet_of_event(stream_id id) const {
        socketless::detail::missed_packet packet{event_.text, {}};
        packet.text.pop_back(); // the bracket at the end
        packet.text.append(",\"").append(id.text()).append("\"]");
        for (byte_view const a : event_.attachments)
            packet.attachments.emplace_back(frame{frame_kind::binary, as_characters(a)});
        return packet;
    }
    // With what is around it.
    [[nodiscard]] static std::size_t size_of(socketless::detail::missed_packet const& packet) noexcept {
        return packet.size() + sizeof packet + packet.attachments.size() * sizeof(engineio::shared_message);
    }

    // Counts bytes that are kept for clients, in all and in one of the sums that these are of. False if they are too
    // many: then they are not kept.
    [[nodiscard]] bool count(std::size_t bytes, std::size_t& sum) noexcept {
        if (bytes > core().options().max_queued - size_) return false;
        size_ += bytes;
        sum += bytes;
        return true;
    }
    void release(std::size_t& sum) noexcept { size_ -= std::exchange(sum, 0); }

    void keep_missed(restoring& r, stream_id id, std::string_view data) {
        if (r.is_refused || !r.session) return;
        if (!read_event(r.nsp, data) || !is_for(event_, r.session->session.rooms)) return;
        auto packet = packet_of_event(id);
        if (!count(size_of(packet), r.size)) {
            r.is_refused = true;
            return;
        }
        r.missed.emplace_back(id, std::move(packet));
    }

    void keep_recent(stream_id id, stream_fields const& fields) {
        recent_event e{id, std::string(fields.nsp), std::string(fields.data)};
        if (!count(sizeof e + e.nsp.size() + e.data.size(), size_of_recent_)) {
            for (restoring_ptr const& r : order_) r->is_refused = r->is_refused || r->is_paging;
            return forget_recent();
        }
        recent_.push_back(std::move(e));
    }
    void forget_recent() noexcept {
        release(size_of_recent_);
        recent_.clear();
    }

    // The event that was read.
    void add_missed(waiting& w, stream_id id) {
        auto packet = packet_of_event(id);
        if (!count(size_of(packet), w.size)) return sockets().forget_restored(w.socket);
        sockets().add_missed(w.socket, std::move(packet));
    }

    // Clients that the application has let in, or not: those may come back once more.
    void forget_answered() {
        for (waiting& w : waiting_) {
            if (sockets().awaits_answer(w.socket)) continue;
            release(w.size);
            note_returned(w);
            std::string value = std::exchange(w.value, {});
            if (!sockets().was_let_in(w.socket) && !value.empty()) put(w.pid, std::move(value));
        }
        std::erase_if(waiting_, [this](waiting const& w) { return !sockets().awaits_answer(w.socket); });
    }

    std::string stream_;
    std::string key_prefix_;
    std::string lifetime_; // of a session, in milliseconds
    bool recovers_ = false;
    stream_id position_;
    std::unordered_map<std::uint64_t, restoring_ptr> awaited_; // by the tokens of the replies that are due
    std::deque<restoring_ptr> order_;  // all of them, by their deadlines, and some that have ended
    std::size_t many_restoring_ = few; // so many that it is worth to look who has ended
    std::deque<restoring_ptr> held_;   // the reader is behind them
    std::size_t paging_ = 0;           // how many read the stream
    std::vector<recent_event> recent_; // as long as there are any
    std::vector<waiting> waiting_;
    std::vector<returned> returned_;
    std::size_t many_returned_ = few; // so many that it is worth to look who has gone
    std::uint64_t generation_ = 0;
    std::size_t size_ = 0; // bytes that are kept for clients
    std::size_t size_of_recent_ = 0;
    message event_;
    std::string buffer_;
};

} // namespace socketless::inline v0::cluster::detail

#include <socketless/core/detail/epilogue.hpp>

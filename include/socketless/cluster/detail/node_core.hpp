// What all nodes share: emitting, requests and their answers, events. The bus carries the messages.
#pragma once

#include <socketless/cluster/audience.hpp>
#include <socketless/cluster/detail/bus.hpp>
#include <socketless/cluster/detail/event_queue.hpp>
#include <socketless/cluster/detail/left_namespaces.hpp>
#include <socketless/cluster/detail/local_sockets.hpp>
#include <socketless/cluster/detail/message.hpp>
#include <socketless/cluster/detail/payload.hpp>
#include <socketless/cluster/detail/requests.hpp>
#include <socketless/cluster/event.hpp>
#include <socketless/cluster/options.hpp>
#include <socketless/core/detail/rollback.hpp>
#include <socketless/core/limits.hpp>
#include <socketless/core/random.hpp>
#include <socketless/core/result.hpp>
#include <socketless/core/time.hpp>
#include <socketless/json/detail/values.hpp>
#include <socketless/server.hpp>
#include <socketless/socketio/arguments.hpp>
#include <socketless/socketio/message_queue.hpp>
#include <socketless/socketio/session.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::cluster::detail {

// What a node emits goes through the same functions as what others have emitted: an event is encoded once, published,
// and delivered here as if it had come.
class node_core {
public:
    node_core(server& io, node_options options, random_source const& random, time_point now,
              std::unique_ptr<detail::bus> b)
        : server_(&io), here_(io), options_(std::move(options)), uid_(to_hex(number_from(random))),
          requests_(number_from(random)), bus_(std::move(b)) {
        advance(now);
        bus_->begin(*this);
    }
    node_core(node_core const&) = delete;
    node_core& operator=(node_core const&) = delete;
    ~node_core() = default;

    // The bus that it was made with.
    [[nodiscard]] detail::bus& bus() const noexcept { return *bus_; }

    //=== for the bus ===//

    [[nodiscard]] std::string const& uid() const noexcept { return uid_; }
    [[nodiscard]] node_options const& options() const noexcept { return options_; }
    [[nodiscard]] limits const& bounds() const noexcept { return server_->options().sockets.limits; }
    // The server and its node hear of different things: the time is that of whoever has heard last.
    [[nodiscard]] time_point now() const noexcept { return here_.now(); }
    void advance(time_point now) noexcept { here_.advance(now); }
    // Whether a socket of this node is in the room of the namespace, or in the namespace.
    [[nodiscard]] bool has_room(std::string_view nsp, std::string_view room) const {
        return here_.has_room(nsp, room) || here_.keeps_sessions(nsp);
    }
    // Lost sockets that may come back count in both.
    [[nodiscard]] bool has_sockets(std::string_view nsp) const {
        return here_.has_sockets(nsp) || here_.keeps_sessions(nsp);
    }
    [[nodiscard]] local_sockets& here() noexcept { return here_; }
    // Whether a request of this node with this id waits.
    [[nodiscard]] bool awaits(std::string_view request_id) const noexcept {
        return requests_.number_of(request_id) != 0;
    }

    // A message of another node, or of an emitter, that could be read. Its type is that of no heartbeat.
    void received(message const& m) {
        if (acts_on(m))
            ++counts_.received;
        else
            note_ignored();
    }
    // One of this node's own.
    void came_back(message const& m) { static_cast<void>(acts_on(m)); }
    void note_ignored() noexcept { ++counts_.ignored; }
    void note_received() noexcept { ++counts_.received; }
    void note_sent() noexcept { ++counts_.sent; }
    // So many messages that the bus cannot take. The application gets one event of all since the last.
    void note_dropped(std::size_t count) noexcept {
        counts_.dropped += count;
        untold_drops_ += count;
    }

    // So many other nodes will answer a request; or these, where the bus knows them.
    void note_expected(std::string_view request_id, std::size_t nodes) {
        auto const number = requests_.number_of(request_id);
        if (number == 0) return;
        requests_.find(number)->nodes = nodes;
        end_if_complete(number);
    }
    void note_expected(std::string_view request_id, std::vector<std::string> const& nodes) {
        auto const number = requests_.number_of(request_id);
        if (number == 0) return;
        request& r = *requests_.find(number);
        r.is_by_name = true;
        for (auto const& node : nodes) r.respondents.push_back({.node = node});
        r.nodes = nodes.size();
        end_if_complete(number);
    }
    // Nodes, and the bus itself, come and go.
    void note_joined(std::string_view node) { tell({.type = event_type::node_joined, .node = std::string(node)}); }
    void note_left(std::string_view node) {
        for (std::uint64_t const number : requests_.note_left(node)) end(number);
        tell({.type = event_type::node_left, .node = std::string(node)});
    }
    void note_connected() { tell({.type = event_type::bus_connected}); }
    void note_lost() { tell({.type = event_type::bus_lost}); }

    //=== what the application wants ===//

    result<void> emit(audience const& whom, bool is_volatile, std::string_view name, json::detail::values const& args) {
        if (bus_->is_alone())
            return here_.emit(whom.nsp_, whom.to_, whom.except_, whom.except_sockets_, is_volatile, name, args);
        message m = message_to(message_type::broadcast, whom);
        m.is_volatile = is_volatile;
        if (auto const made = make_event(m, name, args); !made) return made;
        return publish_and_act(m);
    }

    // To one room: that of a socket.
    result<void> emit_to(std::string_view nsp, std::string_view room, std::string_view name,
                         json::detail::values const& args) {
        message m = message_in(message_type::broadcast, nsp);
        m.rooms.emplace_back(room);
        if (auto const made = make_event(m, name, args); !made) return made;
        return publish_and_act(m);
    }

    result<std::uint64_t> emit_with_ack(audience const& whom, std::optional<milliseconds> timeout,
                                        std::string_view name, json::detail::values const& args) {
        message m = message_to(message_type::broadcast, whom);
        m.timeout = bounded(timeout);
        if (auto const made = make_event(m, name, args); !made) return made.error();
        auto const number = begin_request(m, {.kind = request_kind::acks, .is_done_here = false});
        if (!number) return number;
        core_detail::rollback undo([&]() noexcept { give_up(*number, m.request_id); });
        if (auto const published = bus_->ask(m, true); !published) return published.error();
        auto const asked = here_.ask(m, *m.timeout);
        if (!asked) return asked.error();
        local_acks_.emplace(*asked, *number);
        requests_.find(*number)->add_expected(here_.acks_due(*asked));
        undo.commit();
        return number;
    }

    result<std::uint64_t> fetch_sockets(audience const& whom, std::optional<milliseconds> timeout) {
        message m = message_to(message_type::fetch_sockets, whom);
        m.timeout = bounded(timeout);
        auto const number = begin_request(m, {.kind = request_kind::sockets, .is_done_here = false});
        if (!number) return number;
        core_detail::rollback undo([&]() noexcept { give_up(*number, m.request_id); });
        if (auto const asked = bus_->ask(m, false); !asked) return asked.error();
        message own;
        if (auto const made = here_.describe(own, m, options_); !made) return made.error();
        undo.commit();
        request* const r = requests_.find(*number);
        if (r == nullptr) return number; // a callback of the application's has let its time run out
        kept_event e{.type = event_type::sockets, .id = *number, .nsp = m.nsp, .node = uid_};
        e.keep(own.value());
        tell(std::move(e));
        r->is_done_here = true;
        end_if_complete(*number);
        return number;
    }

    result<void> join(audience const& whom, std::string_view room) {
        return change(message_type::sockets_join, whom, room);
    }
    result<void> leave(audience const& whom, std::string_view room) {
        return change(message_type::sockets_leave, whom, room);
    }
    result<void> disconnect(audience const& whom, bool closes) {
        message m = message_to(message_type::disconnect_sockets, whom);
        m.closes = closes;
        return publish_and_act(m);
    }

    result<void> server_side_emit(std::string_view nsp, std::string_view name, json::detail::values const& args) {
        if (bus_->is_alone()) return {};
        message m = message_in(message_type::server_side_emit, nsp);
        if (auto const made = make_server_side_event(m, name, args); !made) return made;
        auto const published = bus_->publish(m);
        return published ? result<void>() : published.error();
    }
    result<std::uint64_t> server_side_emit_with_ack(std::string_view nsp, std::optional<milliseconds> timeout,
                                                    std::string_view name, json::detail::values const& args) {
        message m = message_in(message_type::server_side_emit, nsp);
        m.timeout = bounded(timeout);
        if (auto const made = make_server_side_event(m, name, args); !made) return made.error();
        auto const number = begin_request(m, {.kind = request_kind::replies});
        if (!number) return number;
        core_detail::rollback undo([&]() noexcept { give_up(*number, m.request_id); });
        if (auto const asked = bus_->ask(m, false); !asked) return asked.error();
        undo.commit();
        return number;
    }
    result<void> reply(reply_request& r, json::detail::values const& value) {
        if (!r) return error{errc::already_acknowledged};
        message m = message_in(message_type::server_side_emit_response, r.nsp());
        m.request_id = r.id();
        auto const write = [&](json::writer& out) { out.value(value); };
        if (auto const made = make_value(m, bounds(), write); !made) return made;
        if (auto const sent = bus_->respond(r.node(), m); !sent) return sent;
        r.clear();
        return {};
    }

    result<std::uint64_t> count_nodes(std::string_view nsp, std::optional<milliseconds> timeout) {
        message m = message_in(message_type::heartbeat, nsp); // which is not sent
        m.timeout = bounded(timeout);
        auto const number = begin_request(m, {.kind = request_kind::count});
        if (!number) return number;
        core_detail::rollback undo([&]() noexcept { give_up(*number, m.request_id); });
        bus_->count_others(m);
        undo.commit();
        return number;
    }

    //=== what happened ===//

    // An event of the server. Returns whether it was for the node only.
    [[nodiscard]] bool handle(socketio::event const& e) {
        tell_empty_namespaces();
        if (e.type == socketio::event_type::connected || e.type == socketio::event_type::disconnected)
            bus_->note_sockets_changed();
        switch (e.type) {
        case socketio::event_type::ack: return take_ack(e);
        case socketio::event_type::acks_complete: return take_end_of_acks(e.id);
        case socketio::event_type::connected: return bus_->note_namespace(e.nsp), false;
        case socketio::event_type::disconnected:
            if (bus_->follows_namespaces()) left_.note_left(e.nsp);
            return false;
        default: return false;
        }
    }

    void handle_timeout(time_point now) {
        advance(now);
        tell_empty_namespaces();
        while (std::uint64_t const number = requests_.find_due(this->now())) end(number);
        bus_->handle_timeout(this->now());
    }

    //=== what it means, when to come back ===//

    [[nodiscard]] std::optional<event> poll_event() {
        if (untold_drops_ != 0) tell({.type = event_type::dropped, .answers = std::exchange(untold_drops_, 0)});
        return events_.poll();
    }
    [[nodiscard]] std::optional<time_point> poll_timeout() const noexcept {
        return earlier(left_.next_look(now()), earlier(requests_.next_deadline(), bus_->poll_timeout()));
    }

    [[nodiscard]] statistics const& counts() const noexcept { return counts_; }
    [[nodiscard]] std::size_t request_count() const noexcept { return requests_.size() + foreign_acks_.size(); }

private:
    void tell(kept_event e) { events_.push(std::move(e)); }

    [[nodiscard]] milliseconds bounded(std::optional<milliseconds> timeout) const noexcept {
        return std::max(milliseconds(0), std::min(timeout.value_or(options_.request_timeout), options_.max_timeout));
    }

    //=== making messages ===//

    [[nodiscard]] message message_in(message_type type, std::string_view nsp) const {
        message m;
        m.type = type;
        m.uid = uid_;
        m.nsp = nsp;
        return m;
    }
    [[nodiscard]] message message_to(message_type type, audience const& whom) const {
        message m = message_in(type, whom.nsp_);
        for (auto const room : whom.to_) add_room(m.rooms, room);
        for (auto const room : whom.except_) add_room(m.except, room);
        for (auto const socket : whom.except_sockets_)
            if (auto const sid = here_.sid_of(socket); !sid.empty()) add_room(m.except, sid);
        return m;
    }

    result<void> make_event(message& m, std::string_view name, json::detail::values const& args) const {
        if (auto const made = make_packet(m, bounds(), socketio::detail::array_of(name, args)); !made) return made;
        std::size_t const max_size = server_->options().sockets.max_queued;
        bool const is_large = socketio::message_queue::is_too_large(m.text.size(), m.attachments, max_size);
        return is_large ? result<void>(error{errc::message_too_large}) : result<void>();
    }
    result<void> make_server_side_event(message& m, std::string_view name, json::detail::values const& args) const {
        return make_value(m, bounds(), socketio::detail::array_of(name, args));
    }

    //=== acting here ===//

    result<void> change(message_type type, audience const& whom, std::string_view room) {
        message m = message_to(type, whom);
        m.others.emplace_back(room);
        return publish_and_act(m);
    }
    result<void> publish_and_act(message const& m) {
        auto const comes_back = bus_->is_alone() ? result<bool>(false) : bus_->publish(m);
        if (!comes_back) return comes_back.error();
        if (!*comes_back) came_back(m);
        return {};
    }

    // False if the message means nothing here.
    [[nodiscard]] bool acts_on(message const& m) {
        switch (m.type) {
        case message_type::broadcast: return m.request_id.empty() ? (here_.deliver(m), true) : ask_clients(m);
        case message_type::sockets_join: return here_.join(m), true;
        case message_type::sockets_leave: return here_.leave(m), true;
        case message_type::disconnect_sockets: return here_.disconnect(m), true;
        case message_type::fetch_sockets: return send_sockets(m);
        case message_type::server_side_emit: return take_server_side_event(m);
        case message_type::fetch_sockets_response:
        case message_type::server_side_emit_response:
        case message_type::broadcast_client_count:
        case message_type::broadcast_ack: return take_answer(m);
        default: return false;
        }
    }

    // Another node wants acknowledgements of the sockets here.
    [[nodiscard]] bool ask_clients(message const& m) {
        if (foreign_acks_.size() >= options_.max_requests) return false;
        auto const asked = here_.ask(m, bounded(m.timeout));
        if (!asked) return false;
        message answer = message_in(message_type::broadcast_client_count, m.nsp);
        answer.request_id = m.request_id;
        answer.count = here_.acks_due(*asked);
        foreign_acks_.emplace(*asked,
                              reply_request(m.uid, m.nsp, m.request_id)); // the server will say when they have ended
        bus_->respond(m.uid, answer).ignore();
        return true;
    }

    [[nodiscard]] bool send_sockets(message const& m) {
        message answer = message_in(message_type::fetch_sockets_response, m.nsp);
        answer.request_id = m.request_id;
        // Callbacks of the application's may bring the next message.
        message const question = m; // NOLINT(performance-unnecessary-copy-initialization)
        for (auto const with : {handshakes::whole, handshakes::empty}) { // clients send as much as they like
            if (!here_.describe(answer, question, options_, with)) return false;
            auto const sent = bus_->respond(question.uid, answer);
            if (sent || sent.error().code != errc::message_too_large) return sent.has_value();
        }
        return false;
    }

    [[nodiscard]] bool take_server_side_event(message const& m) {
        if (events_.is_full(options_.max_events)) return false;
        kept_event e{.type = event_type::server_side_event, .nsp = m.nsp, .node = m.uid};
        if (!m.request_id.empty()) e.reply = reply_request(m.uid, m.nsp, m.request_id);
        e.keep(m.value());
        tell(std::move(e));
        return true;
    }

    //=== requests ===//

    // Gives the message the id of a new request.
    result<std::uint64_t> begin_request(message& m, request r) {
        if (requests_.size() >= options_.max_requests) return error{errc::too_many_requests};
        r.deadline = deadline(now(), *m.timeout);
        r.nsp = m.nsp;
        std::uint64_t const number = requests_.add(std::move(r));
        m.request_id = requests_.wire_id(number);
        return number;
    }

    void give_up(std::uint64_t number, std::string_view request_id) noexcept {
        bus_->forget(request_id);
        requests_.erase(number);
    }

    void end_if_complete(std::uint64_t number) {
        if (requests_.find(number)->is_complete()) end(number);
    }
    void end(std::uint64_t number) {
        request const& r = *requests_.find(number);
        kept_event e{.type = event_type::complete, .id = number, .nsp = r.nsp};
        e.expected = r.kind == request_kind::acks ? r.expected : r.nodes.value_or(0);
        e.answers = r.answers;
        e.is_whole = r.is_whole();
        auto const request_id = requests_.wire_id(number);
        tell(std::move(e));
        give_up(number, request_id);
    }

    // Another node has answered a request.
    [[nodiscard]] bool take_answer(message const& m) {
        auto const number = requests_.number_of(m.request_id);
        if (number == 0) return false;
        request& r = *requests_.find(number);
        using enum message_type;
        if (!r.awaits(m.type) || events_.is_full(options_.max_events)) return false;
        if (m.type == broadcast_client_count) {
            if (!r.note_spoken(m.uid, m.count)) return false;
            r.add_expected(m.count);
            end_if_complete(number);
            return true;
        }
        bool const counts = m.type == broadcast_ack ? r.note_ack(m.uid) : r.note_spoken(m.uid, 0);
        if (!counts) return false;
        ++r.answers;
        kept_event e{.type = event_type::sockets, .id = number, .nsp = m.nsp, .node = m.uid};
        if (m.type == broadcast_ack) e.type = event_type::ack;
        if (m.type == server_side_emit_response) e.type = event_type::reply;
        e.keep(m.value());
        tell(std::move(e));
        end_if_complete(number);
        return true;
    }

    //=== acknowledgements of this node's sockets ===//

    // The first argument: more cannot be said to other nodes.
    [[nodiscard]] static socketio::argument first_of(socketio::arguments const& args) noexcept {
        return args.empty() ? socketio::argument() : *args.begin();
    }

    [[nodiscard]] bool take_ack(socketio::event const& e) {
        bool const is_answer = e.outcome == socketio::ack_outcome::answered;
        if (auto const asked = foreign_acks_.find(e.id); asked != foreign_acks_.end()) {
            if (is_answer) send_ack(asked->second, e);
            return true;
        }
        auto const own = local_acks_.find(e.id);
        if (own == local_acks_.end()) return false;
        request* const r = requests_.find(own->second); // null if its time has run out
        if (r == nullptr || !is_answer) return true;
        ++r->answers;
        kept_event told{.type = event_type::ack, .id = own->second, .nsp = std::string(e.nsp), .node = uid_};
        told.keep(first_of(e.args()));
        tell(std::move(told));
        return true;
    }
    void send_ack(reply_request const& to, socketio::event const& e) {
        message m = message_in(message_type::broadcast_ack, to.nsp());
        m.request_id = to.id();
        socketio::argument const answer = first_of(e.args());
        if (!answer.json().empty() && !make_value(m, bounds(), [&](json::writer& out) { out.value(answer); })) return;
        bus_->respond(to.node(), m).ignore();
    }

    [[nodiscard]] bool take_end_of_acks(std::uint64_t local_id) {
        if (foreign_acks_.erase(local_id) != 0) return true;
        auto const own = local_acks_.extract(local_id);
        if (own.empty()) return false;
        if (request* const r = requests_.find(own.mapped())) {
            r->is_done_here = true;
            end_if_complete(own.mapped());
        }
        return true;
    }

    void tell_empty_namespaces() {
        left_.look(now(), [this](std::string const& nsp) {
            if (here_.has_sockets(nsp)) return true;
            if (here_.keeps_sessions(nsp)) return false;
            bus_->note_empty_namespace(nsp);
            return true;
        });
    }

    server* server_;
    local_sockets here_;
    node_options options_;
    std::string uid_;
    requests requests_;
    // The acknowledgements that the server awaits, by its ids: for requests of this node, and for those of others.
    std::unordered_map<std::uint64_t, std::uint64_t> local_acks_;
    std::unordered_map<std::uint64_t, reply_request> foreign_acks_;
    left_namespaces left_; // if the bus follows namespaces
    event_queue events_;
    statistics counts_;
    std::uint64_t untold_drops_ = 0;
    std::unique_ptr<detail::bus> bus_; // the last member: it may use all others
};

} // namespace socketless::inline v0::cluster::detail

#include <socketless/core/detail/epilogue.hpp>

// Socket.IO sessions and whole servers: whatever peers send and applications do, each socket that is connected is
// disconnected once, each acknowledgement has one outcome, nothing follows the end, and no queue passes its limit. An
// I/O layer hands in one input at a time or several, and loses no event by that; user code throws; a socket that is
// recovered has what it had, where it had it.
// The first byte of the input chooses what is driven and how, the rest is a program for it: see `program`.

#include "input.hpp"

#include <socketless/json/writer.hpp>
#include <socketless/socketless.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace socketless;
using fuzz::check;
using socketio::disconnect_reason;
using socketio::event_type;
using socketio::socket_handle;

constexpr std::byte some_bytes[] = {std::byte{1}, std::byte{2}};
constexpr std::string_view namespaces[] = {"/", "/admin", "/dynamic", "/b?q=1", "/d2", "/d3"};
constexpr disconnect_reason losses[] = {disconnect_reason::transport_close, disconnect_reason::ping_timeout,
                                        disconnect_reason::parse_error};

// Steps are bytes: which one, and what it takes. A text is its length and its characters. An application that is tame
// lets everybody in and acknowledges everything; one that is wild takes a byte for each event that says whether to act.
class program {
public:
    explicit program(fuzz::input in) noexcept : in_(in) {}

    [[nodiscard]] bool is_over() const noexcept { return in_.rest().empty(); }
    [[nodiscard]] std::uint8_t byte() noexcept { return in_.take(); }
    [[nodiscard]] bool flag() noexcept { return (byte() & 1u) != 0; }
    [[nodiscard]] std::string text() { return std::string(in_.take(in_.take())); }

    // One of these; nothing if there are none.
    template <class All>
    [[nodiscard]] auto const* pick(All const& all) noexcept {
        auto const n = byte();
        return std::size(all) == 0 ? nullptr : &all[n % std::size(all)];
    }
    // No timeout, or a short one.
    [[nodiscard]] std::optional<milliseconds> timeout() noexcept {
        auto const n = byte();
        return n == 0 ? std::nullopt : std::optional(milliseconds(n * 10));
    }

private:
    fuzz::input in_;
};

constexpr std::uint8_t wild = 8; // of the options
constexpr std::uint8_t batching = 16;

// Code of the application's own that fails.
struct failure {};

struct unwritable {
    friend void write_json(json::writer& out, unwritable const&) {
        out.begin_array().string("half");
        throw failure();
    }
};

// Whether the call came to its end.
template <class Call>
bool survives(Call call) {
    try {
        call();
        return true;
    } catch (failure const&) {
        return false;
    }
}

using key = std::pair<std::uint32_t, std::uint32_t>;

key key_of(socket_handle s) {
    return {s.index, s.generation};
}

// Handles and requests that the application has ever got, old ones included.
struct memory {
    std::vector<socket_handle> sockets;
    std::vector<socketio::ack_request> requests;

    void note(socketio::event& e) {
        if (e.type == event_type::connecting || e.type == event_type::connected) sockets.push_back(e.socket);
        if (e.ack) requests.push_back(std::move(e.ack));
    }
    [[nodiscard]] socket_handle socket(program& p) const {
        auto const* const s = p.pick(sockets);
        return s == nullptr ? socket_handle() : *s;
    }
    [[nodiscard]] socketio::ack_request* request(program& p) {
        return const_cast<socketio::ack_request*>(p.pick(requests));
    }
};

//=== socketio::server_session ===//

class server_session_run {
public:
    server_session_run(program& p, std::uint8_t options)
        : p_(p), is_wild_((options & wild) != 0), options_(options_from(options)) {
        auto const r = (options & 1u) == 0 ? socketio::revision::v5 : socketio::revision::v4;
        session_.emplace(options_, queue_, r, now_);
    }

    void run() {
        drain();
        while (!p_.is_over()) step();
        drain();
        session_->connection_closed(disconnect_reason::transport_close, now_);
        drain();
        check(closed_ && sockets_.empty() && owed_.empty());
        check(!session_->poll_timeout() && session_->is_closed());
    }

private:
    enum class state : std::uint8_t { asked, connected, ending };

    static socketio::server_options options_from(std::uint8_t bits) {
        socketio::server_options o;
        o.connect_timeout = milliseconds(1'000);
        if ((bits & 2u) == 0) return o;
        o.max_sockets = 2;
        o.max_pending_acks = 2;
        o.max_queued = 60;
        o.limits.max_attachments = 2;
        o.limits.max_attachments_size = 8;
        return o;
    }

    void step() {
        auto const which = p_.byte();
        switch (which % 8u) {
        case 0: receive({frame_kind::text, p_.text()}); break;
        case 1: receive({frame_kind::binary, p_.text()}); break;
        case 2: receive({frame_kind::text, "0" + std::string(*p_.pick(namespaces)) + ","}); break;
        case 3:
            now_ += milliseconds(p_.byte() * 10);
            session_->handle_timeout(now_);
            break;
        case 4:
            if (which == 252) session_->connection_closed(*p_.pick(losses), now_);
            break;
        default: act();
        }
        if (which < 128) drain();
    }

    void receive(std::pair<frame_kind, std::string> const& message) {
        drain();
        // The message is gone when its events have been taken.
        auto const copy = std::make_unique<std::string>(message.second);
        session_->message_received({message.first, *copy}, now_);
        drain();
    }

    // What an application does, at any time.
    void act() {
        auto const s = memory_.socket(p_);
        auto const found = sockets_.find(key_of(s));
        bool const asked = found != sockets_.end() && found->second == state::asked && !session_->is_closed();
        bool const connected = found != sockets_.end() && found->second == state::connected && !session_->is_closed();
        switch (p_.byte() % 9u) {
        case 0:
        case 1: {
            auto const done = session_->accept(s, "sid", p_.flag() ? "pid" : "");
            auto const over = done.has_value() || done.error().code == errc::queue_overflow;
            check(asked == (over || done.error().code == errc::message_too_large));
            if (over) found->second = state::connected;
            break;
        }
        case 2: {
            auto const done = session_->refuse(s, p_.text());
            bool const over = done.has_value() || done.error().code == errc::queue_overflow;
            check(asked || !over);
            if (over) sockets_.erase(found);
            break;
        }
        case 3: check(connected || !session_->emit(s, p_.text(), byte_view(some_bytes))); break;
        case 4: ask(s, connected); break;
        case 5:
            if (auto* const request = memory_.request(p_)) session_->acknowledge(*request, p_.text()).ignore();
            break;
        case 6:
            session_->disconnect(s);
            if (connected) found->second = state::ending;
            break;
        case 7:
            if (p_.byte() > 250) session_->close(disconnect_reason::server_namespace_disconnect);
            break;
        default:
            if (p_.byte() > 250) session_->close(disconnect_reason::server_shutting_down);
        }
        check(queue_.size() <= options_.max_queued + 1'024); // DISCONNECTs are not counted
    }

    void ask(socket_handle s, bool connected) {
        auto const id = ++last_id_;
        auto const timeout = p_.timeout();
        auto const done =
            p_.flag() ? session_->expect_ack(s, id, timeout) : session_->emit_with_ack(s, id, timeout, "q", p_.text());
        check(connected || !done);
        if (done) owed_.emplace(id, key_of(s));
        check(owed_.size() <= options_.max_pending_acks);
    }

    void drain() {
        while (auto e = session_->poll_event()) {
            note(*e);
            react(*e);
        }
        while (session_->poll_transmit()) {
        }
        check(!session_->poll_event());
    }

    void react(socketio::event const& e) {
        if (is_wild_) {
            if (p_.byte() > 200) act();
        } else if (e.type == event_type::connecting) {
            if (session_->accept(e.socket, "sid")) sockets_.at(key_of(e.socket)) = state::connected;
        } else if (e.type == event_type::event && !memory_.requests.empty()) {
            session_->acknowledge(memory_.requests.back(), 1).ignore();
        }
    }

    void note(socketio::event& e) {
        check(!closed_);
        auto const k = key_of(e.socket);
        switch (e.type) {
        case event_type::connecting:
            check(sockets_.emplace(k, state::asked).second && session_->nsp(e.socket) == e.nsp);
            check(sockets_.size() <= options_.max_sockets);
            break;
        case event_type::event: check(sockets_.at(k) == state::connected); break;
        case event_type::ack: {
            auto const found = owed_.find(e.id);
            check(found != owed_.end() && found->second == k);
            owed_.erase(found);
            break;
        }
        case event_type::disconnected:
            check(sockets_.erase(k) == 1);
            for (auto const& [id, owner] : owed_) check(owner != k);
            break;
        default: check(e.type == event_type::closed && sockets_.empty() && owed_.empty()); closed_ = true;
        }
        memory_.note(e);
    }

    program& p_;
    bool is_wild_;
    socketio::server_options options_;
    socketio::message_queue queue_;
    std::optional<socketio::server_session> session_;
    time_point now_{std::chrono::hours(1)};
    memory memory_;
    std::map<key, state> sockets_;
    std::map<std::uint64_t, key> owed_;
    std::uint64_t last_id_ = 0;
    bool closed_ = false;
};

//=== socketio::client_session ===//

class client_session_run {
public:
    client_session_run(program& p, std::uint8_t options)
        : p_(p), is_wild_((options & wild) != 0), session_(options_from(options)) {}

    void run() {
        while (!p_.is_over()) step();
        close();
        now_ += std::chrono::hours(1);
        session_.handle_timeout(now_);
        drain();
        // Nothing that has a deadline outlives it. (What is tried again and again waits for a connection.)
        if (session_.options().retries == 0) check(timed_.empty());
        check(connected_.empty());
    }

private:
    static socketio::client_options options_from(std::uint8_t bits) {
        socketio::client_options o;
        if ((bits & 1u) != 0) o.revision = socketio::revision::v4;
        if ((bits & 2u) != 0) {
            o.retries = 2;
            o.ack_timeout = milliseconds(100);
        }
        if ((bits & 4u) == 0) return o;
        o.max_buffered = 500;
        o.max_early = 500;
        o.max_pending_acks = 3;
        o.max_queued = 100;
        return o;
    }

    void step() {
        constexpr std::string_view answers[] = {R"(0{"sid":"s"})",
                                                R"(0/admin,{"sid":"s","pid":"p"})",
                                                R"(0{"sid":"s","pid":"p"})",
                                                "0/a,",
                                                "0/dynamic,{\"sid\":\"s\"}",
                                                "1",
                                                "1/admin,",
                                                "4/admin,{\"message\":\"no\"}",
                                                "4\"no\"",
                                                R"(2/admin,5["e","1"])",
                                                R"(51-["e",{"_placeholder":true,"num":0}])"};
        auto const which = p_.byte();
        switch (which % 8u) {
        case 0: receive({frame_kind::text, p_.text()}); break;
        case 1: receive({frame_kind::binary, p_.text()}); break;
        case 2:
        case 3: receive({frame_kind::text, std::string(*p_.pick(answers))}); break;
        case 4: receive({frame_kind::text, "3" + std::to_string(p_.byte() % 8u) + "[1]"}); break;
        case 5:
            if (p_.flag() || open_)
                pass_time();
            else
                open();
            if (which > 250) close();
            break;
        default: act();
        }
        if (which < 128) drain();
    }

    void open() {
        drain();
        open_ = true;
        session_.opened(now_);
    }
    void close() {
        drain();
        session_.closed(*p_.pick(losses), now_);
        drain();
        check(!open_);
    }
    void pass_time() {
        now_ += milliseconds(p_.byte() * 10);
        session_.handle_timeout(now_);
    }

    void receive(std::pair<frame_kind, std::string> const& message) {
        drain();
        auto const copy = std::make_unique<std::string>(message.second);
        session_.message_received({message.first, *copy}, now_);
        drain();
    }

    void act() {
        auto const s = socket();
        switch (p_.byte() % 8u) {
        case 0: session_.connect(*p_.pick(namespaces)).ignore(); break;
        case 1: session_.connect(*p_.pick(namespaces), json::object("token", p_.text())).ignore(); break;
        case 2: session_.connect(*p_.pick(namespaces), socketio::ask_for_auth).ignore(); break;
        case 3: session_.authenticate(s, json::object("token", p_.text())).ignore(); break;
        case 4: session_.disconnect(s); break;
        case 5:
            (p_.flag() ? session_.emit_volatile(s, "v", p_.text())
                       : session_.emit(s, "e", p_.text(), byte_view(some_bytes)))
                .ignore();
            break;
        case 6: ask(s); break;
        default:
            if (auto* const request = memory_.request(p_)) session_.acknowledge(*request, p_.text()).ignore();
        }
        auto const& o = session_.options();
        check(session_.buffered() <= o.max_buffered);
    }

    void ask(socket_handle s) {
        auto const timeout = p_.timeout();
        auto const id = session_.emit_with_ack(s, timeout, "q", p_.text());
        if (!id) return;
        check(awaited_.insert(*id).second);
        if (timeout) timed_.insert(*id);
    }

    // One of those that there are, or none.
    socket_handle socket() {
        auto const n = p_.byte();
        return session_.size() == 0 ? socket_handle() : socket_handle{n % session_.size(), 1};
    }

    void drain() {
        while (auto e = session_.poll_event()) {
            note(*e);
            react(*e);
        }
        while (session_.poll_transmit()) {
        }
        check(!session_.poll_event());
        for (std::uint32_t i = 0; i != session_.size(); ++i)
            check(session_.is_connected({i, 1}) == (connected_.count(i) == 1));
    }

    void react(socketio::event const& e) {
        if (is_wild_) {
            if (p_.byte() > 200) act();
        } else if (e.type == event_type::connecting) {
            session_.authenticate(e.socket, json::object("token", 1)).ignore();
        } else if (e.type == event_type::event && !memory_.requests.empty()) {
            session_.acknowledge(memory_.requests.back(), 1).ignore();
        }
    }

    void note(socketio::event& e) {
        auto const i = e.socket.index;
        switch (e.type) {
        case event_type::connecting: check(open_ && connected_.count(i) == 0); break;
        case event_type::connected: check(open_ && connected_.insert(i).second); break;
        case event_type::connect_error: check(open_ && connected_.count(i) == 0); break;
        case event_type::event: check(connected_.count(i) == 1); break;
        case event_type::ack:
            check(awaited_.erase(e.id) == 1);
            timed_.erase(e.id);
            break;
        case event_type::disconnected: check(connected_.erase(i) == 1); break;
        default: check(e.type == event_type::closed && std::exchange(open_, false) && connected_.empty());
        }
        memory_.note(e);
    }

    program& p_;
    bool is_wild_;
    socketio::client_session session_;
    time_point now_{std::chrono::hours(1)};
    memory memory_;
    bool open_ = false;
    std::set<std::uint32_t> connected_;
    std::set<std::uint64_t> awaited_;
    std::set<std::uint64_t> timed_; // those of them that have a deadline of their own
};

//=== the whole server ===//

// What is known of the sockets of a server and of their acknowledgements.
class server_ledger {
public:
    explicit server_ledger(server const& s) noexcept : server_(&s) {}

    void asked_one(std::uint64_t id, socket_handle s) { owed_.emplace(id, key_of(s)); }
    void asked_all(std::uint64_t id) { broadcasts_.emplace(id, broadcast()); }
    void accepted(socket_handle s) { check(std::exchange(sockets_.at(key_of(s)), state::accepted) == state::asked); }
    void refused(socket_handle s) { check(sockets_.at(key_of(s)) == state::asked && sockets_.erase(key_of(s)) == 1); }

    void note(socketio::event const& e) {
        auto const k = key_of(e.socket);
        switch (e.type) {
        case event_type::connecting: check(sockets_.emplace(k, state::asked).second); break;
        case event_type::connected: {
            auto const [found, is_new] = sockets_.emplace(k, state::accepted);
            check(found->second == state::accepted);
            found->second = state::connected;
            check(!e.sid.empty() && e.sid == server_->sid(e.socket));
            if (e.recovered) check_recovered(e);
            break;
        }
        case event_type::event:
            check(sockets_.at(k) == state::connected);
            if (e.name() == "count") note_count(e, k);
            break;
        case event_type::ack: note_ack(e, k); break;
        case event_type::acks_complete: {
            auto const found = broadcasts_.find(e.id);
            check(found != broadcasts_.end() && found->second.ended == e.expected &&
                  found->second.answers == e.answers);
            broadcasts_.erase(found);
            break;
        }
        default:
            check(e.type == event_type::disconnected && sockets_.erase(k) == 1);
            for (auto const& [id, owner] : owed_) check(owner != k);
            lost_.insert_or_assign(std::string(e.sid), lost_socket{std::string(e.nsp), rooms_of(e.socket)});
            end_count(e, k);
        }
    }

    void check_end() const { check(sockets_.empty() && owed_.empty() && broadcasts_.empty()); }

    // The next number that a peer sends on a channel; what was sent before has arrived before.
    [[nodiscard]] std::uint64_t next_count(std::uint64_t channel) {
        return ++sent_.try_emplace(channel, channel * counts_of_channel).first->second;
    }
    // Not all that is sent on the channel is known any more.
    void stop_counting(std::uint64_t channel) { sent_[channel] = 0; }
    [[nodiscard]] bool counts(std::uint64_t channel) const {
        auto const found = sent_.find(channel);
        return found == sent_.end() || found->second != 0;
    }

private:
    enum class state : std::uint8_t { asked, accepted, connected };

    struct broadcast {
        std::size_t ended = 0;
        std::size_t answers = 0;
        std::set<key> owners = {};
    };

    static constexpr std::uint64_t counts_of_channel = 1'000'000;

    struct lost_socket {
        std::string nsp;
        std::set<std::string> rooms;
    };

    [[nodiscard]] std::set<std::string> rooms_of(socket_handle s) const {
        auto const rooms = server_->rooms_of(s);
        return {rooms.begin(), rooms.end()};
    }

    // It has come back as what it was: the same namespace, and all its rooms.
    void check_recovered(socketio::event const& e) const {
        auto const found = lost_.find(std::string(e.sid));
        check(found != lost_.end() && found->second.nsp == e.nsp);
        check(std::ranges::includes(rooms_of(e.socket), found->second.rooms));
    }

    // Whatever was handed in at once comes one by one, in order and whole.
    void note_count(socketio::event const& e, key k) {
        auto const number = e.get<std::uint64_t>();
        if (!number || !counts(*number / counts_of_channel)) return;
        auto const [found, is_first] = counts_.try_emplace(k, *number);
        check(is_first || *number == found->second + 1);
        found->second = *number;
    }
    void end_count(socketio::event const& e, key k) {
        auto const last = counts_.extract(k);
        if (last.empty() || e.reason != disconnect_reason::transport_close) return;
        auto const channel = last.mapped() / counts_of_channel;
        check(!counts(channel) || last.mapped() == sent_.at(channel));
    }

    // One that was asked for before its client is let in may end before that, or because that is refused: unanswered.
    void note_ack(socketio::event const& e, key k) {
        auto const socket = sockets_.find(k);
        bool const is_connected = socket != sockets_.end() && socket->second == state::connected;
        check(is_connected || e.outcome != socketio::ack_outcome::answered);
        if (auto const found = owed_.find(e.id); found != owed_.end()) {
            check(found->second == k);
            owed_.erase(found);
            return;
        }
        auto const found = broadcasts_.find(e.id);
        check(found != broadcasts_.end() && found->second.owners.insert(k).second);
        ++found->second.ended;
        if (e.outcome == socketio::ack_outcome::answered) ++found->second.answers;
    }

    server const* server_;
    std::map<key, state> sockets_;
    std::map<std::uint64_t, key> owed_;
    std::map<std::uint64_t, broadcast> broadcasts_;
    std::map<std::string, lost_socket> lost_;     // by their ids
    std::map<std::uint64_t, std::uint64_t> sent_; // the last number of each channel; 0 where it is not known
    std::map<key, std::uint64_t> counts_;         // the last number that came to a socket
};

class server_run {
public:
    server_run(program& p, std::uint8_t options)
        : p_(p), is_wild_((options & wild) != 0), is_batching_((options & batching) != 0),
          server_(options_from(options), random(), now_), ledger_(server_) {
        auto const a = (options & 4u) == 0 ? admission::automatic : admission::ask;
        server_.declare("/", a);
        server_.declare("/admin", a);
        server_.declare_matching(
            [n = 0](std::string_view name, json::text) mutable {
                if (name == "/d3" && ++n % 2 != 0) throw failure();
                return name.starts_with("/d");
            },
            a);
    }

    void run() {
        while (!p_.is_over()) step();
        drain();
        while (!exchanges_.empty()) {
            abort_exchange();
            drain();
        }
        while (!channels_.empty()) {
            close_channel();
            drain();
        }
        for (auto due = server_.poll_timeout(); due; due = server_.poll_timeout()) {
            now_ = std::max(now_, *due);
            server_.handle_timeout(now_);
            drain();
        }
        check(server_.size() == 0 && server_.socket_count() == 0);
        ledger_.check_end();
    }

private:
    struct channel {
        bool is_stream = false;
        bool is_paused = false;
        bool has_all = true; // it is no second transport, which begins in the middle
        std::size_t due = 0; // attachments
    };

    [[nodiscard]] random_source random() {
        return [this, n = std::uint64_t{1}](std::span<std::byte> bytes) mutable {
            if (is_random_broken_) throw failure();
            for (std::byte& b : bytes) {
                n = n * 6364136223846793005u + 1442695040888963407u;
                b = static_cast<std::byte>(n >> 56u);
            }
        };
    }

    static server_options options_from(std::uint8_t bits) {
        server_options o;
        o.engine.allow_v3 = true;
        o.engine.transports = {engineio::transport::polling, engineio::transport::websocket,
                               engineio::transport::webtransport};
        if ((bits & 1u) != 0) o.recovery.emplace();
        if ((bits & 2u) == 0) return o;
        o.engine.max_queued = 400;
        o.engine.max_payload = 200;
        o.sockets.max_sockets = 2;
        o.sockets.max_pending_acks = 2;
        if (o.recovery) o.recovery->max_packets = 3;
        return o;
    }

    //=== what peers do ===//

    void step() {
        auto const which = p_.byte();
        switch (which % 16u) {
        case 0: receive(frame_kind::text, p_.text()); break;
        case 1: receive(frame_kind::binary, p_.text()); break;
        case 2: receive(frame_kind::text, "40" + std::string(*p_.pick(namespaces)) + "," + claim()); break;
        case 3: open_websocket(); break;
        case 4: request(engineio::http_method::get, {}, p_.byte() > 128); break;
        case 5: request(engineio::http_method::post, p_.text(), false); break;
        case 6: request(engineio::http_method::post, "40" + std::string(*p_.pick(namespaces)) + ",", false); break;
        case 7: request(engineio::http_method::get, {}, false); break;
        case 8: abort_exchange(); break;
        case 9: close_channel(); break;
        case 10: pause(); break;
        case 11:
            now_ += milliseconds(p_.byte() * 500);
            server_.handle_timeout(now_);
            break;
        case 12:
            if (which == 252) server_.close();
            break;
        case 13:
            if (which < 128) {
                count();
                break;
            }
            [[fallthrough]];
        default: act();
        }
        if (is_batching_) {
            if (which < 64) drain();
            return;
        }
        // An application may act more than once before it looks what came of it.
        if (which % 16u <= 12 || which < 128) drain();
    }

    // What an I/O layer does before and after an input, unless it hands in all that it has read.
    void drain_between() {
        if (!is_batching_) drain();
    }
    // Until the events have been taken; then it is gone.
    std::string& keep_input(std::string text) {
        return *held_.emplace_back(std::make_unique<std::string>(std::move(text)));
    }

    void count() {
        auto const id = pick_channel();
        if (id == 0 || channels_.at(id).is_stream || !channels_.at(id).has_all || !ledger_.counts(id)) return;
        for (int n = 1 + p_.byte() % 4; n != 0; --n) {
            auto const& text = keep_input("42[\"count\"," + std::to_string(ledger_.next_count(id)) + "]");
            server_.websocket_received(id, {frame_kind::text, text}, now_);
            drain_between();
        }
    }

    // What a client says to be let in, with the secret of one that was lost, perhaps.
    std::string claim() {
        auto const n = p_.byte();
        if (n < 128 || pids_.empty()) return n < 64 ? "" : R"({"token":1})";
        std::string const offset = offsets_.empty() ? "1" : offsets_[offsets_.size() - 1 - n % offsets_.size()];
        return R"({"pid":")" + pids_[n % pids_.size()] + R"(","offset":")" + offset + "\"}";
    }

    std::uint64_t pick_channel() {
        auto const n = p_.byte();
        if (channels_.empty()) return 0;
        auto const at = std::next(channels_.begin(), static_cast<std::ptrdiff_t>(n % channels_.size()));
        return at->first;
    }

    void receive(frame_kind kind, std::string const& message) {
        drain_between();
        auto const id = pick_channel();
        auto const& copy = keep_input(message);
        if (!copy.starts_with("40")) ledger_.stop_counting(id);
        if (id != 0 && channels_.at(id).is_stream)
            server_.stream_received(id, copy, now_);
        else
            server_.websocket_received(id, {kind, copy}, now_);
        drain_between();
    }

    void open_websocket() {
        if (channels_.size() == 4) return;
        drain_between();
        auto const id = ++last_name_;
        auto const how = p_.byte() % 8u;
        channels_[id] = {.is_stream = how == 0, .has_all = how > 3};
        if (how == 0) return server_.stream_opened(id, now_);
        auto const* const sid = p_.pick(sids_);
        std::string& target = keep_input("/socket.io/?transport=websocket&EIO=");
        target += how == 4 ? '3' : '4';
        if (how < 4 && sid != nullptr) target += "&sid=" + *sid;
        server_.websocket_opened(id, target, now_);
    }

    void abort_exchange() {
        if (exchanges_.empty()) return;
        auto const exchange = *exchanges_.begin();
        exchanges_.erase(exchange);
        aborted_.insert(exchange); // an answer that is due already may still come
        server_.http_aborted(exchange, now_);
    }

    void close_channel() {
        auto const id = pick_channel();
        if (channels_.erase(id) != 0) gone_.insert(id); // a close that is due already may still come
        server_.channel_closed(id, now_);
    }

    void pause() {
        auto const id = pick_channel();
        if (id == 0) return;
        auto& c = channels_.at(id);
        c.is_paused = !c.is_paused;
        if (c.is_paused)
            server_.pause(id);
        else
            server_.resume(id);
    }

    void request(engineio::http_method method, std::string const& text, bool is_new) {
        drain_between();
        std::string& body = keep_input(text);
        auto const id = ++last_name_;
        exchanges_.insert(id);
        auto const* const sid = p_.pick(sids_);
        std::string& target = keep_input("/socket.io/?transport=polling&EIO=");
        target += is_new && p_.flag() ? '3' : '4';
        if (!is_new && sid != nullptr) target += "&sid=" + *sid;
        server_.http_received({.exchange = id, .method = method, .target = target, .is_binary = false, .body = body},
                              now_);
        drain_between();
    }

    //=== what the application does ===//

    void act() {
        auto const s = memory_.socket(p_);
        auto const text = p_.text();
        switch (p_.byte() % 16u) {
        case 0:
        case 1: accept(s); break;
        case 2:
            if (server_.refuse(s, text)) ledger_.refused(s);
            break;
        case 3: server_.emit(s, "e", text, byte_view(some_bytes)).ignore(); break;
        case 4: server_.emit_volatile(s, "v", byte_view(some_bytes), text).ignore(); break;
        case 5:
            if (auto const id = server_.emit_with_ack(s, p_.timeout(), "q", text)) ledger_.asked_one(*id, s);
            break;
        case 6:
            if (auto* const request = memory_.request(p_)) server_.acknowledge(*request, text).ignore();
            break;
        case 7: static_cast<void>(p_.flag() ? server_.join(s, text) : server_.leave(s, text)); break;
        case 8: whom(text).emit("all", text, byte_view(some_bytes)).ignore(); break;
        case 9: whom(text).emit_volatile("all", byte_view(some_bytes)).ignore(); break;
        case 10:
            if (auto const id = whom(text).emit_with_ack(p_.timeout(), "q", text)) ledger_.asked_all(*id);
            break;
        case 11: server_.disconnect(s); break;
        case 12:
            if (p_.flag())
                whom(text).disconnect();
            else
                server_.disconnect_connection(s);
            break;
        case 13: whom(text).for_each([&](socket_handle each) { server_.join(each, "room"); }); break;
        default: fail(s, text);
        }
    }

    // Its ids may not come about: then it is still asked for.
    void accept(socket_handle s) {
        is_random_broken_ = is_wild_ && p_.byte() > 250;
        survives([&] {
            if (server_.accept(s)) ledger_.accepted(s);
        });
        is_random_broken_ = false;
    }

    // Code of the application's throws in the middle of a call: of that nothing is sent, and nothing owed.
    void fail(socket_handle s, std::string_view text) {
        switch (p_.byte() % 6u) {
        case 0: survives([&] { server_.emit(s, "e", text, byte_view(some_bytes), unwritable()).ignore(); }); break;
        case 1:
            survives([&] {
                if (auto const id = server_.emit_with_ack(s, p_.timeout(), "q", unwritable()))
                    ledger_.asked_one(*id, s);
            });
            break;
        case 2:
            if (auto* const request = memory_.request(p_))
                survives([&] { server_.acknowledge(*request, byte_view(some_bytes), unwritable()).ignore(); });
            break;
        case 3:
            survives([&] {
                if (server_.refuse(s, text, unwritable())) ledger_.refused(s);
            });
            break;
        case 4: survives([&] { whom(text).emit("all", byte_view(some_bytes), unwritable()).ignore(); }); break;
        default:
            survives([&] {
                if (auto const id = whom(text).emit_with_ack(p_.timeout(), "q", unwritable())) ledger_.asked_all(*id);
            });
        }
    }

    // `room` is borrowed.
    audience whom(std::string_view room) {
        auto chosen = server_.in(*p_.pick(namespaces));
        auto const how = p_.byte();
        if ((how & 1u) != 0) chosen.to(room);
        if ((how & 2u) != 0) chosen.to("room");
        if ((how & 4u) != 0) chosen.except(room);
        if ((how & 8u) != 0) chosen.except(memory_.socket(p_));
        if ((how & 16u) != 0) chosen.to(server_.sid(memory_.socket(p_)));
        return chosen;
    }

    //=== what comes of it ===//

    void drain() {
        for (;;) {
            std::optional<socketio::event> e;
            if (!survives([&] { e = server_.poll_event(); })) continue;
            if (e) {
                ledger_.note(*e);
                memory_.note(*e);
                react(*e);
            } else if (auto const t = server_.poll_transmit(buffer_)) {
                take(*t);
            } else {
                held_.clear();
                return;
            }
        }
    }

    void react(socketio::event const& e) {
        if (is_wild_) {
            if (p_.byte() > 200) act();
        } else if (e.type == event_type::connecting) {
            accept(e.socket);
        } else if (e.type == event_type::event && !memory_.requests.empty()) {
            server_.acknowledge(memory_.requests.back(), 1).ignore();
        }
    }

    void take(engineio::transmit const& t) {
        note_secrets(t.data.data);
        if (t.type == engineio::transmit_type::respond)
            return check(exchanges_.erase(t.id) == 1 || aborted_.erase(t.id) == 1);
        if (t.type == engineio::transmit_type::close)
            return check(channels_.erase(t.id) == 1 || gone_.erase(t.id) == 1);
        auto const found = channels_.find(t.id);
        check(t.type == engineio::transmit_type::send && found != channels_.end() && !found->second.is_paused);
        if (!found->second.is_stream && found->second.has_all) check_whole(found->second, t.data);
    }

    // Attachments follow their header, and nothing but packets of Engine.IO comes between.
    static void check_whole(channel& c, frame f) {
        if (f.kind == frame_kind::binary) {
            check(c.due != 0);
            --c.due;
        } else if (f.data.starts_with('4')) {
            auto const h = socketio::decode_header(f.data.substr(1));
            check(h && c.due == 0);
            c.due = h->attachments;
        }
    }

    void note_secrets(std::string_view sent) {
        auto const value_of = [&](std::string_view name) {
            auto const at = sent.find(name);
            auto const rest = at == std::string_view::npos ? std::string_view() : sent.substr(at + name.size());
            return std::string(rest.substr(0, rest.find('"')));
        };
        if (sent.find("\"pingInterval\"") != std::string_view::npos) sids_.push_back(value_of(R"("sid":")"));
        if (auto pid = value_of(R"("pid":")"); !pid.empty()) pids_.push_back(std::move(pid));
        constexpr std::size_t size = socketio::recovery_offset::size;
        if (sent.ends_with("\"]") && sent.size() > size + 2)
            offsets_.emplace_back(sent.substr(sent.size() - size - 2, size));
    }

    program& p_;
    bool is_wild_;
    bool is_batching_;
    bool is_random_broken_ = false;
    time_point now_{std::chrono::hours(1)};
    server server_;
    server_ledger ledger_;
    memory memory_;
    std::map<std::uint64_t, channel> channels_;
    std::set<std::uint64_t> exchanges_;
    std::set<std::uint64_t> aborted_;
    std::set<std::uint64_t> gone_;
    std::uint64_t last_name_ = 0;
    std::vector<std::string> sids_;
    std::vector<std::string> pids_;
    std::vector<std::string> offsets_;
    std::vector<std::unique_ptr<std::string>> held_;
    std::string buffer_;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    fuzz::input in(data, size);
    auto const choice = in.take();
    auto const options = static_cast<std::uint8_t>(choice / 3u);
    program p(in);
    switch (choice % 3u) {
    case 0: server_session_run(p, options).run(); break;
    case 1: client_session_run(p, options).run(); break;
    default: server_run(p, options).run();
    }
    return 0;
}
